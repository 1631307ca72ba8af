"""`observatory backup` and `restore`: what panels read is the same before and after, and counting goes on."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from psycopg import sql

from contract.analytics import READABLE
from exporters.database.migrations import available, migrate
from exporters.database.sessions import connect
from provisioning.backup import restoring, saving
from provisioning.backup.file import writing
from provisioning.database import installing
from provisioning.findings import InputError
from provisioning.retention.applying import Connection
from tests.business.figures import Figures
from tests.business.installed import Exporter
from tests.retention.conftest import NOW

Observatory = Callable[..., Result]
TOTALS = "SELECT fact, labels, n, s1, h0 FROM analytics.counters ORDER BY 1, 2"


def everything(connection: Connection) -> dict[str, list[str]]:
    """The rows of all that panels read; of the audit log those that no restore adds."""
    found = {}
    for name, readable in READABLE.items():
        rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("analytics", name))).fetchall()
        found[readable.qualified] = sorted(str(row) for row in rows if "schema analytics" not in row)
    return found


def counters(figures: Figures) -> Figures:
    return {key: value for key, value in figures.items() if key[0].endswith(("_total", "_count", "_bucket"))}


@pytest.fixture
def saved(observatory: Observatory, tmp_path: Path) -> Path:
    result = observatory("backup", "saved.zip")
    assert result.exit_code == 0, result.output
    assert "llm_calls: 0 rows" in result.output and "saved.zip: " in result.output
    assert (tmp_path / "saved.zip").stat().st_mode & 0o077 == 0
    return tmp_path / "saved.zip"


def test_panels_read_the_same_after_the_schema_was_lost(counted: Connection, observatory: Observatory, saved: Path) -> None:
    before, totals = everything(counted), counted.execute(TOTALS).fetchall()
    assert sum(len(rows) for rows in before.values()) > 1000 and totals
    counted.execute("DROP SCHEMA analytics CASCADE")
    shown = observatory("restore", "saved.zip", "--dry-run")
    assert shown.exit_code == 0 and "schema analytics is made" in shown.output and "nothing was changed" in shown.output
    assert counted.execute("SELECT to_regnamespace('analytics')").fetchone() == (None,)
    done = observatory("restore", "saved.zip", "--yes")
    assert done.exit_code == 0, done.output
    assert "observatory db rebuild" in done.output and " executions " in done.output
    assert everything(counted) == before and counted.execute(TOTALS).fetchall() == totals
    anew = observatory("db", *done.output.splitlines()[-1].split()[2:])
    assert anew.exit_code == 0, anew.output
    assert counted.execute(TOTALS).fetchall() == totals
    assert counted.execute("SELECT count(*) FROM analytics.sources WHERE rebuild_needed").fetchone() == (0,)
    assert observatory("db", "status").output.count("missing:") == 1, "pseudonyms alone: these tests have no key"


def test_a_running_exporter_goes_on_and_no_counter_falls(
    counted: Connection, observatory: Observatory, saved: Path, copied: str
) -> None:
    exporter = Exporter.of(copied)
    try:
        assert exporter.collect(NOW.timestamp()) == {}
        before = counters(exporter.served(NOW.timestamp()))
        counted.execute(
            "INSERT INTO app.login_events (id, user_id, at, result) SELECT 1000000 + n, 1, now(), 'success'"
            " FROM generate_series(1, 5) AS n"
        )
        assert exporter.collect(NOW.timestamp() + 60) == {}
        published, truth = counters(exporter.served(NOW.timestamp() + 60)), counted.execute(TOTALS).fetchall()
        assert sum(published.values()) > sum(before.values())
        done = observatory("restore", "saved.zip", "--yes", "--replace")
        assert done.exit_code == 0, done.output
        for minute in (2, 3):
            exporter.collect(NOW.timestamp() + 60 * minute)
            found = counters(exporter.served(NOW.timestamp() + 60 * minute))
            assert {series for series, value in published.items() if found.get(series, 0) < value} == set()
    finally:
        exporter.close()
    assert counted.execute(TOTALS).fetchall() == truth


def test_what_is_there_is_replaced_only_when_asked(counted: Connection, observatory: Observatory, saved: Path) -> None:
    counted.execute("INSERT INTO analytics.audit_log (actor, action, target) VALUES ('eve', 'set', 'later')")
    counted.execute("DELETE FROM analytics.alert_events")
    counted.execute("DELETE FROM analytics.audit_log WHERE at < now() - interval '50 days'")
    refused = observatory("restore", "saved.zip", "--yes")
    assert refused.exit_code == 2 and "--replace puts the backup in its place" in refused.output
    shown = observatory("restore", "saved.zip", "--dry-run")
    assert shown.exit_code == 0 and "nothing was changed; without --replace nothing would be" in shown.output
    assert observatory("restore", "saved.zip", "--dry-run", "--replace").output.endswith("nothing was changed\n")
    assert observatory("restore", "saved.zip", "--replace", input="n\n").exit_code == 1
    assert counted.execute("SELECT count(*) FROM analytics.alert_events").fetchone() == (0,)
    done = observatory("restore", "saved.zip", "--replace", "--yes")
    assert done.exit_code == 0, done.output
    assert counted.execute("SELECT count(*) FROM analytics.alert_events").fetchone() == (50,)
    log = counted.execute("SELECT actor, action, count(*) FROM analytics.audit_log GROUP BY 1, 2 ORDER BY 1, 2").fetchall()
    assert log == [("anna", "restore", 1), ("anna", "set", 100), ("eve", "set", 1)], "nothing that people did is forgotten"
    counted.execute("INSERT INTO analytics.audit_log (actor, action, target) VALUES ('eve', 'set', 'next')")


def test_when_views_cannot_be_made_it_is_said_what_makes_them(
    counted: Connection, observatory: Observatory, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise InputError("error: no such role")

    counted.execute("DROP SCHEMA analytics CASCADE")
    monkeypatch.setattr(installing, "carry_out", refuse)
    done = observatory("restore", "saved.zip", "--yes")
    assert done.exit_code == 2 and "error: no such role" in done.output
    assert "views and rights are not: run `observatory db install`" in done.output


def test_a_restore_that_is_ended_changes_nothing(
    counted: Connection, observatory: Observatory, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted.execute("DELETE FROM analytics.alert_events")
    before = everything(counted)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(restoring, "fold", die)
    assert observatory("restore", "saved.zip", "--replace", "--yes").exit_code == 130
    assert everything(counted) == before


def test_an_older_backup_is_brought_to_this_version(counted: Connection, observatory: Observatory, tmp_path: Path) -> None:
    counted.execute("DROP SCHEMA analytics CASCADE")
    older = [file for file in available() if file.number < 12]
    with counted.transaction():
        migrate(counted, older)
    counted.execute("INSERT INTO analytics.capacity_limits VALUES ('all', 5, now())")
    saving.save(counted, tmp_path / "older.zip", print)
    counted.execute("DROP SCHEMA analytics CASCADE")
    done = observatory("restore", "older.zip", "--yes")
    assert done.exit_code == 0, done.output
    assert "done: migration 0012" in done.output and "begin to count executions" in done.output
    assert counted.execute("SELECT rps FROM analytics.capacity_limits").fetchone() == (5.0,)
    refused = observatory("restore", "older.zip", "--yes", "--replace")
    assert refused.exit_code == 2 and "schema analytics here is newer" in refused.output
    newest = available()[-1]
    counted.execute("DELETE FROM analytics.migrations WHERE number = %s", (newest.number,))
    saved = observatory("backup", "now.zip")
    assert saved.exit_code == 2 and "run `observatory db upgrade`" in saved.output


def _changed(saved: Path, **manifest: Any) -> Path:
    """The same backup with another manifest."""
    other = saved.with_name("other.zip")
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(other, "w") as new:
        for entry in old.infolist():
            said = old.read(entry)
            new.writestr(entry, json.dumps({**json.loads(said), **manifest}) if entry.filename == "manifest.json" else said)
    return other


def test_figures_are_saved_to_their_last_digit(counted: Connection, copied: str, tmp_path: Path) -> None:
    """A database may prefer shorter ones."""
    counted.execute("INSERT INTO analytics.forecasts VALUES ('spend', now(), 1 / 3.0, 0, 1, 'naive', now())")
    counted.execute(f"ALTER DATABASE {counted.info.dbname} SET extra_float_digits = -10".encode())
    with connect(copied, "test") as connection:
        told = saving.save(connection, tmp_path / "short.zip", lambda _: None)
    assert told.tables == saving.save(counted, tmp_path / "long.zip", lambda _: None).tables


def test_two_that_are_written_at_once_are_two(counted: Connection, saved: Path) -> None:
    """Of one name: the first to end has it, whole, and the other one says that it is there already."""
    place = saved.with_name("both.zip")
    with pytest.raises(InputError, match="is there already"), writing(place), zipfile.ZipFile(saved) as packed:
        saving.save(counted, place, lambda _: None)
        size = len(packed.read("tables/totals.copy"))
    with zipfile.ZipFile(place) as packed:
        assert packed.testzip() is None and len(packed.read("tables/totals.copy")) == size
    assert [path.name for path in saved.parent.glob("*both*")] == ["both.zip"], "and nothing unfinished"


def test_what_is_no_backup_of_ours_is_refused_in_words(counted: Connection, observatory: Observatory, saved: Path) -> None:
    again = observatory("backup", "saved.zip")
    assert again.exit_code == 2 and "is there already" in again.output

    nowhere = observatory("backup", "nowhere/saved.zip")
    assert nowhere.exit_code == 2 and "there is no folder nowhere; create it" in nowhere.output

    def refusal(file: Path) -> str:
        result = observatory("restore", str(file), "--yes", "--replace")
        assert result.exit_code == 2, result.output
        return result.output

    manifest = json.loads(zipfile.ZipFile(saved).read("manifest.json"))
    newer = [*manifest["migrations"], [9999, "from_the_future", "0"]]
    assert "made by a newer version" in refusal(_changed(saved, migrations=newer))
    first = [[number, name, "0"] if number == 1 else [number, name, digest] for number, name, digest in manifest["migrations"]]
    assert "another 0001_schema.sql" in refusal(_changed(saved, migrations=first))
    assert "has format 2" in refusal(_changed(saved, format=2))
    tables = {**manifest["tables"], "totals": {**manifest["tables"]["totals"], "sha256": "0"}}
    assert "table totals in the backup is not what was written" in refusal(_changed(saved, tables=tables))
    for wrong in (None, {"totals": {**manifest["tables"]["totals"], "rows": "many"}}):
        assert "is no backup: it has no manifest" in refusal(_changed(saved, tables=wrong))
    assert "is no backup: it has no manifest" in refusal(_changed(saved, migrations=[["one", "two", "three"]]))
    saved.with_name("half.zip").write_bytes(saved.read_bytes()[:1000])
    assert "is no backup, or only a part of one" in refusal(saved.with_name("half.zip"))
    assert "is not there" in refusal(saved.with_name("nowhere.zip"))
    os.mkfifo(saved.with_name("pipe"))
    assert "is no file" in refusal(saved.with_name("pipe"))
    locked = bytearray(saved.read_bytes())
    at = locked.rindex(b"PK\x01\x02")  # the manifest's line in the list at the end
    locked[at + 8] |= 1  # says: with a password
    saved.with_name("locked.zip").write_bytes(locked)
    assert "is no backup, or only a part of one" in refusal(saved.with_name("locked.zip"))
    foreign = {**manifest["tables"], "elsewhere": {"columns": ["a"], "rows": 0, "sha256": hashlib.sha256(b"").hexdigest()}}
    with zipfile.ZipFile(_changed(saved, tables=foreign), "a") as packed:
        packed.writestr("tables/elsewhere.copy", b"")
    assert "tables that schema analytics has not: elsewhere" in refusal(saved.with_name("other.zip"))
    counted.execute("ALTER TABLE analytics.budgets ADD COLUMN ours text")
    assert "budgets of schema analytics is not that of the backup" in refusal(saved)
