"""Tables of a report as CSV: one file, or one for each table in a ZIP."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence

from provisioning.report.model import Report, Table, Value

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a ZIP: equal figures give equal files."""


def single(tables: Sequence[Table]) -> bytes | None:
    """The one table as CSV. Of a graph it is the points; None where there are several tables."""
    full = [table for table in tables if table.form != "series"] or list(tables)
    return text(full[0]).encode() if len(full) == 1 else None


def zipped(report: Report) -> bytes:
    """Each table under a name that says its place, its panel and its form."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, (section, table) in enumerate(report.tables, 1):
            title = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-")[:60]
            archive.writestr(zipfile.ZipInfo(f"{place:03d}-{title}-{table.form}.csv", _OLDEST), text(table).encode())
    return body.getvalue()


def text(table: Table) -> str:
    """Numbers as numbers, times in ISO 8601; units stand in the headings, or in a column of their own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([harmless(column.heading) for column in table.columns])
    writer.writerows([[harmless(value) for value in row] for row in table.rows])
    return out.getvalue()


def harmless(value: Value) -> Value:
    """A text that a spreadsheet would take for a formula is marked as text by an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
