"""The views over the roll-ups say what the tables say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from database_steps import Connection, install, settings_of

from contract.settings import Settings
from exporters.database.mapping import Mapping
from exporters.rollups import advance, backfill, fold
from exporters.rollups.forms import forms


def counted(connection: Connection) -> Connection:
    """Everything installed, and all rows counted: old ones by the backfill, new ones by a step."""
    install(connection, settings_of())
    count(connection)
    return connection


def count(connection: Connection) -> None:
    @contextmanager
    def transaction() -> Iterator[Connection]:
        with connection.transaction():
            yield connection

    known = forms(connection, Mapping.of(Settings()))
    connection.execute("SET timezone = 'UTC'")
    backfill.run(transaction, known)
    for form in known.values():
        with transaction():
            advance.advance(connection, form)


def one(connection: Connection, query: str) -> dict[str, Any]:
    cursor = connection.execute(query.encode())
    (row,) = cursor.fetchall()
    return dict(zip((column.name for column in cursor.description or ()), row, strict=True))


def test_tickets_by_day(platform: Connection) -> None:
    counted(platform)
    row = one(platform, "SELECT * FROM analytics.ticket_daily WHERE priority = 'high'")
    assert row["day"].isoformat() == "2026-11-20T00:00:00+00:00"
    expected = {
        "created": 1,
        "responded": 1,
        "resolved": 1,
        "resolution_met": 1,
        "resolution_breached": 0,
        "resolution_seconds": 3600.0,
    }
    assert {name: row[name] for name in expected} == expected
    assert 1800 < row["p50"] <= 3600


def test_latency_by_hour_follows_what_changes(platform: Connection) -> None:
    """A correction of a final row moves it; a new row is added, before and after the fold."""
    counted(platform)
    query = "SELECT hour, n, failed FROM analytics.latency_hourly WHERE agent = 'helper' ORDER BY hour"
    assert [(hour.hour, n, failed) for hour, n, failed in platform.execute(query)] == [(8, 1, 0), (9, 1, 1)]
    platform.execute("UPDATE app.agent_executions SET end_time = '2026-11-20 10:00+00' WHERE status = 'failure'")
    platform.execute(
        "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, duration_ms,"
        " status, tool_count, retry_count, api_calls_count, environment) VALUES (gen_random_uuid(), 1, 'helper', 'v2',"
        " '2026-11-20 08:30+00', '2026-11-20 08:30:01+00', 1000, 'success', 0, 0, 0, 'production')"
    )
    count(platform)
    expected = [(8, 2, 0), (10, 1, 1)]
    assert [(hour.hour, n, failed) for hour, n, failed in platform.execute(query) if n] == expected
    with platform.transaction():
        fold.fold(platform)
    assert [(hour.hour, n, failed) for hour, n, failed in platform.execute(query) if n] == expected


EQUAL = {
    "usage_analytics_daily": (
        "SELECT conversations_started, conversations_ended, goals_achieved, messages, answers, executions,"
        " executions_failed, tokens FROM analytics.usage_analytics_daily WHERE environment = 'production'",
        "SELECT (SELECT count(*) FROM app.conversations), (SELECT count(*) FROM app.conversations WHERE ended_at IS NOT NULL),"
        " (SELECT count(*) FROM app.conversations WHERE goal_achieved), (SELECT count(*) FROM app.messages),"
        " (SELECT count(*) FROM app.messages WHERE role = 'assistant'), count(*),"
        " count(*) FILTER (WHERE status = 'failure'), sum(tokens_used) FROM app.agent_executions",
    ),
    "session_hourly": (
        "SELECT sum(started), sum(ended), sum(queries), sum(tokens) FROM analytics.session_hourly",
        "SELECT count(*), count(*), sum(total_queries), sum(total_tokens_used) FROM app.session_metrics",
    ),
    "feedback_daily": (
        "SELECT sum(positive), sum(stars), sum(ratings), sum(promoters) FROM analytics.feedback_daily",
        "SELECT count(*) FILTER (WHERE thumbs > 0), sum(rating), count(rating), count(*) FILTER (WHERE nps >= 9)"
        " FROM app.feedback",
    ),
    "document_daily": (
        "SELECT file_type, uploaded, bytes, done, failed FROM analytics.document_daily",
        "SELECT file_type, count(*), sum(size_bytes), count(*), 0 FROM app.documents GROUP BY 1",
    ),
    "intent_daily": (
        "SELECT intent, conversations, achieved, missed FROM analytics.intent_daily",
        "SELECT intent, count(*), count(*), 0 FROM app.conversations WHERE ended_at IS NOT NULL GROUP BY 1",
    ),
    "user_activity_metrics": (
        "SELECT sum(users_created), sum(messages) FROM analytics.user_activity_metrics",
        "SELECT (SELECT count(*) FROM app.users), (SELECT count(*) FROM app.messages WHERE role = 'user')",
    ),
    "trace_metrics_hourly": (
        "SELECT sum(executions), sum(failed), sum(retries), sum(tool_calls) FROM analytics.trace_metrics_hourly",
        "SELECT count(*), count(*) FILTER (WHERE status = 'failure'), sum(retry_count), sum(tool_count)"
        " FROM app.agent_executions",
    ),
    "user_weekly": (
        "SELECT week, user_key, at >= week AND at < week + 7 FROM analytics.user_weekly ORDER BY 1, 2",
        "SELECT DISTINCT date_trunc('week', m.created_at)::date, k.user_key, true FROM app.messages m"
        " JOIN analytics.user_keys k ON k.user_id = m.user_id::text WHERE m.role = 'user' ORDER BY 1, 2",
    ),
    "retention_weekly": (
        "SELECT cohort, week, cohort_size, users FROM analytics.retention_weekly",
        "SELECT date_trunc('week', u.created_at)::date, date_trunc('week', m.created_at)::date, 2, count(DISTINCT u.id)"
        " FROM app.users u JOIN app.messages m ON m.user_id = u.id WHERE m.role = 'user' GROUP BY 1, 2",
    ),
}


def test_views_equal_plain_sql(platform: Connection) -> None:
    counted(platform)
    for name, (view, plain) in EQUAL.items():
        assert platform.execute(view.encode()).fetchall() == platform.execute(plain.encode()).fetchall(), name


def test_retention_of_a_week_that_is_not_over_is_unknown(platform: Connection) -> None:
    platform.execute("UPDATE app.messages SET created_at = now() WHERE id = 102")
    counted(platform)
    rows = platform.execute("SELECT week, retention FROM analytics.retention_weekly ORDER BY week").fetchall()
    assert [retention for _, retention in rows if retention is None] == [None]


QUANTILES: list[tuple[float, list[int], float | None]] = [
    (0.5, [0, 10, 0, 0], 1.5),
    (0.5, [5, 5, 0, 0], 1.0),
    (1.0, [5, 5, 0, 0], 2.0),
    (0.0, [0, 4, 0, 0], 1.0),
    (0.99, [1, 1, 1, 97], 4.0),
    (0.5, [0, 0, 0, 0], None),
    (1.5, [1, 1, 1, 1], None),
]
"""Of bounds 1, 2, 4; by hand: the rank's bucket, and straight within it. Beyond the last bound: that bound."""


def test_quantiles_of_histograms(installed: Connection) -> None:
    for share, counts, expected in QUANTILES:
        row = installed.execute("SELECT analytics.quantile(%s, %s::bigint[], '{1,2,4}')", (share, counts)).fetchone()
        assert row == (expected,), (share, counts)


def test_a_question_about_a_day_reads_that_day(platform: Connection) -> None:
    """The condition on the time reaches the tier through the view: the plan filters buckets before it adds them up."""
    counted(platform)
    plan = "\n".join(
        line
        for (line,) in platform.execute(
            "EXPLAIN SELECT sum(created) FROM analytics.ticket_daily"
            " WHERE day >= now() - interval '7 days' AND priority = 'high'"
        )
    )
    scans = [part for part in plan.split("->") if "rollup_day" in part]
    assert scans and all("bucket" in scan for scan in scans), plan
