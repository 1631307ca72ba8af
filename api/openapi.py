"""The OpenAPI document, made of the catalogue: what is served is what is described."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from api.catalogue.endpoints import ENDPOINTS, Endpoint, Role, named_queries
from api.catalogue.model import Kind, Query
from api.catalogue.subjects import SUBJECTS
from api.parameters import DAYS, MOST_PAGE, MOST_PAGE_SIZE, MOST_VALUE, MOST_VALUES, PAGE_SIZE
from api.prometheus import LABELS
from contract.api import ApiLimits

Json = dict[str, Any]
VERSION = "1.0.0"

_TYPES: dict[Kind, Json] = {
    "time": {"type": ["string", "null"], "format": "date-time"},
    "text": {"type": ["string", "null"]},
    "integer": {"type": ["integer", "null"]},
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
}
_PROBLEMS = {
    "400": "A parameter cannot be used; `detail` says which, and what would be right",
    "401": "No token, or one that is not known",
    "403": "The token's role does not see this",
    "429": "Too many requests; `Retry-After` says when to ask again",
    "503": "A source does not answer at the moment",
    "504": "The question took too long; ask for less",
}


def _parameter(name: str, words: str, schema: Json, where: str = "query") -> Json:
    return {"name": name, "in": where, "description": words, "required": where == "path", "schema": schema}


def _range(most_days: int) -> list[Json]:
    date = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
    return [
        _parameter("start_date", "Begin: an ISO date or time, UTC unless it says otherwise", date),
        _parameter("end_date", "End, the whole day when it is a date; now without it", date),
        _parameter(
            "days", f"Days back from the end, instead of start_date; {DAYS} without either",
            {"type": "integer", "minimum": 1, "maximum": most_days},
        ),
    ]  # fmt: skip


_PAGING = [
    _parameter("page", "Page of each part, from 1", {"type": "integer", "minimum": 1, "maximum": MOST_PAGE}),
    _parameter(
        "page_size", f"Rows of a page; {PAGE_SIZE} without it", {"type": "integer", "minimum": 1, "maximum": MOST_PAGE_SIZE}
    ),
]
_ID = {"type": "string", "format": "uuid"}
_VALUES = {"type": "array", "maxItems": MOST_VALUES, "items": {"type": "string", "maxLength": MOST_VALUE}}


def _filter(name: str) -> Json:
    words = f"Only rows of this {name.replace('_', ' ')}; repeat it for several. It acts on the parts that list it in `filters`"
    return _parameter(name, words, _VALUES) | {"style": "form", "explode": True}


def _table(query: Query) -> Json:
    row = {
        "type": "object",
        "required": [column.name for column in query.columns],
        "properties": {
            column.name: _TYPES[column.kind] | {"description": column.words} | ({"x-unit": column.unit} if column.unit else {})
            for column in query.columns
        },
    }
    return {
        "type": "object",
        "description": query.words,
        "required": ["columns", "rows", "page", "more", "filters"],
        "properties": {
            "since": {"type": "string", "format": "date-time"},
            "until": {"type": "string", "format": "date-time"},
            "as_of": {"type": "string", "format": "date-time"},
            "columns": {"type": "array", "items": {"$ref": "#/components/schemas/Column"}},
            "rows": {"type": "array", "items": row},
            "page": {"type": "integer"},
            "more": {"type": "boolean", "description": "Whether there is a next page"},
            "filters": {"type": "array", "items": {"type": "string"}, "description": "Filters that acted on this part"},
        },
        "x-cache-seconds": query.ttl,
    }


def _problem(words: str) -> Json:
    return {
        "description": words,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _answers(schema: Json, words: str, csv: bool = False, cached: bool = False, more: Iterable[str] = ()) -> Json:
    content: Json = {"application/json": {"schema": schema}}
    if csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    good: Json = {"200": {"description": words, "content": content}}
    if cached:
        good["304"] = {"description": "It is what `If-None-Match` names"}
    codes = [code for code in _PROBLEMS if code != "504" or cached] + sorted(more)
    return good | {code: _problem(_PROBLEMS.get(code, "There is no such thing")) for code in codes}


def _of_endpoint(endpoint: Endpoint, most_days: int) -> Json:
    parts = {query.key: {"$ref": f"#/components/schemas/{query.key}"} for query in endpoint.every}
    schema = {"type": "object", "required": ["parts"], "properties": {"parts": {"type": "object", "properties": parts}}}
    roles = [role for role in Role if endpoint.of(role)]
    shown = [
        f"- `{query.key}`: {query.words}"
        + ("" if query in endpoint.queries else " (own rows)" if query in endpoint.own else " (administrators)")
        for query in endpoint.every
    ]
    names = {"type": "string", "enum": sorted(parts)}
    operation: Json = {
        "summary": endpoint.summary,
        "description": f"For the roles {', '.join(roles)}.\n\n" + "\n".join(shown),
        "operationId": endpoint.path.strip("/").replace("/", "_").replace("{", "").replace("}", "").replace("-", "_"),
        "parameters": [
            *(_parameter(name, f"The {name.replace('_', ' ')}", _ID, "path") for name in endpoint.needs),
            *(_range(most_days) if endpoint.ranged else []),
            *map(_filter, endpoint.filters),
            _parameter("part", "Only this part", names),
            _parameter("format", "csv gives one part as a table", {"type": "string", "enum": ["json", "csv"]}),
            *_PAGING,
        ],
        "responses": _answers(schema, "The parts", csv=True, cached=True, more=("404",) if endpoint.needs else ()),
    }  # fmt: skip
    return {"get": operation}


def _simple(summary: str, schema: Json, *parameters: Json, more: Iterable[str] = ()) -> Json:
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": _answers(schema, summary, more=more)}}


def _query(most_days: int) -> Json:
    names = {"type": "array", "uniqueItems": True, "items": {"type": "string"}}
    body = {
        "type": "object",
        "additionalProperties": False,
        "required": ["subject", "measures"],
        "properties": {
            "subject": {"type": "string", "enum": sorted(SUBJECTS)},
            "measures": names | {"minItems": 1, "maxItems": 20, "description": "As /api/analytics/catalogue lists them"},
            "by": names
            | {"maxItems": 6, "description": "Dimensions: labels of the subject, and one of hour, day, week, month"},
            "where": {"type": "object", "additionalProperties": _VALUES | {"minItems": 1}},
            "order": {
                "type": "array",
                "maxItems": 6,
                "items": {"type": "string"},
                "description": "Columns; -name is descending",
            },
            **{one["name"]: one["schema"] for one in (*_range(most_days), *_PAGING)},
        },
        "example": {
            "subject": "models",
            "measures": ["calls", "cost_usd"],
            "by": ["model"],
            "order": ["-cost_usd"],
            "days": 30,
        },
    }
    return {
        "post": {
            "summary": "Any measures of a subject, by any of its dimensions",
            "description": "For the roles admin, business.",
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": _answers({"type": "object"}, "One part, called `query`", cached=True)
            | {"413": _problem("The body is too large"), "415": _problem("The body is not JSON")},
        }
    }


def _further(limits: ApiLimits, metrics: Mapping[str, str]) -> Json:
    plain: Json = {"type": "object"}
    every = sorted({key for role in Role for key in named_queries(role)})
    query = {"type": "string", "enum": every}
    filters = sorted({name for endpoint in ENDPOINTS for name in endpoint.filters})
    download = _parameter("query", "Which named query", query) | {"required": True}
    form = _parameter("format", "csv unless json is asked for", {"type": "string", "enum": ["csv", "json"]})
    export = _simple("All rows of a named query as a file", plain, download, form, *_range(limits.days), *map(_filter, filters))
    export["get"]["responses"]["200"]["content"]["text/csv"] = {"schema": {"type": "string"}}
    export["get"]["responses"]["504"] = _problem(_PROBLEMS["504"])
    name = _parameter("metric_name", "A recorded series", {"type": "string", "enum": sorted(metrics)}, "path")
    live = _simple(
        "What goes on now; with `Accept: text/event-stream` an event for each change", plain, _filter("environment")
    )  # fmt: skip
    live["get"]["responses"]["200"]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    live["get"]["responses"]["504"] = _problem(_PROBLEMS["504"])
    series = _simple(
        "A recorded series out of Prometheus", plain, name, *_range(limits.days), *map(_filter, LABELS), more=("404",)
    )  # fmt: skip
    return {
        "/api/v1/analytics/metrics/{metric_name}": series,
        "/api/analytics/query": _query(limits.days),
        "/api/analytics/export": export,
        "/api/analytics/live": live,
        "/api/analytics/catalogue": _simple("What can be asked: named queries, subjects, metrics", plain),
        "/api/analytics/dashboard": _simple("Where people see the same as pictures", plain),
        "/api/analytics/health": _simple("How this service and its sources are", plain),
    }


def document(limits: ApiLimits, metrics: Mapping[str, str]) -> Json:
    """The whole document. `metrics` are the recorded series by name, each with its words."""
    queries = {query.key: query for endpoint in ENDPOINTS for query in endpoint.every}
    column = {name: {"type": "string"} for name in ("name", "kind", "unit", "words")}
    problem = {name: {"type": "string"} for name in ("type", "title", "detail")} | {"status": {"type": "integer"}}
    schemas = {
        "Column": {"type": "object", "required": list(column), "properties": column},
        "Problem": {"type": "object", "required": list(problem), "properties": problem},
        **{key: _table(query) for key, query in sorted(queries.items())},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Agent Observatory",
            "version": VERSION,
            "description": "What the dashboards show, for programs: read-only, by the same definitions.",
        },
        "security": [{"token": []}],
        "paths": {
            **{endpoint.path: _of_endpoint(endpoint, limits.days) for endpoint in ENDPOINTS},
            **_further(limits, metrics),
        },
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}, "schemas": schemas},
    }
