"""A report as JSON, and the schema that it keeps."""

from __future__ import annotations

import json
from typing import Any

from provisioning.report.model import Report, Table, moment

_TEXT: dict[str, Any] = {"type": "string"}
_RANGE = {
    "type": "object",
    "properties": {"from": {"type": "string", "format": "date-time"}, "to": {"type": "string", "format": "date-time"}},
    "required": ["from", "to"],
    "additionalProperties": False,
}
_COLUMN = {
    "type": "object",
    "properties": {"name": _TEXT, "kind": {"enum": ["time", "number", "text"]}, "unit": _TEXT},
    "required": ["name", "kind", "unit"],
    "additionalProperties": False,
}
_TABLE = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "form": {"enum": ["values", "series", "rows", "points"]},
        "columns": {"type": "array", "items": _COLUMN, "minItems": 1},
        "rows": {"type": "array", "items": {"type": "array", "items": {"type": ["string", "number", "null"]}}},
        "texts": {"type": "array", "items": {"type": "array", "items": _TEXT}},
    },
    "required": ["name", "form", "columns", "rows", "texts"],
    "additionalProperties": False,
}
_SECTION = {
    "type": "object",
    "properties": {"key": _TEXT, "title": _TEXT, "note": _TEXT, "tables": {"type": "array", "items": _TABLE}},
    "required": ["key", "title", "note", "tables"],
    "additionalProperties": False,
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Report of a tab",
    "type": "object",
    "properties": {
        "tab": _TEXT,
        "title": _TEXT,
        "range": _RANGE,
        "before": _RANGE,
        "timezone": {"const": "UTC"},
        "variables": {"type": "object", "additionalProperties": _TEXT},
        "remarks": {"type": "array", "items": _TEXT},
        "sections": {"type": "array", "items": _SECTION},
    },
    "required": ["tab", "title", "range", "before", "timezone", "variables", "remarks", "sections"],
    "additionalProperties": False,
}
"""`rows` holds values, `texts` the same cells as the panel writes them."""


def as_json(report: Report) -> str:
    """Pictures are left out."""
    told = {
        "tab": report.tab,
        "title": report.title,
        "range": {"from": moment(report.span.start), "to": moment(report.span.end)},
        "before": {"from": moment(report.before.start), "to": moment(report.before.end)},
        "timezone": "UTC",
        "variables": dict(report.variables),
        "remarks": list(report.remarks),
        "sections": [
            {"key": one.key, "title": one.title, "note": one.note, "tables": [_table(table) for table in one.tables]}
            for one in report.sections
        ],
    }
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _table(table: Table) -> dict[str, Any]:
    columns = [{"name": column.name, "kind": column.kind, "unit": column.unit} for column in table.columns]
    return {"name": table.name, "form": table.form, "columns": columns, "rows": table.rows, "texts": table.texts}
