"""Alerts that Grafana evaluates itself, where Prometheus does not: the same rules, in groups of the folder Administration.

They go through Grafana's API for provisioning, so that they cannot be changed in the browser. Who is told stays Alertmanager's
matter: Grafana's own has no inhibition, and its policies are one tree that belongs to everybody.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import Any

from contract.values import duration_seconds, duration_text
from provisioning.plan.objects import Key, Live, Wanted, digest
from provisioning.plan.target import Moved, Refused
from provisioning.targets.grafana.client import Absent, Client, Stale
from provisioning.targets.grafana.kind import Json, plain

KIND = "alert group"
_PATH = "/api/v1/provisioning"
_TICK = 10
"""Seconds of Grafana's scheduler; an interval is a multiple of them."""
_COMPARED = (
    "uid", "title", "condition", "data", "noDataState", "execErrState", "annotations", "labels", "isPaused",
    "missingSeriesEvalsToResolve", "notification_settings", "record",
)  # fmt: skip
_AT_ONCE = 4
_STEP: Json = {"intervalMs": 1000, "maxDataPoints": 43200}


def wanted(group: Mapping[str, Any], folder: str, source: str, owner: str) -> Wanted:
    """A group of Prometheus' alerting rules as Grafana evaluates it, on the data source with this uid."""
    interval = ceil(duration_seconds(group["interval"]) / _TICK) * _TICK
    rules = [_rule(rule, source, owner) for rule in group["rules"]]
    body = {"title": group["name"], "folderUid": folder, "interval": interval, "rules": rules}
    return Wanted(Key(KIND, group["name"]), group["name"], _document(body), body)


def _rule(rule: Mapping[str, Any], source: str, owner: str) -> Json:
    """Any series that the query returns fires, none is well: as in Prometheus, whatever the value is.

    A query that fails leaves everything as it was, as it does there; that Prometheus is gone is told by what watches it.
    """
    query = {"datasource": {"type": "prometheus", "uid": source}, "expr": rule["expr"], "instant": True, "range": False}
    there = {"type": "math", "expression": "is_number($query) || is_nan($query) || is_inf($query)"}
    fires = {"type": "threshold", "expression": "there", "conditions": [{"evaluator": {"type": "gt", "params": [0]}}]}
    return {
        "uid": digest([owner, rule["alert"]]),
        "title": rule["alert"],
        "condition": "fires",
        "data": [_step("query", source, query, 600), _step("there", "__expr__", there), _step("fires", "__expr__", fires)],
        "noDataState": "OK",
        "execErrState": "KeepLast",
        "missingSeriesEvalsToResolve": 1,
        "for": rule.get("for", "0s"),
        "keep_firing_for": rule.get("keep_firing_for", "0s"),
        "labels": dict(rule.get("labels", {})),
        "annotations": {name: _template(text) for name, text in rule.get("annotations", {}).items()},
        "isPaused": False,
    }


def _step(name: str, source: str, model: Json, seconds: int = 0) -> Json:
    span = {"from": seconds, "to": 0}
    return {"refId": name, "datasourceUid": source, "relativeTimeRange": span, "model": {**model, **_STEP, "refId": name}}


def _template(text: str) -> str:
    """`$value` is a number in Prometheus' templates, and in Grafana's a text about all steps."""
    return re.sub(r"\$value\b", "$values.query.Value", text)


def _document(group: Json) -> Json:
    rules = []
    for rule in group["rules"]:
        kept = {key: rule[key] for key in _COMPARED if rule.get(key)}
        holds = {key: duration_text(seconds) for key in ("for", "keep_firing_for") if (seconds := _seconds(rule.get(key)))}
        rules.append(plain({**kept, **holds}))
    return {"interval": group["interval"], "rules": rules}


def _seconds(text: str | None) -> float:
    return duration_seconds(text) if text and text != "0" else 0.0


class AlertGroups:
    """All groups of the organisation. Those in the folder are ours that we want or wrote; of others only the name is told."""

    def __init__(self, client: Client, owner: str, folder: str) -> None:
        self._client = client
        self._owner = owner
        self._folder = folder

    def live(self, known: Collection[str]) -> Iterator[Live]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from filter(None, pool.map(self.read, sorted(known)))
        groups = {(rule["folderUID"], rule["ruleGroup"]) for rule in self._client.get(f"{_PATH}/alert-rules")}
        for folder, group in sorted(groups):
            if folder != self._folder or group not in known:
                yield Live(Key(KIND, f"{folder}/{group}"), group, {"title": group, "folder": folder})

    def _path(self, group: str) -> str:
        return f"{_PATH}/folder/{self._folder}/rule-groups/{group}"

    def read(self, group: str) -> Live | None:
        try:
            found = self._client.get(self._path(group))
        except Absent:
            return None
        return Live(Key(KIND, group), group, _document(found), self._owner, raw=found)

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        """Grafana has no version of a group: it is read again just before."""
        found = self.read(wanted.key.name)
        before = live.document if live else None
        if (found.document if found else None) not in (before, wanted.document):
            raise Moved(f"{wanted.key} was changed since it was read")
        try:
            self._client.put(self._path(wanted.key.name), wanted.payload)
        except Stale as problem:
            raise Refused(f"{wanted.key}: {problem}") from None
        except Absent:
            raise Moved(f"{wanted.key}: its folder is gone") from None
        written = self.read(wanted.key.name)
        if written is None:
            raise Moved(f"{wanted.key} was removed while it was written")
        return written

    def remove(self, live: Live) -> None:
        found = self.read(live.key.name)
        if found is None:
            return
        if found.document != live.document:
            raise Moved(f"{live.key} was changed since it was read")
        self._client.delete(self._path(live.key.name))

    def mark(self, live: Live, owner: str) -> Live:  # noqa: ARG002
        return live
