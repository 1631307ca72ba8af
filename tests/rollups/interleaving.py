"""One platform, its roll-ups and the truth, moved by steps that a test draws: writers, exporters and what befalls them.

A step is four small numbers and a word, so that a failing list of steps can be read and shortened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from contract.data_plane import Mapped
from contract.relations import APP_SCHEMA, RELATIONS
from exporters.database.mapping import Mapping
from exporters.database.migrations import migrate
from exporters.database.sessions import limits
from exporters.rollups import advance, backfill, fold, rebuild
from exporters.rollups.capture.choice import Mode
from exporters.rollups.forms import form
from exporters.rollups.read import Totals
from exporters.rollups.sources import SOURCES
from exporters.rollups.statement import Form
from exporters.rollups.triggers import LAST, PREFIX, trigger_statements
from tests.rollups import ledger
from tests.rollups.ledger import Disturbed
from tests.rollups.model import MEANINGS, Truth, told
from tests.rollups.stories import STEPS, Stories
from tests.rollups.writers import Platform, Writer, create_tables

STAGED = ("agents", "agent_executions", "conversations", "tickets", "kb_searches")
WRITERS, EXPORTERS = 3, 2
_COUNTS = (
    "fresh",
    "totals",
    "rollup_minute",
    "rollup_hour",
    "rollup_day",
    "shadows",
    "retractions",
    "seen",
    "sources",
    "firsts",
)
_MORTAL = {"fresh": "INSERT", "shadows": "INSERT OR DELETE OR UPDATE", "retractions": "DELETE", "sources": "UPDATE"}
"""Tables at whose change the advancing backend may die, and the kind of change."""
_WAYS = ("",) * 6 + ("kill", "die", "error", "overtaken", "overtaken", "commit", "commit")
"""What befalls a step of an exporter, as often as it stands here."""


@dataclass(frozen=True)
class Step:
    """`name` says what happens, `who` the writer or exporter, `pick` and `value` how."""

    name: str
    who: int = 0
    pick: int = 0
    value: int = 0


def install(connection: psycopg.Connection[Any]) -> None:
    """The platform's tables with our column and triggers, schema `analytics`, and places where a backend can be made to die."""
    create_tables(connection, STAGED)
    migrate(connection)
    mapping = _mapping()
    for name, meaning in MEANINGS.items():
        table = f"{APP_SCHEMA}.{meaning.relation}"
        connection.execute(f"ALTER TABLE {table} ADD COLUMN observatory_xid xid8")
        connection.execute(f"ALTER TABLE {table} ALTER COLUMN observatory_xid SET DEFAULT pg_current_xact_id()")
        connection.execute(f"CREATE INDEX ON {table} (observatory_xid) WHERE observatory_xid IS NOT NULL")
        for statement in trigger_statements(mapping, SOURCES[name]):
            connection.execute(statement)
    connection.execute(
        "CREATE FUNCTION analytics.die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_setting('test.way', true) = 'error' THEN RAISE 'disk full' USING ERRCODE = '53100'; END IF;"
        " PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
    )
    for table, moment in _MORTAL.items():
        connection.execute(
            f"CREATE TRIGGER die BEFORE {moment} ON analytics.{table} FOR EACH STATEMENT"
            f" WHEN (current_setting('test.die', true) = '{table}') EXECUTE FUNCTION analytics.die()"
        )
    connection.execute(
        "CREATE CONSTRAINT TRIGGER die_late AFTER UPDATE ON analytics.sources DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        " WHEN (current_setting('test.die', true) = 'commit') EXECUTE FUNCTION analytics.die()"
    )


def _mapping() -> Mapping:
    return Mapping({name: Mapped(absent=name not in STAGED) for name in RELATIONS})


class Stage:
    """Connections that live as long as the database, and one play after the other on them."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.admin = self._connect()
        install(self.admin)
        self.writers = [self._connect() for _ in range(WRITERS)]
        self.exporters = [self._connect() for _ in range(EXPORTERS)]
        self.forms = {name: form(self.admin, _mapping(), SOURCES[name]) for name in MEANINGS}
        for each in self.forms.values():
            advance.register(self.admin, each, "snapshot")
        advance.tell_news(self.admin, self.forms)
        self.planned = {name: form(self.admin, _mapping(), SOURCES[name]) for name in MEANINGS}
        assert all(each.planned for each in self.planned.values())

    def _connect(self) -> Disturbed:
        options = "-c synchronous_commit=off -c timezone=UTC"
        connection = Disturbed.connect(self._dsn, autocommit=True, prepare_threshold=None, options=options)
        connection.watch(lambda _text: None)
        return connection

    def clear(self) -> None:
        """As at the beginning, whatever a play before this one left behind."""
        for each in (*self.writers, *self.exporters):
            each.watch(lambda _text: None)
            each.rollback()
        tables = [f"{APP_SCHEMA}.{meaning.relation}" for meaning in MEANINGS.values()]
        tables += [f"analytics.{name}" for name in _COUNTS]
        self.admin.execute("; ".join(f"DELETE FROM {table}" for table in tables))

    def stamp(self, one: Form, stamp: str) -> None:
        """Gives all rows of a source a stamp behind the triggers, as none is from before the column, or another cluster's."""
        trigger = f'"{LAST}{PREFIX}{one.source.name}_update"'
        self.admin.execute(
            f"ALTER TABLE {one.table} DISABLE TRIGGER {trigger}; UPDATE {one.table} SET observatory_xid = {stamp};"
            f" ALTER TABLE {one.table} ENABLE ALWAYS TRIGGER {trigger}"
        )

    def reconnect(self, who: int) -> None:
        self.exporters[who].close()
        self.exporters[who] = self._connect()

    def close(self) -> None:
        for each in (self.admin, *self.writers, *self.exporters):
            each.close()


class Play:
    """One source in one way of capture: what is done to it, and what has to come out."""

    def __init__(self, stage: Stage, source: str, mode: Mode, now: datetime) -> None:
        stage.clear()
        self.stage, self.mode = stage, mode
        self.form = stage.forms[source]
        self.forms = (self.form, stage.planned[source])
        """One exporter takes its steps by a function of the database where it can, the other never."""
        self.meaning = MEANINGS[source]
        self.platform = Platform()
        for connection in stage.writers:
            Writer(self.platform, connection)
        self.stories = Stories(self.platform, now)
        self.truth = Truth(self.meaning, follows=mode in ("snapshot", "scan"))
        self.truncated = False
        self.totals = Totals()
        self.last_metrics: dict[Any, dict[str, int]] = {}
        self.looked: dict[Any, Any] = {}
        self.seen: dict[Any, Any] = {}

    def open(self, old: list[Step]) -> None:
        """Rows that were there before we came, and the beginning of counting."""
        for step in old:
            STEPS[self.meaning.relation][step.name](self.stories, self.platform.writers[0], step.pick, step.value)
        self.stage.stamp(self.form, "NULL")
        self.stage.admin.execute("DELETE FROM analytics.retractions")
        advance.register(self.stage.admin, self.form, self.mode)

    def perform(self, step: Step) -> None:
        writer = self.platform.writers[step.who % WRITERS]
        match step.name:
            case "begin":
                writer.begin()
            case "savepoint":
                writer.savepoint()
            case "back":
                writer.back_to_savepoint()
            case "commit":
                writer.commit()
            case "roll back":
                writer.roll_back()
            case "reserve":
                self.stories.reserve(step.value)
            case "truncate":
                self.truncated |= self.platform.truncate(self.meaning.relation)
            case "advance":
                self.advance(step)
            case "backfill":
                self.advance(step, chunk=1 + step.value % 3)
            case "fold":
                fold.fold(self.stage.admin)
            case name:
                self.stories.tick(step.value)
                STEPS[self.meaning.relation][name](self.stories, writer, step.pick, step.value)

    def advance(self, step: Step, chunk: int | None = None) -> None:
        """One step of one exporter, disturbed as `pick` says: killed, refused, overtaken by the other one or by a commit."""
        who, way, place = step.who % EXPORTERS, _WAYS[step.pick % len(_WAYS)], step.value
        connection = self.stage.exporters[who]
        self.looked = self.seen = self.platform.rows(self.meaning.relation)
        statements: list[str] = []

        def before(text: str) -> None:
            if len(statements) == 1 + place % 3:  # behind the limits come the lock, what the mode asks, and the step
                self._disturb(way, step, connection, locked=any("FOR UPDATE" in each for each in statements))
            statements.append(text)
            rows = self.platform.rows(self.meaning.relation)
            if "AS island" in text:  # ids look above the highest one first, and then into the gaps below it
                low = max(self.truth.known, default=0) if "unnest" in text else None
                self.looked = rows if low is None else self.looked | {key: row for key, row in rows.items() if key <= low}
            self.seen = rows

        mortal = {"die": [*_MORTAL, "commit"][place % (len(_MORTAL) + 1)], "error": [*_MORTAL][place % len(_MORTAL)]}.get(
            way, ""
        )
        connection.execute("SELECT set_config('test.die', %s, false), set_config('test.way', %s, false)", (mortal, way))
        counted: Any = None
        connection.watch(before)
        try:
            with connection.transaction():
                connection.execute(limits(30, read_only=False))
                if chunk is None:
                    counted = advance.advance(connection, self.forms[who])
                else:
                    counted = backfill.step(connection, self.form, chunk)
        except psycopg.Error:
            counted = None
        if connection.closed:
            self.stage.reconnect(who)
        else:
            connection.watch(lambda _text: None)
            connection.execute("SELECT set_config('test.die', '', false)")
        if counted is not None:
            self._count()
        self._holds()

    def _disturb(self, way: str, step: Step, connection: Disturbed, locked: bool) -> None:
        if way == "kill":
            self.stage.admin.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
        elif way == "commit":
            self.platform.writers[step.value % WRITERS].commit()
        elif way == "overtaken":
            other = self.stage.exporters[(step.who + 1) % EXPORTERS]
            rows = self.platform.rows(self.meaning.relation)
            with other.transaction():
                other.execute(limits(30, read_only=False))
                counted = advance.advance(other, self.forms[(step.who + 1) % EXPORTERS])
            if locked:
                assert counted is None or not (counted.looked or counted.gone), "two exporters are at one source"
                return
            assert counted is not None, "nobody was at the source"
            self.looked = self.seen = rows
            self._count()

    def _count(self) -> None:
        """Lets the truth take the step that the exporter took."""
        if self.truth.follows:
            self.truth.step({key: row for key, row in self.seen.items() if key not in self._uncounted()})
        else:
            new = self.looked if self.mode == "ids" else self.seen
            self.truth.step(self.seen, set(new))

    def _uncounted(self) -> set[Any]:
        """Old rows to which the backfill has not come."""
        key, time = self.form.source.key, self.form.source.contract.time
        return {
            found
            for (found,) in self.stage.admin.execute(
                f"SELECT r.{key} FROM {self.form.table} AS r, analytics.sources AS s WHERE s.source = %s"
                f' AND r.observatory_xid IS NULL AND (r.{time}, r.{key}::text COLLATE "C") < (s.backfill_time, s.backfill_key)',
                (self.form.source.name,),
            )
        }

    def _holds(self) -> None:
        """No counter ever fell, for somebody who reads on."""
        now = ledger.metrics(self.stage.admin, self.totals)
        for series, figures in self.last_metrics.items():
            for name, value in figures.items():
                assert now.get(series, {}).get(name, 0) >= value, f"{series} {name} fell from {value}"
        self.last_metrics = now

    def close(self) -> None:
        """Everything is committed and counted; then all that the roll-ups say is true."""
        self.platform.settle()
        while self.mode == "snapshot" and not self._backfilled():
            self.advance(Step("backfill"), chunk=1000)
        self.advance(Step("advance"))
        for _ in range(2):  # before and after the fold
            _equal("counters", ledger.counters(self.stage.admin), told(self.truth.counters))
            _equal("metrics", ledger.metrics(self.stage.admin), told(self.truth.metrics))
            if not (self.truncated and self.mode == "snapshot"):
                _equal("stocks", ledger.stocks(self.stage.admin), self.truth.stocks())
            _equal("tiers", ledger.tiers(self.stage.admin), told(self.truth.tiers))
            fold.fold(self.stage.admin)
        self._complete()
        self._recomputed()
        if self.truncated and self.mode == "snapshot":  # what is gone with a truncation is known after a recount only
            rebuild.rebuild(self.stage.admin, self.form)
            _equal("stocks", ledger.stocks(self.stage.admin), self.truth.stocks())

    def _complete(self) -> None:
        """Nothing is left out: what is counted are all rows, as they are, or as they were when they became final."""
        rows = self.platform.rows(self.meaning.relation)
        assert rows.keys() <= self.truth.known
        if self.truth.follows:
            assert self.truth.counted == rows
        news = advance.news(self.stage.admin, {self.form.source.name: self.form})
        still_open = any(map(self.meaning.is_open, self.truth.counted.values()))
        assert news == [] or still_open or self.mode == "scan"

    def _recomputed(self) -> None:
        """What happened is what the rows say, and so are counters of which no label that they show was another one once."""
        plain = self.truth.recomputed()
        _equal("recomputed", ledger.counters(self.stage.admin), told(plain.counters))
        said = ledger.metrics(self.stage.admin)
        for series, figures in told(plain.metrics).items():
            assert all(said[series][name] >= value for name, value in figures.items()), series
        steady = {series: figures for series, figures in said.items() if series not in self.truth.fell}
        _equal("steady", steady, {key: each for key, each in told(plain.metrics).items() if key not in self.truth.fell})

    def _backfilled(self) -> bool:
        row = self.stage.admin.execute("SELECT backfill_key IS NULL FROM analytics.sources").fetchone()
        return bool(row and row[0])


def _equal(what: str, said: dict[Any, Any], true: dict[Any, Any]) -> None:
    differing = [key for key in said.keys() | true.keys() if said.get(key) != true.get(key)]
    assert not differing, (
        f"{what}: {[(key, said.get(key), true.get(key)) for key in sorted(differing, key=str)[:5]]} (said, true)"
    )


def begin_now() -> datetime:
    """What the writers' clocks show at first: about now, since one way of capture trusts clocks by five minutes."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
