"""A platform whose tables and columns have other names, and expressions in place of some: found, counted and shown alike."""

from __future__ import annotations

from database_steps import Connection, install, settings_of

from contract.data_plane import Mapped
from exporters.database.mapping import Mapping
from exporters.rollups import advance
from exporters.rollups.forms import forms

NOT_THERE = (
    "version", "query", "response", "error_message", "error_type", "tools_called", "session_id", "user_id", "conversation_id",
    "correlation_id", "trace_id", "tokens_used", "intent",
)  # fmt: skip
SETTINGS = settings_of(
    relations={
        "agent_executions": Mapped(
            table="public.runs",
            columns={
                "execution_id": "id",
                "agent_id": "bot",
                "agent_name": "lower(bot_name)",
                "start_time": "at",
                "end_time": "at + seconds * interval '1 second'",
                "duration_ms": "seconds * 1000",
                "status": "CASE WHEN ok THEN 'success' WHEN ok IS NULL THEN 'running' ELSE 'failure' END",
                "environment": "'production'",
                "tool_count": "0",
                "retry_count": "0",
                "api_calls_count": "0",
                **dict.fromkeys(NOT_THERE),
            },
        )
    }
)


def platform_with_runs(platform: Connection) -> Connection:
    platform.execute(
        "CREATE TABLE public.runs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), bot bigint, bot_name text, at timestamptz,"
        " seconds int, ok boolean)"
    )
    platform.execute("INSERT INTO public.runs (bot, bot_name, at) VALUES (1, 'Helper', '2026-11-20 08:00+00')")
    return platform


def counted(connection: Connection) -> list[tuple[str, str, int, int]]:
    form = forms(connection, Mapping.of(SETTINGS))["executions"]
    with connection.transaction():
        connection.execute("SET LOCAL timezone = 'UTC'")
        advance.advance(connection, form)
    rows = connection.execute(
        "SELECT labels[1], labels[4], n, s1 FROM analytics.counters WHERE fact = 'executions_ended' ORDER BY 1, 2"
    )
    return rows.fetchall()


def test_expressions_are_counted_by_snapshots(platform: Connection) -> None:
    """A new row, one that ends, a final one that is corrected, and one that is deleted: through triggers over expressions."""
    install(platform_with_runs(platform), SETTINGS)
    row = platform.execute("SELECT mode FROM analytics.sources WHERE source = 'executions'").fetchone()
    assert row == ("snapshot",)
    platform.execute(
        "INSERT INTO public.runs (bot, bot_name, at, seconds, ok) VALUES (1, 'Helper', '2026-11-20 09:00+00', 2, true)"
    )
    assert counted(platform) == [("helper", "success", 1, 2_000_000)]
    platform.execute("UPDATE public.runs SET ok = false, seconds = 3 WHERE ok")
    assert ("helper", "error", 1, 3_000_000) in counted(platform)
    platform.execute("DELETE FROM public.runs WHERE NOT ok")
    counted(platform)
    assert platform.execute("SELECT sum(n) FROM analytics.days WHERE fact = 'executions_ended'").fetchone() == (1,)


def test_the_view_has_the_contracts_columns(platform: Connection) -> None:
    install(platform_with_runs(platform), SETTINGS)
    rows = platform.execute("SELECT agent_name, status, duration_ms, version, environment FROM analytics.agent_executions")
    assert rows.fetchall() == [("helper", "running", None, None, "production")]
