"""`observatory db status`, `upgrade`: what they say and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from database_steps import Connection

Observatory = Callable[..., Result]


def test_status_without_an_installation_says_how_to_make_one(platform: Connection, observatory: Observatory) -> None:
    for command in (["status"], ["upgrade"]):
        result = observatory(*command)
        assert result.exit_code == 2, result.output
        assert "run `observatory db install`" in result.output


def test_status_of_a_fresh_installation(installed: Connection, observatory: Observatory) -> None:
    result = observatory("status")
    assert result.exit_code == 1, result.output
    assert "missing: pseudonyms of 2 users" in result.output
    assert "executions      snapshot" in result.output
    installed.execute("INSERT INTO analytics.user_keys VALUES ('1', 'a'), ('2', 'b')")
    result = observatory("status", "--format", "json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert answer["ok"] is True and answer["missing"] == []
    assert answer["sources"]["tickets"]["mode"] == "snapshot"
    assert answer["sources"]["tickets"]["rebuild_needed"] is False
    assert answer["sizes"]["totals"][0] > 0


def test_status_says_what_is_missing_and_what_to_do(installed: Connection, observatory: Observatory) -> None:
    installed.execute("INSERT INTO analytics.user_keys VALUES ('1', 'a'), ('2', 'b')")
    installed.execute("DROP INDEX app.observatory_messages_created_at")
    installed.execute(
        "UPDATE analytics.sources SET rebuild_needed = true, problem = 'it was truncated' WHERE source = 'tickets'"
    )
    result = observatory("status")
    assert result.exit_code == 1
    assert "missing: index on app.messages (created_at): run `observatory db install`" in result.output
    assert "missing: tickets: it was truncated; run `observatory db rebuild tickets`" in result.output


def test_upgrade_applies_what_is_new(installed: Connection, observatory: Observatory) -> None:
    installed.execute("DELETE FROM analytics.migrations WHERE name = 'quantiles'")
    installed.execute("ALTER FUNCTION analytics.quantile RENAME TO former")
    result = observatory("status")
    assert result.exit_code == 2 and "observatory db upgrade" in result.output
    result = observatory("upgrade")
    assert result.exit_code == 0, result.output
    assert "migration 0006_quantiles.sql" in result.output
    assert installed.execute("SELECT count(*) FROM analytics.latency_hourly").fetchone() == (0,)


def test_the_connection_string_may_stand_in_a_file(
    platform: Connection, database: str, observatory: Observatory, tmp_path: Path
) -> None:
    (tmp_path / "dsn").write_text(database + "\n")
    result = observatory("map", "--check", "--dsn-file", "dsn", env={"OBSERVATORY_POSTGRES_ADMIN_DSN": "nonsense"})
    assert result.exit_code == 0, result.output
    result = observatory("map", "--check", "--dsn-file", "nowhere")
    assert result.exit_code == 2
    assert "nowhere: No such file" in result.output


def test_every_command_explains_itself(observatory: Observatory) -> None:
    result = observatory("--help")
    assert result.exit_code == 0
    for command in ("install", "status", "upgrade", "uninstall", "map", "rebuild"):
        assert command in result.output
        told = observatory(command, "--help")
        assert told.exit_code == 0 and "Usage: observatory db " + command in told.output
    assert observatory("instal").exit_code == 2


def test_a_role_that_is_not_ours_gets_no_login(platform: Connection, observatory: Observatory, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("database: {logins: {postgres: password}}\n")
    result = observatory("install", "--config", "site.yaml")
    assert result.exit_code == 2
    assert "'postgres' is no role of ours" in result.output


def test_a_source_is_counted_anew_on_command(installed: Connection, observatory: Observatory) -> None:
    restored = "UPDATE analytics.sources SET rebuild_needed = true, problem = 'it was restored' WHERE source = 'tickets'"
    installed.execute(restored)
    result = observatory("rebuild", "tickets", "messages")
    assert result.exit_code == 0, result.output
    assert "tickets: counted anew, 2 rows" in result.output and "messages: counted anew, 3 rows" in result.output
    row = installed.execute("SELECT rebuild_needed, problem FROM analytics.sources WHERE source = 'tickets'").fetchone()
    assert row == (False, None)
    assert installed.execute("SELECT sum(n) FROM analytics.counters WHERE fact = 'tickets_created'").fetchone() == (2,)
    again = observatory("rebuild", "tickets")
    assert again.exit_code == 0, again.output
    assert installed.execute("SELECT sum(n) FROM analytics.counters WHERE fact = 'tickets_created'").fetchone() == (2,)


def test_only_what_is_counted_can_be_counted_anew(installed: Connection, observatory: Observatory, tmp_path: Path) -> None:
    result = observatory("rebuild", "ticket")
    assert result.exit_code == 2 and "did you mean tickets?" in result.output
    (tmp_path / "site.yaml").write_text("database: {relations: {chunks: {absent: true}}}\n")
    result = observatory("rebuild", "chunks", "--config", "site.yaml")
    assert result.exit_code == 2 and "this platform has no chunks" in result.output
    assert observatory("rebuild").exit_code == 2
