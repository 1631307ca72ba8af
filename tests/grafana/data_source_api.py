"""Data sources, whose secrets nobody reads again, and annotations."""

from __future__ import annotations

import copy

from tests.grafana.world import Json, Problem, Request, Route, World, checked_uid

_ABSENT = "Data source not found"
_EMPTY: Json = {
    "access": "proxy",
    "url": "",
    "user": "",
    "database": "",
    "basicAuth": False,
    "basicAuthUser": "",
    "withCredentials": False,
    "isDefault": False,
    "readOnly": False,
}


def _of(world: World, request: Request) -> Json:
    if request.place["uid"] not in world.data_sources:
        raise Problem(404, _ABSENT)
    return world.data_sources[request.place["uid"]]


def _told(world: World, source: Json) -> Json:
    given = {name: True for name, value in world.secrets.get(source["uid"], {}).items() if value}
    return {**copy.deepcopy(source), "typeLogoUrl": "public/img/icn-datasource.svg", "secureJsonFields": given}


def listed(world: World, request: Request) -> list[Json]:
    hidden = ("version", "basicAuthUser", "withCredentials", "secureJsonFields")
    found = [
        {key: value for key, value in _told(world, one).items() if key not in hidden} for one in world.data_sources.values()
    ]
    return sorted(found, key=lambda source: str(source["name"]))


def read(world: World, request: Request) -> Json:
    return _told(world, _of(world, request))


def create(world: World, request: Request) -> Json:
    body = dict(request.body)
    uid = body.get("uid") or f"made{next(world.ids)}"
    checked_uid(uid)
    if any(other["name"] == body["name"] for other in world.data_sources.values()):
        raise Problem(409, "data source with the same name already exists")
    if uid in world.data_sources:
        raise Problem(409, "data source with the same uid already exists")
    source = {**_EMPTY, "id": next(world.ids), "orgId": 1, "version": 1, "uid": uid, "jsonData": {}}
    return {**_stored(world, source, body), "message": "Datasource added"}


def update(world: World, request: Request) -> Json:
    source, body = _of(world, request), dict(request.body)
    if source["readOnly"]:
        raise Problem(403, "Cannot update read-only data source")
    if body.get("version") and body["version"] != source["version"]:
        raise Problem(409, "Datasource has already been updated by someone else. Please reload and try again")
    if any(other["name"] == body["name"] and other["uid"] != source["uid"] for other in world.data_sources.values()):
        raise Problem(409, "Failed to update datasource: data source with the same name already exists")
    body.pop("version", None)
    return {**_stored(world, {**source, "version": source["version"] + 1}, body), "message": "Datasource updated"}


def _stored(world: World, source: Json, body: Json) -> Json:
    """Secrets that are not sent stay; there is one default at most."""
    uid = source["uid"]
    world.secrets.setdefault(uid, {}).update(body.pop("secureJsonData", None) or {})
    known = {key: value for key, value in body.items() if key in {*_EMPTY, "name", "type", "jsonData"} and key != "readOnly"}
    if known.get("isDefault"):
        for other in world.data_sources.values():
            other["isDefault"] = False
    world.data_sources[uid] = {**source, **known}
    told = _told(world, world.data_sources[uid])
    return {"id": told["id"], "name": told["name"], "datasource": told}


def delete(world: World, request: Request) -> Json:
    source = _of(world, request)
    if source["readOnly"]:
        raise Problem(403, "Cannot delete read-only data source")
    del world.data_sources[source["uid"]]
    world.secrets.pop(source["uid"], None)
    return {"message": "Data source deleted", "id": source["id"]}


def annotate(world: World, request: Request) -> Json:
    if not request.body.get("text"):
        raise Problem(400, "Failed to save annotation")
    number = next(world.ids)
    at = request.body.get("time") or int(world.now.timestamp() * 1000)
    world.annotations.append({"id": number, "time": at, "tags": request.body.get("tags", []), "text": request.body["text"]})
    return {"message": "Annotation added", "id": number}


def annotations(world: World, request: Request) -> list[Json]:
    wanted = request.query.get("tags")
    return [one for one in world.annotations if not wanted or wanted in one["tags"]]


ROUTES = (
    Route("GET", "/api/datasources", "datasources:read", listed),
    Route("POST", "/api/datasources", "datasources:create", create),
    Route("GET", "/api/datasources/uid/:uid", "datasources:read", read),
    Route("PUT", "/api/datasources/uid/:uid", "datasources:write", update),
    Route("DELETE", "/api/datasources/uid/:uid", "datasources:delete", delete),
    Route("POST", "/api/annotations", "annotations:create", annotate),
    Route("GET", "/api/annotations", "annotations:read", annotations),
)
