"""Where history is: a Prometheus that is asked, and to which nothing is written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import requests

from provisioning.findings import Unreachable
from provisioning.rules.built import Labels, labels_of

_TIMEOUT = (3.0, 120.0)
_QUERY_TIMEOUT = "100s"
_TOO_MUCH = ("too many samples", "timed out", "exceeded maximum resolution")
"""What Prometheus says of a question that a shorter span of time would answer."""


_SHORTEST_PART = 60.0
"""Seconds; nothing shorter is asked in parts."""


class QueryError(Exception):
    """The server understood the question and refused it. The text is the server's."""


class Span(NamedTuple):
    """Evaluations `step` seconds apart, the first at `start`, `points` of them (seconds since the epoch)."""

    start: float
    step: float
    points: int

    @property
    def end(self) -> float:
        return self.start + (self.points - 1) * self.step

    @property
    def times(self) -> list[float]:
        return [self.start + number * self.step for number in range(self.points)]

    def halves(self) -> tuple[Span, Span]:
        first = self.points // 2
        return Span(self.start, self.step, first), Span(self.start + first * self.step, self.step, self.points - first)


def aligned(since: float, until: float, step: float) -> Span | None:
    """The evaluations in (since, until] at whole multiples of `step`; None when there are none."""
    first, last = math.floor(since / step) + 1, math.floor(until / step)
    return Span(first * step, step, last - first + 1) if first <= last else None


Answer = dict[tuple[str, Labels], dict[float, float]]
"""Values by time, by name and labels of their series."""


class History:
    """One server. Every question raises Unreachable when it does not answer, QueryError when it refuses."""

    def __init__(self, url: str, name: str = "Prometheus") -> None:
        self.url, self.name = url, name
        self._session = requests.Session()

    def ready(self) -> None:
        if self._get("/api/v1/query", {"query": "vector(1)"}).get("resultType") != "vector":
            raise self._another(200)

    def range(self, expression: str, span: Span) -> Answer:
        """What the expression gives at every evaluation of a span. It is asked in parts where it is too much at once."""
        asked = {"query": expression, "start": span.start, "end": span.end, "step": span.step, "timeout": _QUERY_TIMEOUT}
        try:
            data = self._get("/api/v1/query_range", asked)
        except QueryError as problem:
            if span.points < 2 or not any(words in str(problem) for words in _TOO_MUCH):
                raise
            found: Answer = {}
            for half in span.halves():
                for key, points in self.range(expression, half).items():
                    found.setdefault(key, {}).update(points)
            return found
        # A time comes back as it was sent, so it is put back on the evaluations: equal times must be equal numbers.
        return {
            key: {span.start + round((at - span.start) / span.step) * span.step: value for at, value in points}
            for key, points in _series(data)
        }

    def instant(self, expression: str, at: float) -> Mapping[str, Any]:
        """The server's answer at one moment, with what it counted meanwhile (`stats`)."""
        found: Mapping[str, Any] = self._get("/api/v1/query", {"query": expression, "time": at, "stats": "all"})
        return found

    def samples(self, selector: str, since: float, until: float) -> Iterator[tuple[str, Labels, list[tuple[float, float]]]]:
        """The samples of series in (since, until], as they were scraped; asked in parts where it is too much at once."""
        window = f"{selector}[{round((until - since) * 1000)}ms]"
        try:
            data = self._get("/api/v1/query", {"query": window, "time": until, "timeout": _QUERY_TIMEOUT})
        except QueryError as problem:
            if until - since < _SHORTEST_PART or not any(words in str(problem) for words in _TOO_MUCH):
                raise
            middle = (since + until) / 2
            yield from self.samples(selector, since, middle)
            yield from self.samples(selector, middle, until)
            return
        for (name, labels), points in _series(data):
            yield name, labels, [(at, value) for at, value in points if at > since]

    def recorded(self) -> list[Mapping[str, Any]]:
        """The recording rules that the server evaluates; none when it does not tell."""
        return [rule for group in self.groups() for rule in group["rules"] if rule.get("type") == "recording"]

    def groups(self) -> list[Mapping[str, Any]]:
        """The rule groups that the server evaluates; none when it does not tell."""
        try:
            return list(self._get("/api/v1/rules", {})["groups"])
        except (QueryError, KeyError, TypeError):
            return []

    def newest(self) -> float:
        """Time of the newest sample that the server holds in memory, in seconds since the epoch; 0 when there is none."""
        held = self._get("/api/v1/status/tsdb", {})["headStats"]
        return float(held["maxTime"]) / 1000 if held["numSeries"] else 0.0

    def _get(self, path: str, asked: Mapping[str, Any]) -> Any:
        try:
            if "query" in asked:  # which may be longer than an address
                response = self._session.post(f"{self.url}{path}", data=asked, timeout=_TIMEOUT)
            else:
                response = self._session.get(f"{self.url}{path}", params=asked, timeout=_TIMEOUT)
        except requests.Timeout:
            raise Unreachable(f"error: {self.name} at {self.url} does not answer in time") from None
        except requests.RequestException:
            raise Unreachable(f"error: {self.name} at {self.url} cannot be reached; is it running, is it right?") from None
        try:
            body = response.json()
        except ValueError:
            body = None
        if isinstance(body, dict) and body.get("status") == "error":
            raise QueryError(str(body.get("error", "no reason given")))
        if not isinstance(body, dict) or body.get("status") != "success" or not isinstance(body.get("data"), dict):
            raise self._another(response.status_code)
        return body["data"]

    def _another(self, status: int) -> Unreachable:
        return Unreachable(f"error: something at {self.url} answers {status}, but it is not {self.name}")


def _series(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, Labels], list[tuple[float, float]]]]:
    if data["resultType"] != "matrix":
        raise QueryError(f"a {data['resultType']} where series were expected")
    for series in data["result"]:
        points = [(float(at), float(value)) for at, value in series["values"]]
        yield (series["metric"].get("__name__", ""), labels_of(series["metric"])), points
