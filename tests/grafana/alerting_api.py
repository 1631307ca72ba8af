"""Groups of alert rules through the API for provisioning, which marks them as not to be changed in the browser."""

from __future__ import annotations

import copy
from typing import Any

from tests.grafana.world import Json, Problem, Request, Route, World, checked_uid

_GROUP = "/api/v1/provisioning/folder/:folder/rule-groups/:group"
_ADDED: Json = {
    "orgID": 1,
    "noDataState": "NoData",
    "execErrState": "Error",
    "for": "0s",
    "keep_firing_for": "0s",
    "isPaused": False,
    "notification_settings": None,
    "record": None,
}
_STATES = {"noDataState": {"Alerting", "NoData", "OK", "KeepLast"}, "execErrState": {"Alerting", "Error", "OK", "KeepLast"}}


def _key(request: Request) -> tuple[str, str]:
    return request.place["folder"], request.place["group"]


def _of(world: World, request: Request) -> Json:
    if _key(request) not in world.rule_groups:
        raise Problem(404, "rule group not found")
    return world.rule_groups[_key(request)]


def read(world: World, request: Request) -> Json:
    return copy.deepcopy(_of(world, request))


def listed(world: World, request: Request) -> list[Json]:
    return [copy.deepcopy(rule) for group in world.rule_groups.values() for rule in group["rules"]]


def put(world: World, request: Request) -> Json:
    """The group becomes what is sent; rules that are not in it are gone."""
    folder, name = _key(request)
    if folder not in world.folders:
        raise Problem(404, "folder does not exist")
    body, held = request.body, world.rule_groups.get((folder, name), {"rules": []})
    if body["interval"] <= 0 or body["interval"] % 10:
        said = f"interval ({body['interval']}s) should be non-zero and divided exactly by scheduler interval: 10s"
        raise Problem(400, f"invalid alert rule: {said}")
    provenance = "" if request.headers.get("X-Disable-Provenance") else "api"
    if any(rule.get("provenance") not in ("", "api", provenance) for rule in held["rules"]):
        was = next(rule["provenance"] for rule in held["rules"] if rule.get("provenance"))
        raise Problem(409, f"cannot change provenance from '{was}' to '{provenance}'")
    rules = [_rule(world, rule, folder, name, provenance) for rule in body["rules"]]
    _check_titles(world, rules, (folder, name))
    world.rule_groups[folder, name] = {"title": name, "folderUid": folder, "interval": body["interval"], "rules": rules}
    return read(world, request)


def _rule(world: World, rule: Json, folder: str, group: str, provenance: str) -> Json:
    checked_uid(rule["uid"])
    if rule["condition"] not in {step["refId"] for step in rule["data"]}:
        raise Problem(400, f"invalid alert rule: condition {rule['condition']} does not exist, must be one of the queries")
    for key, states in _STATES.items():
        if key in rule and rule[key] not in states:
            raise Problem(400, f"invalid alert rule: unknown {key} {rule[key]}")
    if rule.get("provenance") or len(rule["title"]) > 190:
        raise Problem(400, "invalid alert rule")
    kept: Json = {**_ADDED, **copy.deepcopy(rule), "folderUID": folder, "ruleGroup": group}
    kept |= {"id": next(world.ids), "updated": world.time()}
    for step in kept["data"]:
        step.setdefault("queryType", "")
    if provenance:
        kept["provenance"] = provenance
    return kept


def _check_titles(world: World, rules: list[Json], place: tuple[str, str]) -> None:
    """A rule's title is its own within the folder, and its uid within the organisation."""
    others: list[Any] = [rule for key, group in world.rule_groups.items() if key != place for rule in group["rules"]]
    titles = [rule["title"] for rule in (*rules, *others) if rule["folderUID"] == place[0]]
    uids = [rule["uid"] for rule in (*rules, *others)]
    if len(set(titles)) < len(titles) or len(set(uids)) < len(uids):
        raise Problem(
            409, "a conflicting alert rule is found: rule title under the same organisation and folder should be unique"
        )


def delete(world: World, request: Request) -> None:
    _of(world, request)
    del world.rule_groups[_key(request)]


ROUTES = (
    Route("GET", "/api/v1/provisioning/alert-rules", "alert.provisioning:read", listed),
    Route("GET", _GROUP, "alert.provisioning:read", read),
    Route("PUT", _GROUP, "alert.provisioning:write", put),
    Route("DELETE", _GROUP, "alert.provisioning:write", delete),
)
