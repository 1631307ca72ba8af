"""Changes of counts go where the roll-ups' own go: into `analytics.fresh`, from where the next fold takes them."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from exporters.database.sessions import Connection
from exporters.langfuse.counting import BOUNDS, FACTS, Changes
from exporters.rollups.model import HISTOGRAM_COLUMNS, SUM_COLUMNS

_SUMS = SUM_COLUMNS[: max(len(fact.sums) for fact in FACTS.values())]
_HISTOGRAM = HISTOGRAM_COLUMNS[: len(BOUNDS) + 1]


def add_changes(connection: Connection, changes: Changes) -> None:
    """Adds all of a page's changes in one statement."""
    rows: list[tuple[Any, ...]] = []
    for (fact, minute, labels), cell in changes.cells():
        missing = (None,) * (len(_SUMS) - len(cell.sums))
        histogram = cell.histogram or (None,) * len(_HISTOGRAM)
        rows.append((fact, minute, _array(labels), cell.n, *cell.sums, *missing, *histogram))
    if not rows:
        return
    figures = ("n", *_SUMS, *_HISTOGRAM)
    statement = sql.SQL(
        "INSERT INTO analytics.fresh (fact, at, labels, {figures})"
        " SELECT fact, at, labels::text[], {figures}"
        " FROM unnest(%s::text[], %s::timestamptz[], %s::text[], {types}) AS change (fact, at, labels, {figures})"
    ).format(
        figures=sql.SQL(", ").join(map(sql.Identifier, figures)),
        types=sql.SQL(", ").join([sql.SQL("%s::bigint[]")] * len(figures)),
    )
    connection.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _array(labels: tuple[str, ...]) -> str:
    """Labels as the text of an array: arrays of arrays would all have to be equally long."""
    quoted = ('"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"' for label in labels)
    return "{" + ",".join(quoted) + "}"
