"""Changes of counts go where the roll-ups' own go: into `analytics.fresh`, from where the next fold takes them."""

from __future__ import annotations

from psycopg import sql

from exporters.database.sessions import Connection
from exporters.langfuse.counting import Changes
from exporters.rollups.changes import SPREAD
from exporters.rollups.model import COUNTED, FIGURES, SEPARATOR

_COMMA = sql.SQL(", ")
_STATEMENT = sql.SQL(
    "INSERT INTO analytics.fresh (fact, at, labels, {figures}) SELECT fact, at, labels, {spread}"
    " FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::smallint[], {types})"
    " AS change (fact, at, labels, bucket, {counted}) GROUP BY fact, at, labels"
).format(
    figures=_COMMA.join(map(sql.Identifier, FIGURES)),
    spread=sql.SQL(SPREAD),
    counted=_COMMA.join(map(sql.Identifier, COUNTED)),
    types=_COMMA.join([sql.SQL("%s::bigint[]")] * len(COUNTED)),
)


def add_changes(connection: Connection, changes: Changes) -> None:
    """Adds all of a page's changes in one statement."""
    rows = [(fact, at, SEPARATOR.join(labels), bucket, *figures) for fact, at, labels, bucket, figures in changes.all()]
    if rows:
        connection.execute(_STATEMENT, [list(column) for column in zip(*rows, strict=True)])
