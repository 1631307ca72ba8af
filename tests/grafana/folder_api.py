"""Folders, their permissions, and teams."""

from __future__ import annotations

from typing import Any

from tests.grafana.world import Json, Problem, Request, Route, World, checked_uid, page

_NAMES = {1: "View", 2: "Edit", 4: "Admin"}
_MISMATCH = "the folder has been changed by someone else"


def listed(world: World, request: Request) -> list[Json]:
    parent = request.query.get("parentUid", "")
    found = [folder for folder in world.folders.values() if folder["parentUid"] == parent]
    short = [{"id": folder["id"], "uid": folder["uid"], "title": folder["title"]} for folder in found]
    return page(sorted(short, key=lambda folder: str(folder["title"])), request.query)


def _of(world: World, request: Request) -> Json:
    """Whoever may not see all folders is not told which ones there are not."""
    if request.place["uid"] not in world.folders:
        if "folders:delete" not in request.rights:
            raise Problem(403, "You'll need additional permissions to perform this action. Permissions needed: folders:read")
        raise Problem(404, "folder not found", "not-found")
    return world.folders[request.place["uid"]]


def _told(folder: Json) -> Json:
    rights = {"canSave": True, "canEdit": True, "canAdmin": True, "canDelete": True}
    told = {
        **folder,
        "url": f"/dashboards/f/{folder['uid']}/",
        "orgId": 1,
        "hasAcl": False,
        "createdBy": "sa",
        "updatedBy": "sa",
    }
    return {key: value for key, value in {**told, **rights}.items() if (key, value) != ("parentUid", "")}


def read(world: World, request: Request) -> Json:
    return _told(_of(world, request))


def create(world: World, request: Request) -> Json:
    uid, title = request.body["uid"], request.body.get("title", "")
    checked_uid(uid)
    if not title:
        raise Problem(400, "folder title cannot be empty")
    if uid in world.folders:
        raise Problem(409, "a folder/dashboard with the same uid already exists")
    now = world.time()
    world.folders[uid] = {
        "id": next(world.ids),
        "uid": uid,
        "title": title,
        "parentUid": request.body.get("parentUid", ""),
        "version": 1,
        "created": now,
        "updated": now,
    }
    world.permissions[uid] = [{"role": "Editor", "permission": 2}, {"role": "Viewer", "permission": 1}]
    return _told(world.folders[uid])


def update(world: World, request: Request) -> Json:
    folder = _of(world, request)
    if request.body.get("version") != folder["version"] and not request.body.get("overwrite"):
        raise Problem(412, _MISMATCH, "version-mismatch")
    folder |= {"title": request.body["title"], "version": folder["version"] + 1, "updated": world.time()}
    return _told(folder)


def move(world: World, request: Request) -> Json:
    folder = _of(world, request)
    folder["parentUid"] = request.body["parentUid"]
    return _told(folder)


def delete(world: World, request: Request) -> Json:
    """Everything in it goes with it, whoever made it."""
    uid = _of(world, request)["uid"]
    del world.folders[uid], world.permissions[uid]
    for board in [name for name, held in world.dashboards.items() if held["folder"] == uid]:
        del world.dashboards[board]
    return {"message": "Folder deleted"}


def counts(world: World, request: Request) -> Json:
    uid = _of(world, request)["uid"]
    boards = sum(held["folder"] == uid for held in world.dashboards.values())
    inside = sum(folder["parentUid"] == uid for folder in world.folders.values())
    rules = sum(place == uid for place, _ in world.rule_groups)
    return {"alertrule": rules, "dashboard": boards, "folder": inside, "librarypanel": 0}


def permissions(world: World, request: Request) -> list[Json]:
    folder = _of(world, request)
    numbers = {number: name for name, number in world.teams.items()}
    return [
        {
            "folderUid": "",
            "userId": item.get("userId", 0),
            "userLogin": item.get("userLogin", ""),
            "teamId": item.get("teamId", 0),
            "team": numbers.get(item.get("teamId", 0), ""),
            **({"role": item["role"]} if "role" in item else {}),
            "permission": item["permission"],
            "permissionName": _NAMES[item["permission"]],
            "uid": folder["uid"],
            "title": folder["title"],
            "isFolder": True,
            "inherited": False,
        }
        for item in world.permissions[folder["uid"]]
    ]


def set_permissions(world: World, request: Request) -> Json:
    folder = _of(world, request)
    world.permissions[folder["uid"]] = list(request.body["items"])
    return {"message": "Folder permissions updated", "id": folder["id"], "title": folder["title"]}


def teams(world: World, request: Request) -> Json:
    found: list[Any] = [
        {"id": number, "uid": f"team-{number}", "orgId": 1, "name": name, "email": "", "memberCount": 0, "permission": 0}
        for name, number in sorted(world.teams.items())
    ]
    part = page(found, request.query, "perpage")
    return {"totalCount": len(found), "teams": part, "page": int(request.query.get("page", 1)), "perPage": len(part)}


ROUTES = (
    Route("GET", "/api/folders", "folders:read", listed),
    Route("POST", "/api/folders", "folders:create", create),
    Route("GET", "/api/folders/:uid", "folders:read", read),
    Route("PUT", "/api/folders/:uid", "folders:write", update),
    Route("POST", "/api/folders/:uid/move", "folders:write", move),
    Route("DELETE", "/api/folders/:uid", "folders:delete", delete),
    Route("GET", "/api/folders/:uid/counts", "folders:read", counts),
    Route("GET", "/api/folders/:uid/permissions", "folders.permissions:read", permissions),
    Route("POST", "/api/folders/:uid/permissions", "folders.permissions:write", set_permissions),
    Route("GET", "/api/teams/search", "teams:read", teams),
)
