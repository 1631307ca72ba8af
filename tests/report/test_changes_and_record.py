"""Rows of tables are compared with the period before, a report is recorded, and one of nothing says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import yaml
from click.testing import CliRunner

from provisioning import cli
from provisioning.actions import audit
from provisioning.interpolation import Span
from provisioning.report import record
from provisioning.report.changes import compared, foremost
from provisioning.report.model import UNREAD, Column, Report, Section, Table, number_column, text_column, time_column
from tests.provisioning.conftest import free_port

SPAN = Span(1_800_000_000, 1_800_003_600, 15)


def section(*columns: Column, note: str = "") -> Section:
    return Section("panel-1", "Agents", (Table(columns),), note)


def rows(changed: Table) -> list[tuple[object, ...]]:
    return [tuple(row[:5]) for row in changed.rows]


def test_rows_are_compared_by_what_they_are_about() -> None:
    now = section(text_column("Agent", ["billing", "sales"]), number_column("p95", [3.0, 1.0], "s"))
    then = section(text_column("Agent", ["sales", "billing"]), number_column("p95", [2.0, 1.5], "s"))
    assert rows(compared([now], [then])) == [
        ("Agents", "billing · p95", 1.5, 3.0, 1.5), ("Agents", "sales · p95", 2.0, 1.0, -1.0),
    ]  # fmt: skip


def test_two_texts_tell_rows_apart_where_one_does_not() -> None:
    sides = [
        section(
            text_column("Agent", ["billing", "billing"]), text_column("Environment", ["production", "staging"]),
            number_column("Errors", errors),
        )
        for errors in ([1.0, 2.0], [1.0, 4.0])
    ]  # fmt: skip
    assert [row[1] for row in rows(compared(*[[side] for side in sides]))] == [
        "billing · production · Errors", "billing · staging · Errors",
    ]  # fmt: skip


def test_events_are_not_compared() -> None:
    events = section(time_column("When", [1.0, 2.0]), text_column("Who", ["ada", "bob"]), number_column("Seconds", [1.0, 2.0]))
    twice = section(text_column("Agent", ["billing", "billing"]), number_column("p95", [3.0, 1.0]))
    assert rows(compared([events, twice], [events, twice])) == []


def test_people_read_what_changed_most_of_each_panel() -> None:
    def side(panel: str, *figures: float) -> Section:
        names = [f"agent {number}" for number in range(len(figures))]
        return Section(
            panel, panel, (Table((text_column("Agent", names), number_column("p95", list(figures), "seconds (s)"))),)
        )

    state = [
        Section("s", "State", (Table((text_column("Of", ["all"]), number_column("Is", [value], "", [word]))),))
        for value, word in ((0.0, "well"), (1.0, "badly"))
    ]
    now = [side("a", 1.0, 2.0, 4.0, 1.001), side("b", 5.0), state[1]]
    changed = compared(now, [side("a", 2.0, 2.1, 1.0, 1.0), side("b", 5.0), state[0]])
    assert len(changed.rows) == 6
    assert [(row[0], row[1], row[4]) for row in foremost(changed).texts] == [
        ("a", "agent 0 · p95", "-1 s"), ("a", "agent 2 · p95", "+3 s"), ("State", "all · Is", ""),
    ]  # fmt: skip


def report(note: str) -> Report:
    return Report("overview", "Overview", SPAN, SPAN, {"agent": "All"}, (), (Section("changes", "Changes"), section(note=note)))


def test_nothing_could_be_read() -> None:
    assert report(f"{UNREAD}refused").unread and not report("").unread
    assert not replace(report(f"{UNREAD}refused"), sections=()).unread


def test_a_report_is_recorded_where_there_is_a_login_for_it(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(audit.VARIABLE, raising=False)
    assert record.exported(report(""), "pdf", ()) == []
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA analytics")
        columns = "actor text, action text, target text, before jsonb, after jsonb, rollback text"
        connection.execute(f"CREATE TABLE analytics.audit_log ({columns})".encode())
    monkeypatch.setenv(audit.VARIABLE, database)
    monkeypatch.setenv(audit.ACTOR_VARIABLE, "ada")
    assert record.exported(report(""), "pdf", ("team@example.com",)) == []
    with psycopg.connect(database) as connection:
        [(actor, action, target, before, after, rollback)] = connection.execute("SELECT * FROM analytics.audit_log").fetchall()
    assert (actor, action, target, before, rollback) == ("ada", "report export", "report overview", None, "")
    assert after == {
        "from": "2027-01-15T08:00:00Z", "to": "2027-01-15T09:00:00Z", "format": "pdf", "filters": {"agent": "All"},
        "mailed_to": 1,
    }  # fmt: skip
    monkeypatch.setenv(audit.VARIABLE, f"host=127.0.0.1 port={free_port()} user=ada")
    [said] = record.exported(report(""), "pdf", ())
    assert said.startswith("it was not recorded: ")


def test_a_report_of_nothing_ends_with_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = f"http://127.0.0.1:{free_port()}"
    config, out = tmp_path / "observatory.yaml", tmp_path / "health.json"
    config.write_text(yaml.safe_dump({"sources": {"prometheus": {"url": closed}, "alertmanager": {"url": closed}}}))
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", f"host=127.0.0.1 port={free_port()} user=ada")
    monkeypatch.delenv(audit.VARIABLE, raising=False)
    words = ["report", "--config", str(config), "--tab", "overview", "--panel", "health", "--range", "1h", "--format", "json"]
    done = CliRunner().invoke(cli.main, [*words, "--out", str(out)])
    assert done.exit_code == 3 and "no panel could be read" in done.output, done.output
    assert UNREAD in out.read_text()
