"""How large the platform's tables and our own are, and which statements of the database are slow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from psycopg import sql

from contract.labels import LABELS
from contract.relations import RELATIONS
from exporters.business.frame import DatabaseCollector
from exporters.database.mapping import Mapping
from exporters.database.sessions import Rows
from exporters.database.sharing import Seat
from exporters.journal import Answer
from exporters.snapshot import Sample, sample

if TYPE_CHECKING:
    from contract.settings import Settings

YIELDS = {
    "table_sizes": ("platform_table_size_bytes", "platform_table_rows"),
    "slow_statements": ("platform_slow_statement_seconds",),
}
"""The metrics that each query gives."""

_SIZES = sql.SQL("""
WITH wanted AS (
    SELECT relation, to_regclass(format('%I.%I', schema, name))::oid AS id
    FROM unnest({relations}::text[], {schemas}::text[], {names}::text[]) AS mapped (relation, schema, name)
    UNION ALL
    SELECT format('%s.%s', relnamespace::regnamespace, relname), oid FROM pg_class
    WHERE relnamespace = to_regnamespace('analytics') AND relkind IN ('r', 'p') AND NOT relispartition
)
SELECT wanted.relation, sum(pg_total_relation_size(part.id))::bigint,
       CASE WHEN bool_and(part.rows >= 0) THEN sum(part.rows)::float8 END
FROM wanted CROSS JOIN LATERAL (
    SELECT oid AS id, reltuples AS rows FROM pg_class WHERE oid = wanted.id AND relkind <> 'p'
    UNION ALL
    SELECT pg_class.oid, reltuples FROM pg_partition_tree(wanted.id) JOIN pg_class ON pg_class.oid = relid
    WHERE isleaf AND relid <> wanted.id
) AS part
WHERE wanted.id IS NOT NULL
GROUP BY wanted.relation ORDER BY wanted.relation
""")
"""Bytes with indexes and TOAST, and the planner's estimate of the rows; NULL before a table was analysed. No table is read."""

_STATEMENTS_VIEW = """
SELECT nspname, relname
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace JOIN pg_roles ON pg_roles.oid = relowner
WHERE relname = 'pg_stat_statements' AND relkind = 'v' AND rolsuper
  AND has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(pg_class.oid, 'SELECT')
"""
"""Where the view is, if it is. One that a superuser has not made could run anybody's functions with our rights."""

_STATEMENTS = """
SELECT queryid::text, mean_exec_time / 1000 FROM {}
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid IS NOT NULL
ORDER BY mean_exec_time DESC, queryid LIMIT {}
"""


class TablesCollector(DatabaseCollector):
    """Looks at the catalogue only, so its cost does not grow with the tables."""

    def __init__(self, settings: Settings, mapping: Mapping, seat: Seat) -> None:
        super().__init__("tables", settings.exporter.intervals.tables, settings, seat, YIELDS, mapping)
        driving = {relation: mapping.driving(relation) for relation in RELATIONS}
        self._tables = {relation: table for relation, table in driving.items() if table is not None}

    def ask_all(self, now: float) -> None:
        self.ask("table_sizes", now, self._sizes)
        self.ask("slow_statements", now, self._slow_statements)

    def _sizes(self) -> Answer:
        schemas, names = zip(*self._tables.values(), strict=True)
        rows = self.seat.rows(_SIZES.format(relations=list(self._tables), schemas=list(schemas), names=list(names)))
        return Answer(tuple(_size_samples(rows)), len(rows))

    def _slow_statements(self) -> Answer:
        """Nothing without pg_stat_statements; the times of our own queries are in `exporter_query_duration_seconds`."""
        found = self.seat.rows(_STATEMENTS_VIEW)
        if not found:
            return Answer((), 0)
        query = sql.SQL(_STATEMENTS).format(sql.Identifier(*found[0]), LABELS["statement"].cap)
        rows = self.seat.rows(query)
        slow = tuple(sample("platform_slow_statement_seconds", statement, value=mean) for statement, mean in rows)
        return Answer(slow, len(rows))


def _size_samples(rows: Rows) -> Iterator[Sample]:
    for table, size, estimate in rows:
        yield sample("platform_table_size_bytes", table, value=size)
        if estimate is not None:
            yield sample("platform_table_rows", table, value=estimate)
