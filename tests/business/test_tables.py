"""Sizes of tables and slow statements, held against PostgreSQL's own words."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from contract.settings import Settings
from exporters.business.tables import TablesCollector
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from tests.business.figures import Figures, figures, of

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC).timestamp()


def gather(dsn: str, **configuration: object) -> Figures:
    settings = Settings.model_validate(configuration)
    shared = SharedSession(Session(lambda: dsn, 10.0), 1.0)
    collector = TablesCollector(settings, Mapping.of(settings), shared.seat())
    collector.collect(NOW)
    shared.close()
    return figures(collector.snapshot, NOW)


def test_sizes_and_rows_of_tables(platform_database: str) -> None:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute("INSERT INTO app.departments SELECT n, 'd', 't' FROM generate_series(1, 5000) AS n")
        connection.execute("ANALYZE app.departments")
        (size,) = connection.execute("SELECT pg_total_relation_size('app.departments')").fetchone() or (0,)
    found = gather(platform_database)
    assert found["platform_table_size_bytes", "departments"] == size
    assert of(found, "platform_table_rows") == {("departments",): 5000}, "the others were never analysed"
    assert len(of(found, "platform_table_size_bytes")) == 22


def test_a_partitioned_table_is_one_and_ours_are_told_apart(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA analytics; CREATE TABLE analytics.calls (at date, n int) PARTITION BY RANGE (at)")
        for year in (2025, 2026):
            connection.execute(
                f"CREATE TABLE analytics.calls_{year} PARTITION OF analytics.calls "
                f"FOR VALUES FROM ('{year}-01-01') TO ('{year + 1}-01-01')".encode()
            )
            connection.execute(f"INSERT INTO analytics.calls SELECT '{year}-05-05', 1 FROM generate_series(1, 700)".encode())
        connection.execute("ANALYZE")
        (size,) = connection.execute(
            "SELECT pg_total_relation_size('analytics.calls_2025') + pg_total_relation_size('analytics.calls_2026')"
        ).fetchone() or (0,)
    found = gather(database)
    assert of(found, "platform_table_size_bytes") == {("analytics.calls",): size}
    assert of(found, "platform_table_rows") == {("analytics.calls",): 1400}


def test_a_mapped_table_has_the_name_of_the_contract(platform_database: str) -> None:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "Shop"; CREATE TABLE "Shop"."Kunden" (id int)')
        (size,) = connection.execute("""SELECT pg_total_relation_size('"Shop"."Kunden"')""").fetchone() or (0,)
    relations = {"departments": {"table": "Shop.Kunden"}, "handoffs": {"absent": True}}
    found = gather(platform_database, database={"relations": relations})
    assert found["platform_table_size_bytes", "departments"] == size
    assert ("platform_table_size_bytes", "handoffs") not in found


def test_slow_statements_where_the_server_counts_them(platform_database: str) -> None:
    assert of(gather(platform_database), "platform_slow_statement_seconds") == {}
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(
            """CREATE SCHEMA extensions; CREATE VIEW extensions.pg_stat_statements AS
               SELECT oid AS dbid, n AS queryid, n * 10.0::float8 AS mean_exec_time
               FROM pg_database CROSS JOIN generate_series(1, 30) AS n"""
        )
    slow = of(gather(platform_database), "platform_slow_statement_seconds")
    assert slow == {(str(n),): n / 100 for n in range(11, 31)}, "the slowest twenty of this database, in seconds"


def test_a_view_that_somebody_made_up_is_not_read(platform_database: str) -> None:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(
            "CREATE VIEW app.pg_stat_statements AS SELECT 1::oid AS dbid, 1 AS queryid, 1.0 AS mean_exec_time;"
            "CREATE ROLE somebody_with_a_view; ALTER VIEW app.pg_stat_statements OWNER TO somebody_with_a_view"
        )
        try:
            found = gather(platform_database)
        finally:
            connection.execute("DROP OWNED BY somebody_with_a_view; DROP ROLE somebody_with_a_view")
    assert of(found, "platform_slow_statement_seconds") == {}
    assert found["exporter_query_success", "tables", "slow_statements"] == 1
