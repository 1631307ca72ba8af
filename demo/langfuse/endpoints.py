"""What the server answers, and to whom: the table of its endpoints, and the short answers themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter

from demo.langfuse import batches, metrics, observations, otlp, scores, traces
from demo.langfuse.errors import ApiError, NotFound, deprecation
from demo.langfuse.faults import Fault
from demo.langfuse.lists import Page, read_parameters
from demo.langfuse.question import read_question
from demo.langfuse.rate_limits import Bucket
from demo.langfuse.rows import Rows
from demo.langfuse.standin import PROJECT, Ask, Price, StandIn
from demo.langfuse.times import MINUTE, to_iso

Handler = Callable[[StandIn, Ask], dict[str, Any]]


class Endpoint(NamedTuple):
    """`access`: secret (the key pair), public (the public key is enough), open (nobody is asked).

    An endpoint with a `replacement` belongs to version 3: it is gone on a server that has events only. `bucket` is the rate
    limit of Langfuse Cloud that a request counts against.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    access: Literal["secret", "public", "open"] = "secret"
    bucket: Bucket | None = "general"
    replacement: str = ""
    status: int = 200


def gone(endpoint: Endpoint, cloud: bool) -> ApiError:
    """What an endpoint of version 3 answers on a server that has events only; Langfuse Cloud adds where to go."""
    what = "This endpoint is not available on deployments running in Langfuse v4 events_only mode."
    body: dict[str, Any] = {"message": f"{what} Learn more about Langfuse v4 at: https://langfuse.com/docs/v4"}
    if cloud:
        body["_deprecation"] = deprecation(endpoint.replacement)
    return ApiError(404, body)


def _health(standin: StandIn, ask: Ask) -> dict[str, Any]:
    body = {"status": "OK", "version": standin.mode.version}
    if ask.one("failIfNoRecentEvents") == "true":
        newest = standin.store.select("SELECT max(started) FROM observations WHERE ready <= :now", {"now": standin.readable})
        if (newest[0][0] or 0) < standin.readable - 3 * MINUTE:
            raise ApiError(503, body | {"status": "No traces or observations within the last 3 minutes"})
    return body


def _projects(_: StandIn, __: Ask) -> dict[str, Any]:
    return {"data": [PROJECT]}


def _models(standin: StandIn, ask: Ask) -> dict[str, Any]:
    page = read_parameters(Page, ask)
    shown = standin.prices[page.offset : page.offset + page.limit]
    return {"data": [_model(price) for price in shown], "meta": page.meta(len(standin.prices))}


def _model(price: Price) -> dict[str, Any]:
    tier = {"id": f"{price.model}-standard", "name": "Standard", "isDefault": True, "priority": 0, "conditions": []}
    return {
        "id": price.model,
        "modelName": price.model,
        "matchPattern": f"(?i)^({re.escape(price.model)})$",
        "startDate": None,
        "unit": "TOKENS",
        **{f"{kind}Price": price.usd.get(kind) for kind in ("input", "output", "total")},
        "tokenizerId": None,
        "tokenizerConfig": None,
        "isLangfuseManaged": False,
        "createdAt": to_iso(0),
        "prices": {kind: {"price": usd} for kind, usd in price.usd.items()},
        "pricingTiers": [tier | {"prices": dict(price.usd)}],
    }


def _metrics(version: int) -> Handler:
    def answer(standin: StandIn, ask: Ask) -> dict[str, Any]:
        question = read_question(ask.one("query"), version)
        if version == 2 and not standin.mode.events:
            what = "The metrics v2 API is only available in a Langfuse v4 write mode."
            raise NotFound(f"{what} Learn more at: https://langfuse.com/docs/v4")
        rows = metrics.answer(standin.store, question, version, standin.readable, standin.numbers_as_strings)
        return {"data": rows}

    return answer


_ROWS: TypeAdapter[Rows] = TypeAdapter(Rows)


def _take_rows(standin: StandIn, ask: Ask) -> dict[str, Any]:
    rows = _ROWS.validate_python(ask.body)
    standin.store.insert(*rows)
    return {"observations": len(rows.observations), "scores": len(rows.scores), "traces": len(rows.traces)}


def _take_fault(standin: StandIn, ask: Ask) -> dict[str, Any]:
    if ask.body == {"kind": "none"}:
        standin.faults.clear()
    else:
        standin.faults.add(Fault.model_validate(ask.body))
    return {}


_METRICS, _OBSERVATIONS, _SCORES = "/api/public/v2/metrics", "/api/public/v2/observations", "/api/public/v3/scores"


def _of_version_3(path: str, handler: Handler, replacement: str) -> Endpoint:
    return Endpoint("GET", f"/api/public/{path}", handler, replacement=f"GET {replacement}")


ENDPOINTS = (
    Endpoint("GET", "/api/public/health", _health, "open", None),
    Endpoint("GET", "/api/public/ready", _health, "open", None),
    Endpoint("GET", "/api/public/projects", _projects, bucket=None),
    Endpoint("GET", "/api/public/models", _models),
    Endpoint("GET", _METRICS, _metrics(2), bucket="metrics"),
    Endpoint("GET", _OBSERVATIONS, observations.list_by_cursor),
    Endpoint("GET", _SCORES, scores.list_by_cursor),
    Endpoint("POST", "/api/public/scores", scores.create, "public"),
    Endpoint("POST", "/api/public/otel/v1/traces", otlp.take, bucket="ingestion"),
    Endpoint("POST", "/api/public/ingestion", batches.take, bucket="ingestion", status=207),
    _of_version_3("metrics", _metrics(1), _METRICS),
    _of_version_3("observations", observations.list_by_page, _OBSERVATIONS),
    _of_version_3("observations/{id}", observations.one, _OBSERVATIONS),
    _of_version_3("v2/scores", scores.list_by_page, _SCORES),
    _of_version_3("traces", traces.list_traces, _OBSERVATIONS),
    _of_version_3("traces/{id}", traces.one_trace, _OBSERVATIONS),
    _of_version_3("sessions", traces.list_sessions, _OBSERVATIONS),
    _of_version_3("sessions/{id:path}", traces.one_session, _OBSERVATIONS),
    # The stand-in's own side doors, for the synthetic platform and for tests.
    Endpoint("POST", "/standin/rows", _take_rows, "open", None),
    Endpoint("POST", "/standin/fault", _take_fault, "open", None),
)
