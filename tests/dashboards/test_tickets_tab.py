"""Support tickets: what the tab holds, and formulas that stand in no other place, on a small database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from alert_rules.tickets import REOPENED
from contract.analytics import shown_columns, shown_name
from contract.relations import RELATIONS, SQL_TYPES, Shown
from contract.settings import Settings, Thresholds
from dashboards.lib.judged import lights
from dashboards.lib.queries import SqlQuery
from dashboards.observatory import TAB as OBSERVATORY
from dashboards.tickets import TAB
from provisioning.interpolation import Span, sql_macros, substitute

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)
CONTENTS = {
    "headline": ["state", "answered_in_time", "resolved_in_time", "reopened", "open_tickets", "balance", "first_response"],
    "traffic": ["opened_and_resolved", "creation_rate"],
    "promises": ["attainment_by_day", "late"],
    "latency": ["response_by_day", "resolution_by_day", "resolution_by"],
    "backlog": ["backlog", "backlog_age", "by_priority", "by_status", "assignment", "by_category"],
    "ahead": ["tickets_ahead", "forecast_trials"],
    "due": ["due_next"],
    "detail": ["attainment", "without_target", "stages", "resolution_table", "twice"],
    "people": ["creators", "assignees"],
    "handoffs": ["outcomes_by_day", "handoff_reasons", "contained", "handoffs_taken"],
}


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@pytest.fixture
def connection(database: str) -> psycopg.Connection[tuple[object, ...]]:
    """Tables called as the views that panels read."""
    connection = psycopg.connect(database, autocommit=True)
    connection.execute("CREATE SCHEMA analytics")
    for name in ("tickets", "ticket_events"):
        columns = ", ".join(
            f"{shown_name(column)} {'text' if column.shown is Shown.USER else SQL_TYPES.get(column.type, column.type)}"
            for column in shown_columns(RELATIONS[name])
        )
        connection.execute(f"CREATE TABLE analytics.{name} ({columns})".encode())
    return connection


def ticket(
    connection: psycopg.Connection[tuple[object, ...]], number: int, *changes: tuple[datetime, str], priority: str = "normal"
) -> None:
    """A ticket and its life: resolved once it is, due a day after its opening."""
    opened, status = changes[0][0], changes[-1][1]
    resolved = changes[-1][0] if status == "resolved" else None
    connection.execute(
        "INSERT INTO analytics.tickets (id, user_key, status, priority, created_at, updated_at, resolved_at, reopened_count,"
        " sla_resolution_due_at) VALUES (%s, 'somebody', %s, %s, %s, %s, %s, 0, %s)",
        (number, status, priority, opened, changes[-1][0], resolved, opened + timedelta(days=1)),
    )
    before = None
    for at, after in changes:
        connection.execute("INSERT INTO analytics.ticket_events VALUES (%s, %s, %s, %s)", (number, at, before, after))
        before = after


def ask(
    connection: psycopg.Connection[tuple[object, ...]], name: str, until: datetime = NOW, **choices: str
) -> list[tuple[object, ...]]:
    """What a panel asks of the two days before `until`."""
    panel = next(panel for panel in TAB.panels(Settings()) if panel.name == name)
    [query] = panel.targets
    assert isinstance(query, SqlQuery)
    filled = substitute(query.sql, lambda variable, _: {"priority": ".*", "by": "'priority'", **choices}.get(variable))
    span = Span(until.timestamp() - 2 * 86400, until.timestamp(), 60)
    return connection.execute(sql_macros(filled, span).encode()).fetchall()


def test_the_table_of_contents() -> None:
    found = {row.name: [panel.name for panel in row.panels] for row in TAB.rows(Settings())}
    assert found == CONTENTS


def test_targets_follow_the_configuration() -> None:
    settings = Settings(thresholds=Thresholds(sla_attainment=0.75, reopen_ratio=0.3))
    limits = {panel.name: panel.limits.steps[0][0] for panel in TAB.panels(settings) if panel.limits.steps}
    assert {limits[name] for name in ("answered_in_time", "resolved_in_time", "attainment", "attainment_by_day")} == {0.75}
    assert limits["reopened"] == 0.3


def test_the_backlog_is_told_backwards_from_the_present(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """A range that ends in the past shows what was open then, not what is open now."""
    ticket(connection, 1, (ago(days=5), "open"), (ago(hours=20), "in_progress"), (ago(hours=2), "resolved"))
    ticket(connection, 2, (ago(hours=30), "open"))
    ticket(connection, 3, (ago(hours=1), "open"))

    def at_the_end(until: datetime) -> dict[object, object]:
        return {status: count for at, status, count in ask(connection, "backlog", until) if at == until}

    assert at_the_end(ago(hours=40)) == {"open": 1, "in progress": 0, "waiting": 0}
    assert at_the_end(ago(hours=10)) == {"open": 1, "in progress": 1, "waiting": 0}
    assert at_the_end(NOW) == {"open": 2, "in progress": 0, "waiting": 0}


def test_without_a_history_there_is_no_backlog(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    ticket(connection, 1, (ago(days=1), "open"))
    connection.execute("DELETE FROM analytics.ticket_events")
    assert ask(connection, "backlog") == []


def test_open_past_due_counts_as_missed_and_what_is_not_due_does_not(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    ticket(connection, 1, (ago(hours=40), "open"), (ago(hours=30), "resolved"))
    ticket(connection, 2, (ago(hours=47), "open"), (ago(hours=3), "resolved"))
    ticket(connection, 3, (ago(hours=46), "open"))
    ticket(connection, 4, (ago(hours=4), "open"))
    assert ask(connection, "resolved_in_time") == [("this range", pytest.approx(1 / 3))]
    connection.execute("UPDATE analytics.tickets SET sla_resolution_due_at = NULL")
    assert ask(connection, "resolved_in_time") == []  # nothing was promised, which is not nothing kept


def test_chosen_priorities_act(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    ticket(connection, 1, (ago(hours=5), "open"), priority="urgent")
    ticket(connection, 2, (ago(hours=5), "open"), priority="low")
    assert ask(connection, "balance", priority="urgent") == [(1, 0, 1)]
    assert ask(connection, "due_next", priority="urgent|low") == []  # nothing was promised
    connection.execute("UPDATE analytics.tickets SET sla_first_response_due_at = created_at + interval '4 hours'")
    assert [row[0] for row in ask(connection, "due_next", priority="urgent|low")] == [1, 2]


def test_a_light_says_when_too_little_happened() -> None:
    panel = lights("state", "Well?", "Judged.", {"Opened again": (REOPENED, "too often")}, Settings())
    [query] = panel.targets
    assert "or vector(1)" in query.text and ">= 10" in query.text and "> bool 0.2" in query.text
    assert "too few: too little happened to judge." in panel.description and "'too few'" in str(panel.overrides)


def test_a_light_of_what_is_not_there_does_not_speak_of_too_little_traffic() -> None:
    [panel] = [panel for panel in OBSERVATORY.panels(Settings()) if panel.name == "state"]
    assert "unknown: what would say it is not there, or not scraped." in panel.description
    words = str(panel.overrides)
    assert words.count("'unknown'") == 7 and "too few" not in words + panel.description
