"""`observatory retention`: what is removed, and that of what is archived nothing is lost and nothing is there twice."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from click.testing import Result

from contract.settings import Settings
from exporters.database.sessions import connect
from provisioning.actions import audit
from provisioning.findings import InputError
from provisioning.retention import applying, archive
from provisioning.retention.applying import Connection, alone, apply
from provisioning.retention.tables import Kept, kept
from tests.business.installed import Exporter
from tests.retention.conftest import CONFIGURATION, NOW

Observatory = Callable[..., Result]
OLD_ALERTS = 18


def table(connection: Connection, name: str, **retention: Any) -> Kept:
    settings = Settings.model_validate({"database": {"retention": {**CONFIGURATION["database"]["retention"], **retention}}})
    return next(found for found in kept(connection, settings) if found.table == name)


def one(connection: Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def archived(folder: Path, name: str) -> list[list[str]]:
    """All rows of the finished files of a table; every manifest says the truth about its file, and nothing is left over."""
    rows: list[list[str]] = []
    pages = sorted((folder / name).glob("*.json"))
    assert len(list((folder / name).iterdir())) == 2 * len(pages), "nothing unfinished"
    for page in pages:
        manifest = json.loads(page.read_text())
        file = folder / name / manifest["file"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == manifest["sha256"]
        assert file.stat().st_mode & 0o077 == 0
        with gzip.open(file, "rt", newline="") as text:
            header, *found = csv.reader(text)
        assert header == list(manifest["columns"]) and len(found) == manifest["rows"]
        rows += found
    return rows


def test_status_tells_every_table(counted: Connection, observatory: Observatory) -> None:
    result = observatory("retention", "status", "--format", "json")
    assert result.exit_code == 0, result.output
    found = {entry["table"]: entry for entry in json.loads(result.output)["tables"]}
    assert found["analytics.alert_events"]["older_rows"] == OLD_ALERTS and found["analytics.alert_events"]["rows"] == 50
    assert found["analytics.alert_events"]["removed_by"] == "the exporter"
    assert found["analytics.audit_log"]["removed_by"] == "retention apply"
    assert 0 < found["analytics.audit_log"]["older_bytes"] < found["analytics.audit_log"]["bytes"]
    assert found["analytics.rollup_hour"]["kept"] == "400d" and found["analytics.rollup_hour"]["rows"] > 0
    everything = {name for (name,) in counted.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'analytics'")}
    told = json.loads(result.output)["kept_for_good"].keys() | {name.removeprefix("analytics.") for name in found}
    assert told == everything
    text = observatory("retention", "status").output
    assert "analytics.rollup_minute" in text and "kept for good" in text and "totals" in text


def test_what_is_too_old_goes_and_nothing_else(counted: Connection, observatory: Observatory) -> None:
    shown = observatory("retention", "apply", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "analytics.audit_log: 70 rows older than 30d" in shown.output and "nothing was removed" in shown.output
    assert one(counted, "SELECT count(*) FROM analytics.audit_log") == 100
    refused = observatory("retention", "apply", input="n\n")
    assert refused.exit_code == 1 and one(counted, "SELECT count(*) FROM analytics.audit_log") == 100
    done = observatory("retention", "apply", "--yes")
    assert done.exit_code == 0, done.output
    assert f"analytics.alert_events: {OLD_ALERTS} rows removed" in done.output
    assert one(counted, "SELECT count(*) FROM analytics.alert_events") == 50 - OLD_ALERTS
    assert one(counted, "SELECT max(now() - received_at) < interval '32 days 1 hour' FROM analytics.alert_events")
    assert one(counted, "SELECT array_agg(ref) FROM analytics.incidents") == ["open"]
    assert one(counted, "SELECT count(*) FROM analytics.audit_log WHERE actor = 'anna' AND action = 'set'") == 30
    recorded = dict(
        counted.execute(
            "SELECT target, sum((before ->> 'rows')::int) FROM analytics.audit_log WHERE action = 'retention apply'"
            " AND actor = 'anna' AND after IS NULL GROUP BY 1"
        ).fetchall()
    )
    assert recorded == {"analytics.alert_events": OLD_ALERTS, "analytics.audit_log": 70, "analytics.incidents": 1}
    assert observatory("retention", "apply", "--yes").output == "nothing is too old\n"


def test_rows_without_a_time_of_this_world_hold_up_nothing(counted: Connection, observatory: Observatory) -> None:
    """Some programs write them where a time is not known."""
    odd = ("-infinity", "infinity", "0044-03-15 BC", "0001-01-01Z", "20000-01-01Z")
    for at in odd:
        counted.execute("INSERT INTO analytics.audit_log (at, actor, action, target) VALUES (%s, 'odd', 'set', 'x')", (at,))
    told = observatory("retention", "status", "--format", "json")
    assert told.exit_code == 0, told.output
    [log] = [found for found in json.loads(told.output)["tables"] if found["table"] == "analytics.audit_log"]
    assert (log["rows"], log["older_rows"]) == (100 + len(odd), 70)
    done = observatory("retention", "apply", "--table", "analytics.audit_log", "--yes")
    assert done.exit_code == 0 and "analytics.audit_log: 70 rows removed" in done.output, done.output
    assert one(counted, "SELECT count(*) FROM analytics.audit_log WHERE actor = 'odd'") == len(odd)


def test_whole_hours_are_those_of_utc_wherever_the_database_is(counted: Connection) -> None:
    """In Kathmandu they begin a quarter of an hour later: what was younger than its retention would go along."""
    counted.execute("SET timezone = 'Asia/Kathmandu'")
    for each in kept(counted, Settings()):
        at = each.before.astimezone(UTC)
        assert each.tier == "minute" or (at.minute, at.second) == (0, 0), each


def test_an_archive_holds_what_was_removed(counted: Connection, tmp_path: Path) -> None:
    before = counted.execute("SELECT * FROM analytics.alert_events").fetchall()
    events = table(counted, "alert_events", archived=["alert_events"])
    done = apply(counted, events, tmp_path / "old", "anna", print, most_rows=5)
    assert (done.rows, done.files) == (OLD_ALERTS, 4)
    rows = archived(tmp_path / "old", events.name)
    assert len(rows) == OLD_ALERTS
    counted.execute("CREATE TEMP TABLE again (LIKE analytics.alert_events)")
    for file in (tmp_path / "old" / events.name).glob("*.csv.gz"):
        with counted.cursor() as cursor, cursor.copy("COPY again FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write(gzip.decompress(file.read_bytes()))
    whole = counted.execute("SELECT * FROM again UNION ALL SELECT * FROM analytics.alert_events").fetchall()
    assert sorted(whole, key=str) == sorted(before, key=str)
    recorded = {row["sha256"] for (row,) in counted.execute("SELECT after FROM analytics.audit_log WHERE after IS NOT NULL")}
    assert recorded == {json.loads(page.read_text())["sha256"] for page in (tmp_path / "old").rglob("*.json")}
    assert apply(counted, events, tmp_path / "old", "anna", print).rows == 0


def test_the_exporter_leaves_what_is_archived(counted: Connection, observatory: Observatory, copied: str) -> None:
    retention = {**CONFIGURATION["database"]["retention"], "archived": ["alert_events"]}
    Path("observatory.yaml").write_text(yaml.safe_dump({"database": {"retention": retention}}))
    exporter = Exporter.of(copied, database={"retention": retention})
    try:
        assert exporter.collect(NOW.timestamp()) == {}
    finally:
        exporter.close()
    assert one(counted, "SELECT count(*) FROM analytics.alert_events") == 50
    assert one(counted, "SELECT count(*) FROM analytics.incidents") == 1, "the rest it removes"
    left = observatory("retention", "apply", "--yes")
    assert left.exit_code == 1 and "18 rows older than 32d stay: they go into an archive first" in left.output
    assert one(counted, "SELECT count(*) FROM analytics.alert_events") == 50
    done = observatory("retention", "apply", "--yes", "--archive", "old", "--table", "analytics.alert_events")
    assert done.exit_code == 0 and "18 rows removed, 1 files in old" in done.output, done.output
    wrong = observatory("retention", "apply", "--yes", "--table", "analytics.alert_event")
    assert wrong.exit_code == 2 and "did you mean analytics.alert_events?" in wrong.output


@pytest.mark.parametrize("moment", ["the rows are still there", "the rows are gone"])
def test_a_run_that_was_ended_is_continued(
    counted: Connection, tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, said = table(counted, "alert_events"), list[str]()

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        if moment == "the rows are gone":
            killed.setattr(archive.Written, "finish", die)
        else:
            killed.setattr(applying, "_record", die)
            killed.setattr(archive.Written, "discard", lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            apply(counted, events, tmp_path, "anna", said.append, most_rows=5)
    [left] = (tmp_path / events.name).glob("*.json.unfinished")
    same = {**json.loads(left.read_text()), "file": "before.csv.gz"}  # rows that came back from it have the same bytes again
    audit.add(counted, "anna", applying.ACTION, events.name, None, archive.Manifest(**same).recorded())
    assert len(list((tmp_path / events.name).glob("*.unfinished"))) == 2
    for half in ("half.csv.gz", "other.csv.gz", "other.json"):  # a run ended while it wrote the first, or the last of these
        (tmp_path / events.name / f"{half}.unfinished").touch()
    apply(counted, events, tmp_path, "anna", said.append, most_rows=5)
    assert len(said) == 1 and "interrupted" in said[0]
    times = [row[3] for row in archived(tmp_path, events.name)]
    assert len(times) == len(set(times)) == OLD_ALERTS
    assert one(counted, "SELECT count(*) FROM analytics.alert_events") == 50 - OLD_ALERTS


def test_what_another_database_has_not_finished_stays(counted: Connection, tmp_path: Path) -> None:
    """Its rows may be removed already: these files are all that is left of them."""
    events = table(counted, "alert_events")
    apply(counted, events, tmp_path / "probe", "anna", print)
    [page] = (tmp_path / "probe" / events.name).glob("*.json")
    folder = tmp_path / "shared" / events.name
    folder.mkdir(parents=True)
    theirs = {
        f"{json.loads(page.read_text())['file']}.unfinished": b"their rows",
        f"{page.name}.unfinished": json.dumps({**json.loads(page.read_text()), "database": "another"}).encode(),
    }
    for name, content in theirs.items():
        (folder / name).write_bytes(content)
    counted.execute(
        "INSERT INTO analytics.alert_events SELECT 'late', at, 'firing', at, at, 'Slow', 'warning', 'production', '', '{}',"
        " '{}' FROM (VALUES (now() - interval '49.5 days'), (now() - interval '32.5 days')) AS late (at)"
    )
    assert apply(counted, events, tmp_path / "shared", "anna", print).rows == 2
    assert {name: (folder / name).read_bytes() for name in theirs} == theirs
    assert {path.name for path in folder.iterdir()} - theirs.keys() == {
        page.name.replace(".json", f"_2{ending}") for ending in (".json", ".csv.gz")
    }


def test_what_another_version_has_not_finished_is_left_to_it(counted: Connection, tmp_path: Path) -> None:
    events = table(counted, "alert_events")
    (tmp_path / events.name).mkdir()
    page = tmp_path / events.name / "later.json.unfinished"
    page.write_text('{"format": 2}')
    with pytest.raises(InputError, match="was written by another version"):
        apply(counted, events, tmp_path, "anna", print)
    assert page.exists()


def test_rows_that_come_late_get_a_file_of_their_own(counted: Connection, tmp_path: Path) -> None:
    events = table(counted, "alert_events")
    apply(counted, events, tmp_path, "anna", print)
    counted.execute(
        "INSERT INTO analytics.alert_events SELECT 'late', at, 'firing', at, at, 'Slow', 'warning', 'production', '', '{}',"
        " '{}' FROM (VALUES (now() - interval '49.5 days'), (now() - interval '32.5 days')) AS late (at)"
    )
    assert apply(counted, events, tmp_path, "anna", print).rows == 2
    assert len(archived(tmp_path, events.name)) == OLD_ALERTS + 2


def test_a_row_that_changes_meanwhile_is_archived_as_it_became(
    counted: Connection, copied: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, written = table(counted, "alert_events"), list[str]()

    def slowly(*given: Any) -> archive.Written:
        made = write(*given)
        if not written:
            with connect(copied, "other") as other:
                other.execute(
                    "UPDATE analytics.alert_events SET agent = 'changed' WHERE received_at < now() - interval '49 days'"
                )
        written.append(made.manifest.file)
        return made

    write = archive.write
    monkeypatch.setattr(archive, "write", slowly)
    assert apply(counted, events, tmp_path, "anna", print).rows == OLD_ALERTS
    assert len(written) == 2 and [row[8] for row in archived(tmp_path, events.name)].count("changed") == 1


def test_what_something_keeps_is_not_said_to_be_removed(counted: Connection, tmp_path: Path) -> None:
    counted.execute("CREATE FUNCTION analytics.keeps() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    counted.execute(
        "CREATE TRIGGER keeps BEFORE DELETE ON analytics.alert_events FOR EACH ROW EXECUTE FUNCTION analytics.keeps()"
    )
    with pytest.raises(InputError, match="0 rows would be removed where 18 are archived"):
        apply(counted, table(counted, "alert_events"), tmp_path, "anna", print)
    assert list(tmp_path.rglob("*.csv.gz*")) == []
    assert one(counted, "SELECT count(*) FROM analytics.audit_log WHERE action = 'retention apply'") == 0


def test_nothing_of_the_platform_goes_unless_it_is_configured(counted: Connection, observatory: Observatory) -> None:
    logins = one(counted, "SELECT count(*) FROM app.login_events")
    assert observatory("retention", "apply", "--yes", "--archive", "old").exit_code == 0
    assert one(counted, "SELECT count(*) FROM app.login_events") == logins
    Path("observatory.yaml").write_text(yaml.safe_dump({"database": {"retention": {"platform": {"login_events": "32d"}}}}))
    old = one(counted, "SELECT count(*) FROM app.login_events WHERE at < date_trunc('hour', now() - interval '32 days')")
    assert old > 0
    waits = observatory("retention", "apply", "--yes")
    assert waits.exit_code == 1 and f"app.login_events: {old} rows older than 32d stay" in waits.output
    done = observatory("retention", "apply", "--yes", "--archive", "old")
    assert done.exit_code == 0, done.output
    assert one(counted, "SELECT count(*) FROM app.login_events") == logins - old
    assert len(archived(Path("old"), "app.login_events")) == old


def test_what_was_counted_stays_when_rows_go(
    counted: Connection, observatory: Observatory, copied: str, tmp_path: Path
) -> None:
    query = "SELECT fact, labels, n FROM analytics.counters ORDER BY 1, 2"
    executions = table(counted, "agent_executions", platform={"agent_executions": "32d"})
    before = counted.execute(query).fetchall()
    assert apply(counted, executions, tmp_path / "old", "anna", print).rows > 0
    exporter = Exporter.of(copied)
    try:
        assert exporter.collect(NOW.timestamp()) == {}
    finally:
        exporter.close()
    assert counted.execute(query).fetchall() == before


def test_what_is_taken_back_is_not_counted_again(counted: Connection, copied: str, tmp_path: Path) -> None:
    query = "SELECT fact, labels, n FROM analytics.counters ORDER BY 1, 2"
    logins = table(counted, "login_events", platform={"login_events": "32d"})
    there, before = one(counted, "SELECT count(*) FROM app.login_events"), counted.execute(query).fetchall()
    assert apply(counted, logins, tmp_path, "anna", print).rows > 0
    with counted.cursor() as cursor:
        for file in (tmp_path / logins.name).glob("*.csv.gz"):
            with cursor.copy("COPY app.login_events FROM STDIN (FORMAT csv, HEADER)") as copy:
                copy.write(gzip.decompress(file.read_bytes()))
    exporter = Exporter.of(copied)
    try:
        assert exporter.collect(NOW.timestamp()) == {}
    finally:
        exporter.close()
    assert one(counted, "SELECT count(*) FROM app.login_events") == there
    assert counted.execute(query).fetchall() == before


def test_rows_that_others_lean_on_or_nobody_counted_stay(counted: Connection, tmp_path: Path) -> None:
    sessions = table(counted, "session_metrics", platform={"session_metrics": "32d"})
    counted.execute("UPDATE analytics.sources SET rebuild_needed = true WHERE source = 'sessions'")
    done = apply(counted, sessions, tmp_path, "anna", print)
    assert done.rows == 0 and "not all counted yet (sessions)" in done.left
    counted.execute("CREATE TABLE app.notes (session uuid REFERENCES app.session_metrics ON DELETE CASCADE)")
    done = apply(counted, sessions, tmp_path, "anna", print)
    assert done.rows == 0 and "rows of app.notes would be removed" in done.left


def test_two_do_not_do_it_at_once(counted: Connection, observatory: Observatory) -> None:
    with alone(counted):
        refused = observatory("retention", "apply", "--yes")
    assert refused.exit_code == 2 and "somebody else is applying the retention" in refused.output
    with archive.alone(Path("old")):
        refused = observatory("retention", "apply", "--yes", "--archive", "old")
    assert refused.exit_code == 2 and "somebody else is writing to the archive old" in refused.output
    with pytest.raises(psycopg.errors.RaiseException), alone(counted):
        counted.execute("DO 'BEGIN RAISE EXCEPTION ''no''; END'")
    assert observatory("retention", "apply", "--yes").exit_code == 0
