"""Answers as bytes: JSON with the columns beside the rows, or CSV; with what says whether they have changed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from api.catalogue.model import Query
from api.database import Rows
from api.parameters import Page

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Part:
    """The answer to one query: its JSON without the braces around it, and the digest of what it holds."""

    body: bytes
    digest: str
    size: int


def instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """A value as JSON has it. What is no number there is null."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def part(query: Query, rows: Rows, page: Page, since: datetime, until: datetime, acted: Iterable[str]) -> Part:
    """The rows of a page, of which there is one more when there is a next page."""
    shown, names = rows[: page.size], [column.name for column in query.columns]
    held = {
        "columns": [asdict(column) for column in query.columns],
        "rows": [dict(zip(names, map(plain, row), strict=True)) for row in shown],
        "page": page.number,
        "more": len(rows) > page.size,
        "filters": sorted(acted),
    }
    about = {"since": instant(since), "until": instant(until)} if query.ranged else {"as_of": instant(until)}
    content = _dumped(held)
    body = _dumped(about)[1:-1] + b"," + content[1:-1]
    return Part(body, hashlib.sha256(content).hexdigest(), len(body))


def document(parts: Mapping[str, Part]) -> tuple[bytes, str]:
    """The whole answer, and its entity tag: a weak one, of what it holds and not of when it was asked."""
    listed = b",".join(_dumped(key) + b":{" + part.body + b"}" for key, part in parts.items())
    tag = hashlib.sha256(" ".join(f"{key} {part.digest}" for key, part in parts.items()).encode()).hexdigest()[:32]
    return b'{"parts":{' + listed + b"}}", f'W/"{tag}"'


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: a text that would begin one has an apostrophe before it."""
    value = plain(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def table(query: Query, rows: Rows) -> bytes:
    """CSV as RFC 4180 has it, in UTF-8, with a heading; nothing stands for null."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow([column.name for column in query.columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue().encode()
