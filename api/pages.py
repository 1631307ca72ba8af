"""The answers of each address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from api import answers
from api.asking import body_of, query_of, scalars
from api.catalogue.endpoints import ENDPOINTS, Endpoint, Role, named_queries
from api.catalogue.live import LIVE
from api.catalogue.model import Query
from api.catalogue.people import ACTIVE
from api.catalogue.subjects import SUBJECTS
from api.parameters import (
    PAGING,
    RANGE,
    Page,
    Range,
    Values,
    bounded,
    filters_of,
    form_of,
    known,
    page_of,
    range_of,
    uuid_of,
)
from api.problems import Problem, wrong
from api.prometheus import LABELS
from api.service import Asked, Service
from api.tokens import Caller

BODY_BYTES, BODY_SECONDS = 65_536, 10.0
_MOST_PARAMETERS = 200
_OF_ALL = (Role.ADMIN, Role.BUSINESS)
NO_STORE = {"Cache-Control": "no-store"}
Handler = Callable[[Request, Caller], Awaitable[Response]]


def given(request: Request) -> Values:
    """The parameters by name. Raises Problem for more than anybody needs, or what is not UTF-8."""
    try:
        pairs = parse_qsl(
            request.scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_MOST_PARAMETERS,
            errors="strict",
        )
    except UnicodeError:
        raise wrong("the parameters are not UTF-8") from None
    except ValueError:
        raise wrong(f"there are more than {_MOST_PARAMETERS} parameters") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


class Pages:
    """What is answered to whom."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def of_endpoints(self) -> Iterator[tuple[str, Handler]]:
        """The addresses of the catalogue."""
        for endpoint in ENDPOINTS:
            yield endpoint.path, partial(self._endpoint, endpoint)

    async def _endpoint(self, endpoint: Endpoint, request: Request, caller: Caller) -> Response:
        values = given(request)
        ranged = RANGE if endpoint.ranged else ()
        known(values, (*ranged, *endpoint.filters, *PAGING, "part", "format"))
        self._service.allowed(caller, [role for role in Role if endpoint.of(role)], "this address")
        queries = _chosen(values, endpoint.of(caller.role))
        asked = Asked(
            range_of(values, self._service.limits.days) if endpoint.ranged else Range(None, None, 1),
            filters_of(values, endpoint.filters),
            page_of(values),
            {name: uuid_of(request.path_params[name], name) for name in endpoint.needs},
        )
        if form_of(values, request.headers.get("accept", "")) == "csv":
            if any(name in values for name in PAGING):
                raise wrong("a table comes whole; page and page_size are for JSON")
            response = await self._table(caller, queries[0], asked)
            found = bytes(response.body).count(b"\n") > 1  # more than the heading
        else:
            response, parts = await self._parts(request, caller, queries, asked)
            found = b'"rows":[]' not in parts[queries[0].key].body
        if endpoint.needs and not found:
            raise Problem(HTTPStatus.NOT_FOUND, f"there is no {queries[0].needs[0].removesuffix('_id')} of this id")
        return response

    async def _parts(
        self, request: Request, caller: Caller, queries: Sequence[Query], asked: Asked
    ) -> tuple[Response, Mapping[str, answers.Part]]:
        parts, holds = await self._service.parts(caller, queries, asked)
        body, tag = answers.document(parts)
        headers = {
            "ETag": tag,
            "Cache-Control": f"private, max-age={int(holds)}",
            "Vary": "Authorization, Accept",
        }
        if known_already(tag, request.headers.get("if-none-match", "")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers), parts
        return Response(body, media_type="application/json", headers=headers), parts

    async def _table(self, caller: Caller, query: Query, asked: Asked) -> Response:
        body = await self._service.whole_table(caller, query, asked)
        name = f"{query.key.replace('.', '-')}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
        return Response(body, media_type="text/csv; charset=utf-8", headers=headers)

    async def export(self, request: Request, caller: Caller) -> Response:
        """All rows of a named query as a file."""
        values, queries = given(request), named_queries(caller.role)
        key = "".join(values.get("query", ()))
        if key not in queries:
            raise wrong(f"query is one of {', '.join(queries)}")
        query = queries[key]
        known(values, ("query", "format", *RANGE, *query.filters))
        asked = Asked(range_of(values, self._service.limits.days), filters_of(values, tuple(query.filters)))
        if form_of({"format": ["csv"], **values}, "") == "csv":
            return await self._table(caller, query, asked)
        whole = Asked(asked.range_, asked.filters, Page(size=self._service.limits.rows))
        response, _ = await self._parts(request, caller, [query], whole)
        response.headers["Content-Disposition"] = f'attachment; filename="{query.key.replace(".", "-")}.json"'
        return response

    async def query(self, request: Request, caller: Caller) -> Response:
        """A free question about a subject."""
        self._service.allowed(caller, _OF_ALL, "this address")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is JSON; say Content-Type: application/json")
        known(given(request), ())
        body = body_of(await _body(request))
        question, filters = query_of(body)
        values = scalars(body, (*RANGE, *PAGING))
        asked = Asked(range_of(values, self._service.limits.days), filters, page_of(values))
        return (await self._parts(request, caller, [question], asked))[0]

    async def live(self, request: Request, caller: Caller) -> Response:
        """What goes on now."""
        self._service.allowed(caller, _OF_ALL, "this address")
        values = given(request)
        known(values, ("environment",))
        asked = Asked(Range(None, None, 1), filters_of(values, ("environment",)))
        response, _ = await self._parts(request, caller, [LIVE], asked)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def metric(self, request: Request, caller: Caller) -> Response:
        """A recorded series."""
        self._service.allowed(caller, _OF_ALL, "this address")
        name, values = request.path_params["metric_name"], given(request)
        if name not in self._service.metrics:
            raise Problem(HTTPStatus.NOT_FOUND, "this is no recorded series; /api/analytics/catalogue lists them")
        known(values, (*RANGE, *LABELS))
        since, until = bounded(range_of(values, self._service.limits.days), self._service.now(), self._service.limits.days)
        series = await self._service.prometheus.range(name, filters_of(values, LABELS), since, until)
        about = {"metric": name, "words": self._service.metrics[name]}
        span = {"since": answers.instant(since), "until": answers.instant(until)}
        return JSONResponse({**about, **span, "series": series}, headers=NO_STORE)

    async def catalogue(self, request: Request, caller: Caller) -> Response:
        """What the caller can ask."""
        known(given(request), ())
        queries = [
            {
                "query": query.key,
                "words": query.words,
                "columns": [asdict(column) for column in query.columns],
                "filters": sorted(query.filters),
                "refresh_seconds": query.ttl,
            }
            for query in named_queries(caller.role).values()
        ]
        subjects = [
            {
                "subject": subject.name,
                "words": subject.words,
                "by": subject.dimensions,
                "measures": [asdict(column) for column in subject.measures.values()],
            }
            for subject in (SUBJECTS.values() if caller.role in _OF_ALL else ())
        ]
        metrics = self._service.metrics if caller.role in _OF_ALL else {}
        return JSONResponse({"queries": queries, "subjects": subjects, "metrics": metrics}, headers=NO_STORE)

    async def dashboard(self, request: Request, caller: Caller) -> Response:  # noqa: ARG002  the same for everybody
        """Where people see the same as pictures."""
        known(given(request), ())
        return JSONResponse({"url": self._service.dashboards}, headers=NO_STORE)

    async def health(self, request: Request, caller: Caller) -> Response:
        """How this service and its sources are: without the database it is down, without another source degraded."""
        known(given(request), ())
        database, prometheus = await asyncio.gather(self._database(caller), self._service.prometheus.ready())
        status = "down" if database["status"] == "down" else "ok" if prometheus else "degraded"
        found: dict[str, Any] = {
            "status": status,
            "sources": {"database": database, "prometheus": {"status": "ok" if prometheus else "down"}},
        }
        if caller.role is Role.ADMIN:
            found["tokens"] = {"status": "ok" if not self._service.tokens.problem else "the file of tokens cannot be read"}
        return JSONResponse(found, HTTPStatus.OK if status != "down" else HTTPStatus.SERVICE_UNAVAILABLE, headers=NO_STORE)

    async def _database(self, caller: Caller) -> dict[str, Any]:
        asked = Asked(Range(None, None, 1))
        query = ACTIVE if caller.role in _OF_ALL else named_queries(Role.SELF)["own.usage"]
        try:
            parts, _ = await self._service.parts(caller, [query], asked)
        except Problem as problem:
            return {"status": "down", "detail": problem.detail}
        rows = json.loads(b"{" + parts[query.key].body + b"}")["rows"]
        return {"status": "ok", "counted_until": max((row["at"] for row in rows if "at" in row), default=None)}


def _chosen(values: Values, queries: Sequence[Query]) -> Sequence[Query]:
    """The queries, or the one part that is asked for."""
    parts = values.get("part", ())
    if not parts:
        return queries
    found = [query for query in queries if [query.key] == list(parts)]
    if not found:
        raise wrong(f"part is one of {', '.join(query.key for query in queries)}")
    return found


def known_already(tag: str, told: str) -> bool:
    """Whether If-None-Match names a tag, by the comparison of RFC 9110: who compresses on the way may have made it weak."""
    return told.strip() == "*" or tag.removeprefix("W/") in [one.strip().removeprefix("W/") for one in told.split(",")]


async def _body(request: Request) -> bytes:
    """The body, when it is no larger than a question is and comes in time. Raises Problem."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {BODY_BYTES} bytes")
    except ClientDisconnect:
        raise wrong("the body broke off") from None  # said to nobody, and no mistake of ours
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {BODY_SECONDS:g} s") from None
    return body
