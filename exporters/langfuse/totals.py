"""Changes of counts go where the roll-ups' own go: into `analytics.fresh`, from where the next fold takes them."""

from __future__ import annotations

from psycopg import sql

from exporters.database.sessions import Connection
from exporters.langfuse.counting import Changes
from exporters.rollups.model import COUNTED, SEPARATOR

_COMMA = sql.SQL(", ")
_STATEMENT = sql.SQL(
    "INSERT INTO analytics.fresh (fact, at, labels, bucket, {counted}) SELECT fact, at, labels, bucket, {kept}"
    " FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::smallint[], {types})"
    " AS change (fact, at, labels, bucket, {counted})"
).format(
    counted=_COMMA.join(map(sql.Identifier, COUNTED)),
    kept=_COMMA.join([sql.Identifier("n"), *(sql.SQL("nullif({}, 0)").format(sql.Identifier(name)) for name in COUNTED[1:])]),
    types=_COMMA.join([sql.SQL("%s::bigint[]")] * len(COUNTED)),
)


def add_changes(connection: Connection, changes: Changes) -> None:
    """Adds all of a page's changes in one statement."""
    rows = [(fact, at, SEPARATOR.join(labels), bucket, *figures) for fact, at, labels, bucket, figures in changes.all()]
    if rows:
        connection.execute(_STATEMENT, [list(column) for column in zip(*rows, strict=True)])
