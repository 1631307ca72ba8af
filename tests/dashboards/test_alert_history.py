"""The history of alerts on a small database: messages of one episode are one, and what still fires has no end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from contract.settings import Settings
from dashboards.alerts.history import FREQUENT, latest_told
from provisioning.interpolation import Span, sql_macros, substitute

NOW = datetime.now(UTC)
"""One table looks thirty days back from the database's own clock, whatever range is chosen."""


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("CREATE SCHEMA analytics")
        connection.execute(
            "CREATE TABLE analytics.alert_events (fingerprint text, starts_at timestamptz, status text,"
            " received_at timestamptz, ends_at timestamptz, alertname text, severity text, environment text, agent text,"
            " labels jsonb)"
        )
        yield connection


def told(
    connection: psycopg.Connection[dict[str, Any]],
    name: str,
    began: datetime,
    *messages: tuple[datetime, datetime | None],
    severity: str = "warning",
    environment: str = "production",
    **labels: str,
) -> None:
    """An episode and the messages about it: when each came, and which end it gave."""
    shown = Jsonb({"alertname": name, "severity": severity, "environment": environment} | labels)
    for received, ended in messages:
        state = "resolved" if ended else "firing"
        connection.execute(
            "INSERT INTO analytics.alert_events VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '', %s)",
            (f"{name} {environment}", began, state, received, ended, name, severity, environment, shown),
        )


def asked(connection: psycopg.Connection[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    filled = substitute(text, lambda name, _form: "production" if name == "environment" else None)
    span = Span(ago(days=1).timestamp(), NOW.timestamp(), 60)
    return connection.execute(sql_macros(filled, span).encode()).fetchall()


def test_how_often_how_long_and_how_brief(connection: psycopg.Connection[dict[str, Any]]) -> None:
    first, second, third = ago(days=20), ago(days=3), ago(hours=2)
    ends = [first + timedelta(minutes=2), second + timedelta(minutes=10)]
    told(connection, "Often", first, (first, None), (ends[0], ends[0]))
    told(connection, "Often", second, (second, None), (second + timedelta(minutes=5), None), (ends[1], ends[1]))
    told(connection, "Often", third, (third, None))
    told(connection, "Page", ago(days=1), (ago(days=1), None), (ago(hours=23), ago(hours=23)), severity="critical")
    told(connection, "Often", ago(days=40), (ago(days=40), ago(days=40)))
    told(connection, "Elsewhere", ago(days=1), (ago(days=1), None), environment="staging")
    told(connection, "Watchdog", ago(days=1), (ago(days=1), None), environment="")
    often, page = asked(connection, FREQUENT)
    assert (often["alertname"], often["severity"], often["week"], often["month"]) == ("Often", "2", 2, 3)
    assert (often["mean_seconds"], often["brief"], often["last"]) == (360, 0.5, third)
    fires = (datetime.now(UTC) - third).total_seconds()
    assert 720 + 7200 <= float(often["total_seconds"]) <= 720 + fires + 1
    assert (page["alertname"], page["severity"], page["month"], page["mean_seconds"]) == ("Page", "1", 1, 3600)


def test_the_latest_first_and_what_has_no_environment_too(connection: psycopg.Connection[dict[str, Any]]) -> None:
    told(connection, "Ended", ago(hours=3), (ago(hours=3), None), (ago(hours=2), ago(hours=2)))
    told(connection, "Fires", ago(hours=1), (ago(hours=1), None), severity="info", environment="")
    told(connection, "Before", ago(days=2), (ago(days=2), None))
    told(connection, "Elsewhere", ago(hours=1), (ago(hours=1), None), environment="staging")
    rows = asked(connection, latest_told(Settings()))
    assert [(row["alertname"], row["severity"], row["time"], row["seconds"]) for row in rows] == [
        ("Fires", "3", ago(hours=1), None),
        ("Ended", "2", ago(hours=3), 3600),
    ]
    told(connection, "Page", ago(hours=1), (ago(minutes=1), None), scope="it's", concern="cost")
    commands = {row["alertname"]: row["command"] for row in asked(connection, latest_told(Settings()))}
    assert commands.pop("Ended") is None
    words, why = {name: shlex.split(said)[3:] for name, said in commands.items()}, ["--for", "2h", "--reason", "known"]
    page = ["Page", "--where", "environment=production", "--where", "scope=it's", *why]
    assert words == {"Page": page, "Fires": ["Fires", *why]}, "the one that fires, and none of another scope"
