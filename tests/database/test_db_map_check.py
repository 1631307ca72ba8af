"""`observatory db map --check` against a live catalogue."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from database_steps import Connection, settings_of

from contract.data_plane import Mapped
from exporters.database.mapping import Mapping
from exporters.database.mapping_check import problems
from provisioning.database.consequences import consequences, metrics_without


def found(connection: Connection, **relations: Any) -> list[tuple[str, str, str, str]]:
    mapping = Mapping.of(settings_of(relations={name: Mapped(**said) for name, said in relations.items()}))
    return [(one.relation, one.column, one.message, one.remedy) for one in problems(connection, mapping)]


def test_the_contracts_own_tables_fit(platform: Connection) -> None:
    assert found(platform) == []


def test_a_table_that_is_not_there(platform: Connection) -> None:
    platform.execute("DROP TABLE app.chunks")
    ((relation, column, message, remedy),) = found(platform)
    assert (relation, column) == ("chunks", "")
    assert message.startswith("there is no table app.chunks")
    assert "absent: true" in remedy


@pytest.mark.parametrize(
    ("change", "column", "message", "remedy"),
    [
        (
            "ALTER TABLE app.tickets RENAME priority TO urgency",
            "priority",
            "app.tickets has no column 'priority'",
            "type text, or a constant in quotes",
        ),
        (
            "ALTER TABLE app.tickets ALTER created_at TYPE timestamp",
            "created_at",
            "created_at is timestamp without time zone, which does not say in which time zone",
            "created_at AT TIME ZONE 'UTC'",
        ),
        (
            "ALTER TABLE app.tickets ALTER reopened_count TYPE text",
            "reopened_count",
            "reopened_count is text, which is no integer",
            "SQL expression that makes integer",
        ),
        (
            "CREATE TYPE app.state AS ENUM ('resolved', 'open');"
            "ALTER TABLE app.tickets ALTER status TYPE app.state USING status::app.state",
            "status",
            "status is app.state, where text is wanted",
            "{status: status::text}",
        ),
        (
            "ALTER TABLE app.tickets ALTER user_id TYPE text",
            "user_id",
            "is text, but users.id, which it stands for, is bigint",
            "{user_id: user_id::bigint}",
        ),
    ],
)
def test_a_column_that_does_not_fit(platform: Connection, change: str, column: str, message: str, remedy: str) -> None:
    platform.execute(change.encode())
    ((relation, at, said, advice),) = found(platform)
    assert (relation, at, said) == ("tickets", column, message)
    assert remedy in advice


def test_the_remedies_work(platform: Connection) -> None:
    platform.execute("ALTER TABLE app.tickets ALTER created_at TYPE timestamp; ALTER TABLE app.tickets ALTER user_id TYPE text")
    columns = {"created_at": "created_at AT TIME ZONE 'UTC'", "user_id": "user_id::bigint"}
    assert found(platform, tickets={"columns": columns}) == []


@pytest.mark.parametrize(
    ("relation", "said", "message"),
    [
        ("chunks", {"query": "SELECT * FROM app.nowhere"}, 'relation "app.nowhere" does not exist'),
        ("chunks", {"columns": {"token_count": "length(no_column)"}}, 'column "no_column" does not exist'),
        ("users", {"columns": {"created_at": "'soon'"}}, "invalid input syntax for type timestamp with time zone"),
    ],
)
def test_what_the_database_refuses(platform: Connection, relation: str, said: dict[str, Any], message: str) -> None:
    (problem,) = found(platform, **{relation: said})
    assert problem[0] == relation and message in problem[2]


def test_the_command_says_what_is_without_data(
    platform: Connection, observatory: Callable[..., Result], tmp_path: Path
) -> None:
    config = {"database": {"relations": {name: {"absent": True} for name in ("feedback", "handoffs", "kb_searches")}}}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(config))
    result = observatory("map", "--check", "--config", "site.yaml")
    assert result.exit_code == 0, result.output
    assert "absent: kb_searches, feedback, handoffs" in result.output
    assert "platform_nps_answers_total" in result.output
    assert re.search("^  Feedback & quality: .*; Newest comments; ", result.output, re.MULTILINE), "panels by dashboard"
    platform.execute("DROP TABLE app.session_metrics; ALTER TABLE app.tickets DROP priority")
    result = observatory("map", "--check", "--config", "site.yaml", "--format", "json")
    assert result.exit_code == 1
    answer = json.loads(result.output)
    assert answer["ok"] is False
    assert [(problem["relation"], problem["column"]) for problem in answer["problems"]] == [
        ("tickets", "priority"),
        ("session_metrics", ""),
    ]
    assert {"platform_sessions_active", "platform_tickets"} <= {*answer["metrics"]}
    assert "TicketsReopened" in answer["alerts"]


def test_panels_and_alerts_behind_recorded_series_are_found() -> None:
    """Whatever reads a metric of conversations, directly or through recording rules."""
    without = consequences(["conversations"], settings_of())
    assert "platform_conversations_ended_total" in without.metrics
    assert any("conversation" in panel.lower() or "success" in panel.lower() for panel in without.panels), without.panels


def test_every_counted_metric_hangs_on_some_relation() -> None:
    assert metrics_without([]) == []
    assert metrics_without(["tickets"]) == sorted(metrics_without(["tickets"])) != []


def test_an_unreachable_database_ends_with_3_and_no_password(
    observatory: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVATORY_POSTGRES_ADMIN_DSN", "postgresql://me:geheimnis@127.0.0.1:1/nowhere")
    result = observatory("map", "--check")
    assert result.exit_code == 3
    assert "geheimnis" not in result.output and "cannot connect" in result.output
    monkeypatch.delenv("OBSERVATORY_POSTGRES_ADMIN_DSN")
    result = observatory("map", "--check")
    assert result.exit_code == 2
    assert "--dsn-file" in result.output
