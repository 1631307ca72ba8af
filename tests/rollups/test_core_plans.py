"""A step finds what is new by indexes: its cost does not depend on how large the tables are."""

from __future__ import annotations

import psycopg
import pytest

from contract.data_plane import Mapped
from contract.relations import RELATIONS, Column
from exporters.database.mapping import Mapping
from exporters.rollups import advance, planned
from exporters.rollups.capture.snapshot import SnapshotCapture
from exporters.rollups.sources import SOURCES
from exporters.rollups.state import lock
from exporters.rollups.statement import render
from tests.rollups.counted import NOON, SOURCE_NAMES, Counted

ROWS = 20_000
_DRIVING = {name: SOURCES[name].relation for name in SOURCE_NAMES}
_CHANGES = {
    "executions": "version = 'other'",
    "conversations": "channel = 'other'",
    "messages": "tokens = 7",
    "tickets": "priority = 'high'",
    "feedback": "rating = 5",
    "users": "role = 'agent'",
}
_OPEN = {"conversations": ("ended_at",), "tickets": ("resolved_at",)}
_VALUES = {
    "bigint": "i",
    "integer": "1",
    "smallint": "1",
    "double": "1",
    "boolean": "true",
    "uuid": "md5(i::text)::uuid",
    "text": "'some'",
    "jsonb": "'{}'",
    "text[]": "'{}'",
    "timestamptz": f"timestamptz '{NOON.isoformat()}' - i * interval '1 second'",
}


def _fill(counted: Counted, relation: str, first: int, last: int) -> None:
    """Rows with numbers from `first` to `last`, all columns filled; tickets and conversations among them stay open."""
    columns = [column for column in RELATIONS[relation].columns if column.name not in _OPEN.get(relation, ())]
    values = ", ".join(_value(column) for column in columns)
    names = ", ".join(column.name for column in columns)
    counted.run(f"INSERT INTO app.{relation} ({names}) SELECT {values} FROM generate_series({first}, {last}) AS i")


@pytest.mark.parametrize("source", [name for name in SOURCE_NAMES if any(fact.once for fact in SOURCES[name].facts)])
def test_keys_that_count_once_are_looked_up_one_by_one_whatever_statistics_say(counted: Counted, source: str) -> None:
    counted.install()
    counted.run(
        "INSERT INTO analytics.firsts (fact, key, at) SELECT 'of another time', i::text, now() FROM generate_series(1, 500) i"
    )
    counted.run("ANALYZE analytics.firsts")
    snapshot = SnapshotCapture()
    with counted.transaction() as connection:
        state = lock(connection, source)
        assert state is not None
        statement = render(counted.forms[source], snapshot.touched(connection, counted.forms[source], state))
        plan = [line for (line,) in connection.execute(f"EXPLAIN {statement}".encode())]
    looked_up = [plan[number + 1] for number, line in enumerate(plan) if "on firsts known" in line]
    assert len(looked_up) == 1
    assert "Index Cond" in looked_up[0] and "fact = " in looked_up[0] and "key = " in looked_up[0]


def test_the_watermark_is_parsed_once_however_many_rows_are_new(counted: Counted) -> None:
    counted.install()
    for source in SOURCE_NAMES:
        with counted.transaction() as connection:
            plan = connection.execute(f"EXPLAIN {planned.locked(counted.forms[source])}".encode()).fetchall()
        about_rows = [line for (line,) in plan if "observatory_xid >=" in line]
        assert about_rows and not any("watermark" in line for line in about_rows), source


def _value(column: Column) -> str:
    if column.name in ("role", "status"):
        return {"role": "'user'", "status": "'open'"}[column.name]
    return "1" if column.name == "agent_id" else _VALUES[column.type]


def _sequential(connection: psycopg.Connection) -> dict[str, int]:
    rows = connection.execute("SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE schemaname = 'app'")
    return {table: scans for table, scans in rows if table != "agents"}


@pytest.mark.parametrize("stamped", [True, False], ids=["counted as new", "from before the column"])
def test_no_step_reads_a_large_table_from_end_to_end(counted: Counted, stamped: bool) -> None:
    if stamped:
        counted.install()
    for relation in _DRIVING.values():
        _fill(counted, relation, 1, ROWS)
    if stamped:
        while counted.advance():
            pass
    else:
        counted.install()
    for relation in _DRIVING.values():
        counted.run(f"ANALYZE app.{relation}")
    for name, relation in _DRIVING.items():
        key = SOURCES[name].key
        _fill(counted, relation, ROWS + 1, ROWS + 50)
        time = RELATIONS[relation].time
        counted.run(
            f"UPDATE app.{relation} SET {time} = {time} - interval '1 day' WHERE {key} IN"
            f" (SELECT {key} FROM app.{relation} ORDER BY {key} LIMIT 5)"
        )
        if stamped:
            counted.run(
                f"UPDATE app.{relation} SET {_CHANGES[name]} WHERE {key} IN"
                f" (SELECT {key} FROM app.{relation} ORDER BY {key} OFFSET 5 LIMIT 5)"
            )
    for name, relation in _DRIVING.items():
        with counted.transaction() as connection:
            before = _sequential(connection)
            step = advance.advance(connection, counted.forms[name])
            assert step is not None
            assert step.looked == (60 if stamped else 55), name
            assert _sequential(connection) == before, relation


def test_a_changed_row_is_looked_up_by_a_key_of_text_whatever_its_collation(counted: Counted) -> None:
    counted.run("ALTER TABLE app.feedback ALTER COLUMN id TYPE text")
    counted.install()
    _fill(counted, "feedback", 1, ROWS)
    while counted.advance():
        pass
    counted.run("ANALYZE app.feedback")
    counted.run("UPDATE app.feedback SET rating = 2 WHERE id = '7'")
    _fill(counted, "feedback", ROWS + 1, ROWS + 1)
    with counted.transaction() as connection:
        before = _sequential(connection)["feedback"]
        assert advance.advance(connection, counted.forms["feedback"]) == advance.Step("feedback", 2, 1, 0)
        assert _sequential(connection)["feedback"] == before


def test_a_key_that_only_an_expression_tells_is_found_by_the_stamp(counted: Counted) -> None:
    """No index finds it, so such a row gets a new one."""
    counted.mapping = Mapping({**counted.mapping.relations, "feedback": Mapped(columns={"id": "id + 0"})})
    counted.install()
    row = {"id": 1, "user_id": 1, "conversation_id": 1, "thumbs": 1, "created_at": NOON}
    counted.insert("feedback", row)
    counted.advance()
    stamp = counted.one("SELECT observatory_xid FROM app.feedback")
    for rating in (1, 2):
        counted.run("UPDATE app.feedback SET rating = %s", rating)
    counted.advance()
    assert counted.one("SELECT observatory_xid FROM app.feedback") != stamp
    assert [n for labels, n in counted.counters("feedback_ratings").items() if labels[1] == "2"] == [1]


@pytest.mark.parametrize("analyzed", [True, False], ids=["with statistics", "without statistics"])
def test_nothing_is_read_from_end_to_end_where_one_transaction_wrote_all_rows(counted: Counted, analyzed: bool) -> None:
    """After a load a planner believes that any stamp is that of every row, and that the first one it reads will do."""
    counted.install()
    for relation in _DRIVING.values():
        _fill(counted, relation, 1, ROWS)
    while counted.advance():
        pass
    for relation in _DRIVING.values():
        forgotten = f"DELETE FROM pg_statistic WHERE starelid = 'app.{relation}'::regclass"
        counted.run(f"ANALYZE app.{relation}" if analyzed else forgotten)
    xid = int(counted.one("SELECT pg_current_xact_id()::text"))  # was running when the last step looked, and wrote nothing
    counted.run("UPDATE analytics.sources SET watermark = to_jsonb(%s::text)", f"{xid}:{xid + 1}:{xid}")
    with counted.transaction() as connection:
        before = _sequential(connection)
        assert advance.news(connection, counted.forms) == []
        assert all(step.looked == 0 for step in advance.advance_all(connection, counted.forms).values())
        assert _sequential(connection) == before
    for name, relation in _DRIVING.items():
        _fill(counted, relation, ROWS + 1, ROWS + 1)
        with counted.transaction() as connection:
            before = _sequential(connection)
            step = advance.advance(connection, counted.forms[name])
            assert step is not None and step.looked == 1, name
            assert _sequential(connection) == before, relation
