"""Which way of capture is taken, from what the catalogue says of a table."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from exporters.rollups.capture.choice import SCAN_ROWS, CaptureImpossible, TableFacts, choose, table_facts

OURS = TableFacts(
    table='"app"."tickets"',
    is_table=True,
    rows=5_000_000,
    key_types=("bigint",),
    may_alter=True,
    stamped=False,
    sequential=True,
    time_indexed=True,
    sees_transactions=True,
)
FOREIGN = replace(OURS, may_alter=False)
UUIDS = replace(FOREIGN, key_types=("uuid",), sequential=False)


@pytest.mark.parametrize(
    ("facts", "alter_tables", "mutable", "mode"),
    [
        (OURS, True, False, "snapshot"),
        (OURS, True, True, "snapshot"),
        (replace(OURS, rows=10), True, True, "snapshot"),
        (OURS, False, False, "ids"),
        (replace(OURS, stamped=True), False, True, "snapshot"),
        (replace(FOREIGN, stamped=True), True, True, "snapshot"),
        (FOREIGN, True, False, "ids"),
        (FOREIGN, True, True, "ids"),
        (replace(FOREIGN, rows=SCAN_ROWS), True, True, "scan"),
        (replace(FOREIGN, rows=SCAN_ROWS), True, False, "ids"),
        (replace(FOREIGN, sequential=False), True, False, "window"),
        (replace(FOREIGN, key_types=("bigint", "text")), True, False, "window"),
        (UUIDS, True, False, "window"),
        (replace(UUIDS, sees_transactions=False), True, False, "scan"),
        (replace(UUIDS, time_indexed=False), True, True, "scan"),
        (replace(OURS, is_table=False, sequential=False, time_indexed=False), True, False, "scan"),
    ],
)
def test_the_best_way_that_is_possible_is_taken(facts: TableFacts, alter_tables: bool, mutable: bool, mode: str) -> None:
    choice = choose(facts, "auto", alter_tables=alter_tables, mutable=mutable)
    assert choice.mode == mode
    assert ("not seen" in choice.reason) == (mutable and mode in ("ids", "window"))


@pytest.mark.parametrize(
    ("facts", "wanted", "words"),
    [
        (FOREIGN, "snapshot", "only the owner"),
        (replace(OURS, is_table=False), "snapshot", "not a table"),
        (replace(OURS, certain_key=False), "snapshot", "its key may be missing or be that of two rows"),
        (replace(OURS, virtual=True), "snapshot", "a virtual generated one"),
        (UUIDS, "ids", "uuid, not one integer"),
        (replace(FOREIGN, sequential=False), "ids", "no sequence"),
        (replace(UUIDS, time_indexed=False), "window", "no index"),
        (replace(UUIDS, sees_transactions=False), "window", "pg_read_all_stats"),
    ],
)
def test_a_way_that_cannot_be_is_refused_with_its_reason(facts: TableFacts, wanted: str, words: str) -> None:
    with pytest.raises(CaptureImpossible, match=words) as caught:
        choose(facts, wanted, alter_tables=True, mutable=False)  # type: ignore[arg-type]
    assert facts.table in str(caught.value)


def test_a_way_that_is_possible_is_taken_when_asked_for() -> None:
    assert choose(OURS, "scan", alter_tables=True, mutable=False).mode == "scan"
    assert choose(OURS, "ids", alter_tables=True, mutable=False).reason == "as configured"


def test_the_catalogue_is_read(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE events (id bigserial PRIMARY KEY, at timestamptz NOT NULL)")
        connection.execute("CREATE INDEX ON events (at)")
        connection.execute("INSERT INTO events (at) SELECT now() FROM generate_series(1, 500)")
        connection.execute("ANALYZE events")
        assert table_facts(connection, "public.events", ("id",), "at") == TableFacts(
            "public.events", True, 500, ("bigint",), True, False, True, True, True
        )
        connection.execute("ALTER TABLE events ADD COLUMN observatory_xid xid8")
        connection.execute("CREATE TABLE pairs (a uuid, b text, at timestamptz, PRIMARY KEY (a, b)) PARTITION BY HASH (a)")
        connection.execute("CREATE TABLE pairs_0 PARTITION OF pairs FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
        connection.execute("INSERT INTO pairs SELECT gen_random_uuid(), n FROM generate_series(1, 300) n")
        connection.execute("ANALYZE pairs_0")
        connection.execute("CREATE VIEW looks AS SELECT * FROM events")
        assert table_facts(connection, "public.events", ("id",), None).stamped
        pairs = table_facts(connection, "public.pairs", ("a", "b"), "at")
        assert (pairs.rows, pairs.key_types, pairs.sequential, pairs.time_indexed) == (300, ("uuid", "text"), False, False)
        assert not table_facts(connection, "public.looks", ("id",), "at").is_table
        assert not pairs.inherited
        assert pairs.certain_key
        assert table_facts(connection, "public.pairs", ("a",), "at").certain_key, "as certain as a parted table can be"
        connection.execute("CREATE TABLE later_events () INHERITS (events)")
        assert table_facts(connection, "public.events", ("id",), "at").inherited


def test_rows_of_tables_that_inherit_are_not_left_to_triggers() -> None:
    parent = replace(OURS, rows=SCAN_ROWS, inherited=True)
    assert choose(parent, "auto", alter_tables=True, mutable=True).mode == "scan"
    with pytest.raises(CaptureImpossible, match="other tables inherit from it"):
        choose(parent, "snapshot", alter_tables=True, mutable=True)


def test_a_role_without_rights_is_seen_as_such(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL)")
        connection.execute("DROP ROLE IF EXISTS capture_guest")
        connection.execute("CREATE ROLE capture_guest")
        try:
            connection.execute("SET ROLE capture_guest")
            facts = table_facts(connection, "public.events", ("id",), "at")
            assert (facts.may_alter, facts.sequential, facts.sees_transactions) == (False, False, False)
        finally:
            connection.execute("RESET ROLE")
            connection.execute("DROP ROLE capture_guest")


def test_what_no_trigger_could_follow_is_seen(database: str) -> None:
    """Without a key the platform could not even change the row any more, for no line could be written about it."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE events (id bigint, part int, cents int, at timestamptz)")

        def certain() -> bool:
            return table_facts(connection, "public.events", ("id",), "at").certain_key

        assert not certain()
        connection.execute("CREATE UNIQUE INDEX ON events (id) WHERE part > 0; CREATE UNIQUE INDEX ON events (id, part)")
        connection.execute("ALTER TABLE events ALTER id SET NOT NULL")
        assert not certain()
        connection.execute("CREATE UNIQUE INDEX ON events (id)")
        assert certain()
        connection.execute("ALTER TABLE events ALTER id DROP NOT NULL")
        assert not certain()
        assert table_facts(connection, "public.events", ("id || 'x'",), "at").certain_key
        connection.execute("ALTER TABLE events ADD COLUMN tokens int GENERATED ALWAYS AS (cents * 2) VIRTUAL")
        connection.execute('ALTER TABLE events ADD COLUMN "in (EUR)" int GENERATED ALWAYS AS (cents) VIRTUAL')
        assert table_facts(connection, "public.events", ("id",), "at", ['"in (EUR)" * 2']).virtual
        for counted, virtual in ((["tokens"], True), (["tokens + 1", "at"], True), (["my_tokens", "cents"], False)):
            assert table_facts(connection, "public.events", ("id",), "at", counted).virtual == virtual


def test_a_missing_table_is_named(database: str) -> None:
    with psycopg.connect(database) as connection, pytest.raises(CaptureImpossible, match=r"public\.nothing"):
        table_facts(connection, "public.nothing", ("id",), None)
