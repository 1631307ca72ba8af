"""What a process adds to the counting: zeros at the start, old rows, replicas, pseudonyms, states, and history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from contract.metrics import MetricType
from contract.settings import Settings
from exporters.business.collectors import business_collectors
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from exporters.database.user_keys import pseudonym
from exporters.snapshot import Sample
from tests.business import plain
from tests.business.figures import Figures, of
from tests.business.installed import Exporter, install
from tests.business.life import AGENTS, ENVIRONMENTS, Life, insert

NOW = datetime.now(UTC).replace(microsecond=0)
KEY = "a key of the test, long enough"


@pytest.fixture
def exporters(installed_database: str) -> Iterator[list[Exporter]]:
    """Two of them on one database."""
    both = [Exporter.of(installed_database), Exporter.of(installed_database)]
    yield both
    for exporter in both:
        exporter.close()


def add_logins(dsn: str, first: int, count: int) -> None:
    with psycopg.connect(dsn) as connection:
        insert(connection, "login_events", "id user_id at result", [(first + n, 1, NOW, "success") for n in range(count)])


def logins(found: Figures) -> float | None:
    return found.get(("platform_logins_total", "success"))


def counters(exporter: Exporter, now: float) -> dict[tuple[str, ...], object]:
    """All counters and histograms as they stand on the page."""
    found: dict[tuple[str, ...], object] = {}
    for collector in exporter.collectors:
        assert collector.snapshot is not None
        for item in collector.snapshot.samples(now, collector.max_age):
            if item.metric.type is not MetricType.GAUGE and item.metric.name.startswith("platform_"):
                found[item.metric.name, *item.labels] = item.value if isinstance(item, Sample) else (item.buckets, item.sum)
    return found


def test_two_exporters_in_turn_show_the_same_totals(installed_database: str, exporters: list[Exporter]) -> None:
    at = NOW.timestamp()
    first, second = exporters
    Life(installed_database, NOW).write()
    for turn in range(3):
        add_logins(installed_database, 10_000 + 10 * turn, 10)
        assert first.collect(at + turn) == second.collect(at + turn) == {}
        assert counters(first, at + turn) == counters(second, at + turn)
    assert of(first.served(at), "platform_logins_total") == plain.answer(
        installed_database, plain.COUNTERS["platform_logins_total"], NOW
    )


def test_older_totals_are_not_published_until_what_was_published_is_too_old(installed_database: str) -> None:
    at = NOW.timestamp()
    name = conninfo_to_dict(installed_database)["dbname"]
    behind = make_conninfo(installed_database, dbname=f"{name}_behind")
    asked = [installed_database]
    exporter = Exporter.of(lambda: asked[0], exporter={"max_age": "5m"})
    add_logins(installed_database, 0, 5)
    exporter.collect(at)
    exporter.disconnect()
    with psycopg.connect(make_conninfo(installed_database, dbname="postgres"), autocommit=True) as connection:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        connection.execute(copy.format(sql.Identifier(f"{name}_behind"), sql.Identifier(str(name))))
        try:
            add_logins(installed_database, 100, 5)
            exporter.collect(at + 10)
            assert logins(exporter.served(at + 10)) == 10
            exporter.disconnect()
            asked[0] = behind
            exporter.collect(at + 20)
            found = exporter.served(at + 20)
            assert logins(found) == 10, "what was published stays"
            assert found["exporter_query_success", "rollups", "totals"] == 0
            assert found["exporter_source_data_timestamp_seconds", "rollups"] == at + 10, "and shows its age"
            exporter.collect(at + 311)
            assert logins(exporter.served(at + 311)) == 5, "it was restored, then"
            exporter.close()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(f"{name}_behind")))


def test_figures_are_exact_before_and_after_a_fold_by_whomever(installed_database: str, exporters: list[Exporter]) -> None:
    """What was read of the tiers is kept within a minute, and until somebody folds."""
    first, second = exporters
    at = NOW.replace(second=5).timestamp()
    query = plain.WINDOWED["platform_window_nps_answers"]

    def answers(count: int, later: float) -> Figures:
        with psycopg.connect(installed_database) as connection:
            rows = [(count, 10, NOW - timedelta(minutes=7)), (count + 1, 3, NOW - timedelta(days=20, hours=3))]
            insert(connection, "feedback", "id nps created_at", rows)
        first.collect(at + later)
        found = of(first.served(at + later), "platform_window_nps_answers")
        assert found == plain.windowed(installed_database, query, datetime.fromtimestamp(at + later, UTC))
        return found

    assert answers(0, 0)["1h",] == 1
    assert answers(10, 1)["30d",] == 4, "nothing was folded since"
    second.collect(at + 2)
    assert answers(20, 3)["30d",] == 6, "the other one has folded"
    assert answers(30, 70)["1h",] == 4, "a minute later"


def test_everything_expected_starts_at_zero(installed_database: str, exporters: list[Exporter]) -> None:
    with psycopg.connect(installed_database) as connection:
        rows = [(number, name, "chat", "production", True) for number, name in enumerate(AGENTS)]
        insert(connection, "agents", "id name type environment is_active", rows)
        long_ago = NOW - timedelta(days=9)
        insert(
            connection,
            "deployments",
            "id agent_id version environment deployed_at retired_at",
            [(1, 0, "1.0", "production", long_ago, NOW), (2, 0, "1.1", "production", NOW, None)],
        )
    exporter = exporters[0]
    assert exporter.collect(NOW.timestamp()) == {}
    found = exporter.served(NOW.timestamp())
    sizes = {
        "platform_conversations_ended_total": 3 * 2 * 3,  # agents x environments x goals
        "platform_feedback_total": 3 * 2 * 2,
        "platform_execution_errors_total": 3 * 2 * 8,
        "platform_executions_total": 4,  # the version in service x statuses
        "platform_execution_duration_seconds_count": 2,
        "platform_execution_duration_seconds_bucket": 2 * 28,
        "platform_sessions_started_total": 2,
        "platform_ticket_sla_total": 4,
        "platform_tickets_created_total": 4,
        "platform_nps_answers_total": 3,
        "platform_logins_total": 2,
        "platform_kb_searches_total": 2,
        "platform_document_chunks_made_total": 1,
        "platform_tickets": 20,
        "platform_documents": 3,
    }
    assert {name: len(of(found, name)) for name in sizes} == sizes
    zeros = {key for key in found if key[0] in sizes}
    assert {found[key] for key in zeros} == {0.0}
    assert ("platform_executions_total", "billing", "1.1", "production", "timeout") in zeros
    with psycopg.connect(installed_database) as connection:
        columns = (
            "execution_id agent_id agent_name start_time end_time status tool_count retry_count api_calls_count environment"
        )
        row = ("00000000-0000-4000-8000-000000000001", 0, "billing", NOW, NOW, "success", 0, 0, 0, "production")
        insert(connection, "agent_executions", columns, [row])
        tool = ("00000000-0000-4000-8000-000000000002", "search", row[0], NOW, NOW, "success")
        insert(connection, "tool_usage_metrics", "usage_id tool_name execution_id start_time end_time status", [tool])
    exporter.collect(NOW.timestamp() + 15)
    calls = of(exporter.served(NOW.timestamp() + 15), "platform_tool_calls_total")
    assert len(calls) == len(ENVIRONMENTS) * 4, "a tool that was seen once is expected everywhere"
    assert {labels for labels, value in calls.items() if value} == {("search", "production", "success")}


def test_gauges_vanish_and_counters_stay(installed_database: str, exporters: list[Exporter]) -> None:
    exporter, at = exporters[0], NOW.timestamp()
    with psycopg.connect(installed_database) as connection:
        insert(connection, "users", "id created_at role status", [(1, NOW, "guest", "active"), (2, NOW, "staff", "active")])
    exporter.collect(at)
    with psycopg.connect(installed_database) as connection:
        connection.execute("DELETE FROM app.users WHERE role = 'guest'")
    exporter.collect(at + 60)
    found = exporter.served(at + 60)
    assert {labels for labels, value in of(found, "platform_users").items() if value} == {("staff",)}
    assert found["platform_users_created_total", "guest"] == 1


def test_rows_from_before_the_installation_are_counted_little_by_little(platform_database: str, tmp_path: Path) -> None:
    Life(platform_database, NOW).write()
    install(platform_database, tmp_path)
    exporter, at = Exporter.of(platform_database), NOW.timestamp()
    found: Figures = {}
    for turn in range(5):
        assert exporter.collect(at + 15 * turn) == {}
        found = exporter.served(at + 15 * turn)
        if set(of(found, "platform_rollup_backfill_ratio").values()) == {1.0}:
            break
    exporter.close()
    assert set(of(found, "platform_rollup_backfill_ratio").values()) == {1.0}
    for name, query in plain.COUNTERS.items():
        expected = plain.answer(platform_database, query, NOW)
        assert {k: v for k, v in of(found, name).items() if v} == {k: v for k, v in expected.items() if v}


def test_states_of_the_rollups(installed_database: str, exporters: list[Exporter]) -> None:
    exporter, at = exporters[0], NOW.timestamp()
    Life(installed_database, NOW).write()
    exporter.collect(at)
    found = exporter.served(at)
    with psycopg.connect(installed_database) as connection:
        rows = connection.execute("SELECT source, mode, counted, corrected FROM analytics.sources").fetchall()
        shadows = connection.execute("SELECT source, count(*) FROM analytics.shadows GROUP BY 1").fetchall()
    names = {source for source, *_ in rows}
    assert of(found, "platform_rollup_mode") == {(source, mode): 1.0 for source, mode, *_ in rows}
    assert of(found, "platform_rollup_rows_total") == {(source,): counted for source, _, counted, _ in rows}
    assert of(found, "platform_rollup_corrections_total") == {(source,): float(wrong) for source, *_, wrong in rows}
    assert {k: v for k, v in of(found, "platform_rollup_open_rows").items() if v} == {(name,): n for name, n in shadows}
    assert of(found, "platform_rollup_rebuild_needed") == {(name,): 0.0 for name in names}
    assert set(of(found, "platform_rollup_advanced_timestamp_seconds")) == {(name,) for name in names}
    later = at + 3600
    exporter.collect(later)
    advanced = of(exporter.served(later), "platform_rollup_advanced_timestamp_seconds")
    assert min(advanced.values()) >= later, "a source without news is as good as advanced"


def test_the_audit_goes_from_source_to_source_and_finds_what_is_wrong(
    installed_database: str, exporters: list[Exporter]
) -> None:
    exporter, at = exporters[0], NOW.timestamp()
    add_logins(installed_database, 0, 50)
    exporter.collect(at)
    with psycopg.connect(installed_database) as connection:
        connection.execute(
            "UPDATE analytics.rollup_hour AS r SET n = r.n + 3 FROM analytics.totals AS t"
            " WHERE t.series = r.series AND t.fact = 'logins'"
        )
    for minute in range(1, 30):
        assert exporter.collect(at + 60 * minute) == {}
    assert exporter.served(at + 60 * 29)["platform_rollup_drift_rows", "logins"] == 3


def test_active_users_of_the_window_before(installed_database: str, exporters: list[Exporter]) -> None:
    """What is noted every minute is what is shown a window later."""
    exporter, minute = exporters[0], NOW.replace(second=0)
    with psycopg.connect(installed_database) as connection:
        insert(
            connection,
            "messages",
            "id conversation_id user_id role created_at",
            [(n, 1, n % 7, "user", minute - timedelta(minutes=5 + n)) for n in range(30)],
        )
    for seconds in (0, 15):  # nothing is noted before all old rows are counted
        exporter.collect(minute.timestamp() + seconds)
    assert exporter.served(minute.timestamp())["platform_users_active", "24h"] == 7
    day_later = minute.timestamp() + 86400
    exporter.collect(day_later)
    found = exporter.served(day_later)
    assert found["platform_users_active_before", "24h"] == 7
    assert found["platform_users_active", "24h"] == 0


def test_users_get_pseudonyms(installed_database: str) -> None:
    def keys() -> dict[str, str]:
        with psycopg.connect(installed_database) as connection:
            return dict(connection.execute("SELECT user_id, user_key FROM analytics.user_keys").fetchall())

    exporter, at = Exporter.of(installed_database, user_key=KEY), NOW.timestamp()
    with psycopg.connect(installed_database) as connection:
        insert(connection, "users", "id created_at role status", [(n, NOW, "customer", "active") for n in range(20)])
    for turn in range(2):
        exporter.collect(at + turn)
    assert keys() == {str(n): pseudonym(KEY.encode(), str(n)) for n in range(20)}
    with psycopg.connect(installed_database) as connection:
        insert(connection, "users", "id created_at role status", [(77, NOW, "customer", "active")])
    exporter.collect(at + 15)
    assert "77" in keys()
    exporter.close()
    other = Exporter.of(installed_database, user_key="another key, long enough too")
    other.collect(at + 30)
    found = other.served(at + 30)
    other.close()
    assert found["exporter_query_success", "rollups", "user_keys"] == 0
    assert found["exporter_query_success", "rollups", "totals"] == 1


def test_which_collectors_there_are(installed_database: str) -> None:
    settings = Settings()
    mapping = Mapping.of(settings)
    reading, writing = (SharedSession(Session(lambda: installed_database, 1.0), 1.0) for _ in range(2))

    def names(write: SharedSession | None) -> list[str]:
        return [collector.name for collector in business_collectors(settings, mapping, reading, write, lambda: None)]

    assert names(writing) == ["rollups", "postgres", "tables", "audit", "versions"]
    assert names(None) == ["postgres", "tables"]
