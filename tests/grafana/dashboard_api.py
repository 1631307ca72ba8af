"""Dashboards: saved over the version that was read, listed by a search, with their past."""

from __future__ import annotations

import copy

from tests.grafana.world import Json, Problem, Request, Route, World, checked_uid, page

VERSION = "13.0.1"
_BUILT_IN = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}
_ADDED = {"editable": True, "fiscalYearStartMonth": 0, "graphTooltip": 0, "links": [], "preload": False, "weekStart": ""}


def _of(world: World, uid: str) -> Json:
    if uid not in world.dashboards:
        raise Problem(404, "Dashboard not found", "not-found")
    return world.dashboards[uid]


def save(world: World, request: Request) -> Json:
    board, folder = copy.deepcopy(request.body["dashboard"]), request.body.get("folderUid") or ""
    if not board.get("title"):
        raise Problem(400, "Dashboard title cannot be empty", "empty-name")
    uid = board.get("uid") or f"made{next(world.ids)}"
    checked_uid(uid)
    if len(request.body.get("message") or "") > 500:
        raise Problem(400, "message too long, max 500 characters")
    if folder and folder not in world.folders:
        raise Problem(400, "folder not found")
    held = world.dashboards.get(uid)
    needed = "dashboards:write" if held else "dashboards:create"
    if needed not in request.rights:
        raise Problem(403, f"You'll need additional permissions to perform this action. Permissions needed: {needed}")
    if held is None and board.get("id"):
        raise Problem(404, "Dashboard not found", "not-found")
    if held and held["provisioned"]:
        raise Problem(400, "Cannot save provisioned dashboard")
    if held and board.get("version", 0) != held["version"] and not request.body.get("overwrite"):
        raise Problem(412, "The dashboard has been changed by someone else", "version-mismatch")
    return _saved(world, uid, board, folder, request.body.get("message") or "")


def _saved(world: World, uid: str, board: Json, folder: str, message: str) -> Json:
    """A version counts what is really another document, as it does in Grafana's newer storage."""
    data = {key: value for key, value in board.items() if key not in ("id", "version")} | {"uid": uid}
    held = world.dashboards.get(uid)
    if held is None:
        held = {"id": next(world.ids), "version": 0, "data": None, "provisioned": "", "versions": [], "created": world.time()}
        world.dashboards[uid] = held
    if (held["data"], held.get("folder")) != (data, folder):
        held |= {"data": data, "folder": folder, "version": held["version"] + 1, "updated": world.time()}
        held["versions"].append({"version": held["version"], "message": message, "created": world.time(), "data": data})
    told = {"id": held["id"], "uid": uid, "status": "success", "version": held["version"], "slug": slug(board["title"])}
    return {**told, "folderUid": folder, "url": f"/d/{uid}/{slug(board['title'])}"}


def slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def read(world: World, request: Request) -> Json:
    uid = request.place["uid"]
    held = _of(world, uid)
    folder = world.folders.get(held["folder"], {})
    meta = {
        "type": "db",
        "canSave": True,
        "canEdit": True,
        "slug": slug(held["data"]["title"]),
        "url": f"/d/{uid}/{slug(held['data']['title'])}",
        "created": held["created"],
        "updated": held["updated"],
        "updatedBy": "sa-1-apply",
        "createdBy": "sa-1-apply",
        "version": held["version"],
        "isFolder": False,
        "folderUid": held["folder"],
        "folderTitle": folder.get("title", "Dashboards"),
        "provisioned": bool(held["provisioned"]),
        "provisionedExternalId": held["provisioned"],
    }
    return {"meta": meta, "dashboard": world.converted(shown(held))}


def shown(held: Json) -> Json:
    """A stored dashboard with what Grafana adds to it when it is read."""
    board: Json = {**_ADDED, **copy.deepcopy(held["data"]), "id": held["id"], "version": held["version"]}
    marks = (board.get("annotations") or {}).get("list") or []
    board["annotations"] = {"list": [_BUILT_IN, *marks]}
    for panel in _flat(board.get("panels") or []):
        if panel.get("type") != "row":
            panel["pluginVersion"] = VERSION
            panel.setdefault("transparent", False)
            panel.setdefault("fieldConfig", {"defaults": {}, "overrides": []})
    return board


def _flat(panels: list[Json]) -> list[Json]:
    return [inside for panel in panels for inside in (panel, *_flat(panel.get("panels") or []))]


def delete(world: World, request: Request) -> Json:
    uid = request.place["uid"]
    held = _of(world, uid)
    if held["provisioned"]:
        raise Problem(400, "provisioned dashboard cannot be deleted")
    del world.dashboards[uid]
    title = held["data"]["title"]
    return {"title": title, "message": f"Dashboard {title} deleted", "id": held["id"], "uid": uid}


def versions(world: World, request: Request) -> Json:
    held = _of(world, request.place["uid"])
    return {"continueToken": "", "versions": [{**version, "uid": request.place["uid"]} for version in held["versions"][::-1]]}


def search(world: World, request: Request) -> list[Json]:
    found = [
        {
            "id": held["id"],
            "uid": uid,
            "title": held["data"]["title"],
            "uri": f"db/{slug(held['data']['title'])}",
            "url": f"/d/{uid}/{slug(held['data']['title'])}",
            "type": "dash-db",
            "tags": held["data"].get("tags", []),
            "isStarred": False,
            "isDeleted": False,
            **({"folderUid": held["folder"]} if held["folder"] else {}),
        }
        for uid, held in world.dashboards.items()
    ]
    return page(sorted(found, key=lambda hit: str(hit["title"])), request.query)


ROUTES = (
    Route("POST", "/api/dashboards/db", "", save),
    Route("GET", "/api/dashboards/uid/:uid", "dashboards:read", read),
    Route("DELETE", "/api/dashboards/uid/:uid", "dashboards:delete", delete),
    Route("GET", "/api/dashboards/uid/:uid/versions", "dashboards:write", versions),
    Route("GET", "/api/search", "dashboards:read", search),
)
