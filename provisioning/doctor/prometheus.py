"""Prometheus' HTTP interface, as far as the doctor needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import requests

from provisioning.deadline import within
from provisioning.findings import Unreachable
from provisioning.interpolation import Span

TIMEOUT = (3.0, 20.0)
"""Seconds to connect, and between two pieces of an answer."""
QUERY_TIMEOUT = "15s"
"""When Prometheus itself gives up: before we do, so that a slow query is told from a lost server."""


Answer = TypeVar("Answer")


class QueryError(Exception):
    """The server understood the question and refused it. The text is the server's."""


class Prometheus:
    """Asks one server. Raises Unreachable when it does not answer, QueryError when it says no."""

    def __init__(self, url: str, connections: int = 8) -> None:
        self.url = url
        self._lost = False
        self._session = requests.Session()
        self._session.mount("http", requests.adapters.HTTPAdapter(pool_maxsize=connections))
        self._existing: dict[tuple[str, float, float], bool] = {}

    def ready(self) -> str:
        """The version of a server that is ready."""
        return self._get("/api/v1/status/buildinfo", {}, lambda data: str(data.get("version", "")))

    def instant(self, expression: str, at: float) -> list[dict[str, Any]]:
        return self._get("/api/v1/query", {"query": expression, "time": at, "timeout": QUERY_TIMEOUT}, _series)

    def range(self, expression: str, span: Span) -> list[dict[str, Any]]:
        """A query over a range; start and end are put on multiples of the step, as Grafana does."""
        asked = {
            "query": expression,
            "start": int(span.start) // span.step * span.step,
            "end": int(span.end) // span.step * span.step,
            "step": span.step,
            "timeout": QUERY_TIMEOUT,
        }
        return self._get("/api/v1/query_range", asked, _series)

    def label_values(self, label: str, selector: str, span: Span) -> list[str]:
        """Values of a label on the series of a selector (all series when it is empty) that exist in the range."""
        asked: dict[str, Any] = {"start": span.start, "end": span.end}
        if selector:
            asked["match[]"] = selector
        return self._get(f"/api/v1/label/{label}/values", asked, lambda values: list(map(str, values)))

    def exists(self, selector: str, span: Span) -> bool:
        """Whether any series of a selector exists in the range. Many queries read the same: asked once."""
        asked = (selector, span.start, span.end)
        if asked not in self._existing:
            self._existing[asked] = bool(self.label_values("__name__", selector, span))
        return self._existing[asked]

    @cached_property
    def loaded_rules(self) -> Mapping[str, str]:
        """The series that recording rules make here: nothing when the rule works, else what is wrong with it."""
        found: dict[str, str] = {}
        for rule in self._rules("recording"):
            fault = f"cannot be evaluated: {rule['lastError']}" if rule.get("lastError") else ""
            found[rule["name"]] = found.get(rule["name"], fault) and fault
        return found

    @cached_property
    def loaded_alerts(self) -> frozenset[str]:
        """Names of the alerts that are evaluated here."""
        return frozenset(rule["name"] for rule in self._rules("alerting"))

    def _rules(self, kind: str) -> list[dict[str, Any]]:
        def of_kind(data: Any) -> list[dict[str, Any]]:
            return [rule for group in data["groups"] for rule in group["rules"] if rule["type"] == kind]

        return self._get("/api/v1/rules", {}, of_kind)

    def _get(self, path: str, asked: dict[str, Any], read: Callable[[Any], Answer]) -> Answer:
        """What `read` finds in the data of an answer; other programs give data, too, and it is other data."""
        if self._lost:  # hundreds of queries would wait as long, one after the other
            raise Unreachable("Prometheus does not answer in time")
        try:
            data = within("Prometheus", lambda: self._answer(path, asked))
        except Unreachable as problem:
            self._lost = "in time" in str(problem)
            raise
        try:
            return read(data)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unreachable("something answers, but it is not Prometheus") from None

    def _answer(self, path: str, asked: dict[str, Any]) -> Any:
        try:
            response = self._session.get(f"{self.url}{path}", params=asked, timeout=TIMEOUT)
        except requests.Timeout:
            raise Unreachable("Prometheus does not answer in time") from None
        except requests.RequestException:
            raise Unreachable("Prometheus cannot be reached; is it running, is the address right?") from None
        try:
            body = response.json()
        except ValueError:
            raise Unreachable(f"something answers {response.status_code}, but it is not Prometheus") from None
        if not isinstance(body, dict) or body.get("status") not in ("success", "error"):
            raise Unreachable("something answers, but it is not Prometheus")
        if body["status"] == "error":
            raise QueryError(str(body.get("error", "no reason given")))
        return body.get("data")


def _series(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Series with at least one figure; a scalar counts as one series."""
    if data["resultType"] in ("scalar", "string"):
        return [{"metric": {}, "value": data["result"]}]
    return [series for series in data["result"] if any(value != "NaN" for _, value in _points(series))]


def _points(series: dict[str, Any]) -> list[Any]:
    return list(series.get("values", [])) or [series["value"]]
