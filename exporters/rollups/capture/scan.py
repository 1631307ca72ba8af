"""Capture by comparison: the whole table is read, and every row is held against what it was when it was counted.

It needs nothing from the platform and sees every insert, change and deletion that lasts until a step. It costs as much as the
table is large: for tables that are small, or whose rows nearly all change.
"""

from __future__ import annotations

from exporters.rollups.model import quoted
from exporters.rollups.state import Connection, State
from exporters.rollups.statement import Form, Touched


class ScanCapture:
    """For tables, views and queries of any kind."""

    def first_watermark(self, _connection: Connection, _form: Form) -> None:
        return None

    def news(self, _form: Form, _state: State) -> None:
        return None

    def touched(self, _connection: Connection, form: Form, _state: State) -> Touched:
        return Touched(
            rows=("true",),
            compare=True,
            keys=gone(form),
            remember="true",
            watermark="'null'::jsonb",
        )


def gone(form: Form) -> str:
    """The keys that are remembered and were not found by this step."""
    return (
        f"SELECT s.key FROM analytics.shadows AS s WHERE s.source = {quoted(form.source.name)}"  # noqa: S608 -- our own name
        " AND NOT EXISTS (SELECT FROM looked WHERE looked.key = s.key)"
    )
