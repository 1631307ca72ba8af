"""Changes of counts go where the roll-ups' own go: into `analytics.fresh`, from where the next fold takes them."""

from __future__ import annotations

from psycopg import sql

from exporters.database.sessions import Connection
from exporters.langfuse.counting import BOUNDS, Changes
from exporters.rollups.model import HISTOGRAM_COLUMNS, SUM_COLUMNS

_COLUMNS = ("n", *SUM_COLUMNS, *HISTOGRAM_COLUMNS[: len(BOUNDS) + 1])
_COMMA = sql.SQL(", ")


def add_changes(connection: Connection, changes: Changes) -> None:
    """Adds all of a page's changes in one statement."""
    rows = [(fact, at, _array(labels), *figures) for fact, at, labels, figures in changes.all()]
    if not rows:
        return
    statement = sql.SQL(
        "INSERT INTO analytics.fresh (fact, at, labels, {figures}) SELECT fact, at, labels::text[], {kept}"
        " FROM unnest(%s::text[], %s::timestamptz[], %s::text[], {types}) AS change (fact, at, labels, {figures})"
    ).format(
        figures=_COMMA.join(map(sql.Identifier, _COLUMNS)),
        kept=_COMMA.join([sql.Identifier("n"), *(sql.SQL("nullif({}, 0)").format(sql.Identifier(c)) for c in _COLUMNS[1:])]),
        types=_COMMA.join([sql.SQL("%s::bigint[]")] * len(_COLUMNS)),
    )
    connection.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _array(labels: tuple[str, ...]) -> str:
    """Labels as the text of an array: arrays of arrays would all have to be equally long."""
    quoted = ('"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"' for label in labels)
    return "{" + ",".join(quoted) + "}"
