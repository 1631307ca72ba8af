"""Langfuse's endpoints as questions: aggregates, rows of model calls, scores, prices.

Version 4 and Cloud serve the newer endpoint of each pair, version 3 the older, a server in between both. Which one answers is
found by asking, and found anew when it changes: an upgrade in place must not need a restart here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from exporters.credentials import LangfuseAccess
from exporters.journal import QueryFailed, SourceDown
from exporters.langfuse.request_budget import GENERAL, METRICS, RequestBudget
from exporters.langfuse.transport import USUAL, NotServed, ServerError, Timeouts, Transport
from exporters.logs import LOG, pairs

ROW_LIMIT = 1000
"""Most rows that Langfuse gives; more are cut off without a word."""

CALL_TYPES = ("GENERATION", "EMBEDDING")
"""Types of observations that are model calls. Agents and chains may repeat the usage of the calls inside them."""

PROBE_AGAIN_SECONDS = 3600.0
"""So long an older endpoint is taken for granted; then the newer one is tried first once more."""

_HEALTH = "/api/public/health"
_PATHS = {
    "metrics": {"v2": "/api/public/v2/metrics", "v1": "/api/public/metrics"},
    "observations": {"v2": "/api/public/v2/observations", "v1": "/api/public/observations"},
    "scores": {"v3": "/api/public/v3/scores", "v2": "/api/public/v2/scores"},
    "models": {"v1": "/api/public/models"},
}
"""Of each question, the newer endpoint first."""

_ESSENTIAL = ("metrics", "observations")
"""What every Langfuse serves. A project's keys may be kept from the rest."""

_FIELDS = "core,basic,time,model,usage,metrics,prompt,trace_context"
"""Groups of fields of a model call. Neither input nor output nor metadata: no text that somebody wrote is ever fetched."""

_CALL_FILTER = json.dumps([{"column": "type", "type": "stringOptions", "operator": "any of", "value": CALL_TYPES}])
_OLD_LIMIT, _SCORE_LIMIT = 100, 100


class Rows(NamedTuple):
    """Rows of an aggregate; `truncated` when there may be more than Langfuse gives."""

    rows: list[dict[str, Any]]
    truncated: bool


class Page(NamedTuple):
    """Rows of a list, and the cursor of the next page: "" when this was the last."""

    rows: list[dict[str, Any]]
    cursor: str


class LangfuseClient:
    """Used by one thread. Every question raises QueryFailed or SourceDown; values are as Langfuse sends them: see `number`."""

    def __init__(
        self,
        access: Callable[[], LangfuseAccess],
        budget: RequestBudget,
        timeouts: Timeouts = USUAL,
        pause: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = Transport(access, budget, timeouts, pause)
        self.budget, self._timer = budget, timer
        self._plane: dict[str, tuple[str, float]] = {}  # of each question: the endpoint that answered, and when it was found
        self._server_version = ""
        self.requests_by_code = self._transport.requests_by_code
        self.without_secrets = self._transport.without_secrets
        self.close = self._transport.close

    def metrics(self, query: dict[str, Any]) -> Rows:
        """Rows of a metrics query."""
        text = json.dumps(query, separators=(",", ":"))
        rows = self._ask("metrics", METRICS, lambda _: {"query": text})["data"]
        return Rows(rows, len(rows) >= ROW_LIMIT)

    @property
    def speaks_v2(self) -> bool:
        """Whether aggregates came from the newer endpoint last."""
        return self._plane.get("metrics", ("", 0.0))[0] == "v2"

    def calls(self, begin: datetime, end: datetime, cursor: str = "") -> Page:
        """One page of the model calls that began in `[begin, end)`, newest first.

        A cursor of one version of the endpoint cannot be read by the other: then the window begins anew, which does no harm.
        """
        window = {"fromStartTime": instant(begin), "toStartTime": instant(end)}

        def parameters(plane: str) -> dict[str, str]:
            place = _place(cursor, plane)
            if plane == "v2":
                wanted = {"fields": _FIELDS, "limit": str(ROW_LIMIT), "filter": _CALL_FILTER}
                return window | wanted | ({"cursor": place} if place else {})
            type_, _, page = (place or f"{CALL_TYPES[0]}/1").partition("/")
            return window | {"type": type_, "page": page, "limit": str(_OLD_LIMIT)}

        document = self._ask("observations", GENERAL, parameters)
        plane = self._plane["observations"][0]
        place = _next_cursor(document) if plane == "v2" else _next_of_type(document, cursor)
        return Page(document["data"], f"{plane}:{place}" if place else "")

    def scores(self, begin: datetime, end: datetime, cursor: str = "") -> Page:
        """One page of the scores given in `[begin, end)`, newest first."""
        window = {"fromTimestamp": instant(begin), "toTimestamp": instant(end), "limit": str(_SCORE_LIMIT)}

        def parameters(plane: str) -> dict[str, str]:
            place = _place(cursor, plane)
            if plane == "v3":
                return window | {"fields": "subject"} | ({"cursor": place} if place else {})
            return window | {"page": place or "1"}

        document = self._ask("scores", GENERAL, parameters)
        plane = self._plane["scores"][0]
        place = _next_cursor(document) if plane == "v3" else _next_page(document)
        return Page(document["data"], f"{plane}:{place}" if place else "")

    def models(self, page: int) -> Page:
        """One page of the price list; the cursor is the number of the next page."""
        document = self._ask("models", GENERAL, lambda _: {"page": str(page), "limit": str(_OLD_LIMIT)})
        return Page(document["data"], _next_page(document))

    def _ask(self, question: str, api: str, parameters: Callable[[str], dict[str, str]]) -> dict[str, Any]:
        """The answer of whichever endpoint the server has for a question."""
        if not self._server_version:
            self._server_version = self._transport.version(GENERAL, _HEALTH)
        paths = _PATHS[question]
        known, found_at = self._plane.get(question, ("", 0.0))
        newest = next(iter(paths))
        fresh = self._timer() - found_at < PROBE_AGAIN_SECONDS
        order = sorted(paths, key=lambda plane: (plane != known or not fresh, plane != newest))
        for plane in order:
            try:
                document = self._transport.ask(api, paths[plane], parameters(plane))
            except NotServed:
                continue
            except ServerError as failure:
                # The first releases of version 3 that have the newer routes fail in them: the table behind is not there.
                if plane == newest and plane != known and self._server_version.startswith("3."):
                    continue
                raise QueryFailed(str(failure)) from None
            if plane != known:
                LOG.info("langfuse answers", extra=pairs(**{question: plane}, server=self._server_version))
            if plane != known or not fresh:
                self._plane[question] = plane, self._timer()
            return document
        served = " and ".join(paths.values())
        nothing = f"no {question} at this address: {served} are not served"
        if question in _ESSENTIAL:
            raise SourceDown(f"{nothing}; is it Langfuse?")
        raise QueryFailed(nothing)


def instant(at: datetime) -> str:
    """A time as Langfuse reads it, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _place(cursor: str, plane: str) -> str:
    """What a cursor says to this version of an endpoint: nothing when the other version gave it."""
    version, _, place = cursor.partition(":")
    return place if version == plane else ""


def _meta(document: dict[str, Any]) -> dict[str, Any]:
    meta = document.get("meta")
    return meta if isinstance(meta, dict) else {}


def _next_cursor(document: dict[str, Any]) -> str:
    cursor = _meta(document).get("cursor")
    return cursor if isinstance(cursor, str) and document["data"] else ""


def _next_page(document: dict[str, Any]) -> str:
    """The number of the next page. Raises QueryFailed when the answer does not say which page it is."""
    meta = _meta(document)
    try:
        page, last = int(meta["page"]), int(meta["totalPages"])
    except (KeyError, TypeError, ValueError):
        raise QueryFailed("a list without the number of its pages in an answer") from None
    return str(page + 1) if page < last and document["data"] else ""


def _next_of_type(document: dict[str, Any], cursor: str) -> str:
    """The older endpoint lists one type at a time: the next page of this one, else the first of the next."""
    type_ = _place(cursor, "v1").partition("/")[0] or CALL_TYPES[0]
    if page := _next_page(document):
        return f"{type_}/{page}"
    further = CALL_TYPES[CALL_TYPES.index(type_) + 1 :] if type_ in CALL_TYPES else ()
    return f"{further[0]}/1" if further else ""


def number(row: dict[str, Any], key: str) -> float | None:
    """A figure of a row; None where Langfuse has no data. Old servers send numbers as strings.

    Raises QueryFailed when the row has no such figure.
    """
    value = row.get(key, "nothing")
    if value is None:
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise QueryFailed(f"{key} is {value!r} in an answer, not a number") from None
