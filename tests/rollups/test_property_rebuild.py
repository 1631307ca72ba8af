"""Tables that are restored, emptied or exchanged: noticed, halted where counting on would be wrong, and counted anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporters.database.sessions import limits
from exporters.rollups import advance, origin
from exporters.rollups.capture.choice import Mode
from exporters.rollups.rebuild import Progress, RebuildRefused, rebuild
from tests.conftest import PostgresServer
from tests.rollups import ledger
from tests.rollups.interleaving import Play, Stage, Step, begin_now
from tests.rollups.model import Truth, told
from tests.rollups.test_property_interleavings import PLAYS, plays

EXAMPLES = 12


@pytest.fixture(scope="module")
def stage(postgres: PostgresServer) -> Iterator[Stage]:
    dsn = postgres.create()
    stage = Stage(dsn)
    yield stage
    stage.close()
    postgres.drop(dsn)


def _play(stage: Stage, source: str = "executions", mode: Mode = "snapshot", rows: int = 6) -> Play:
    play = Play(stage, source, mode, begin_now())
    first = {"executions": "begin execution", "tickets": "open ticket", "kb_searches": "search"}[source]
    play.open([Step(first, 0, number, 7 * number) for number in range(rows)])
    play.close()
    return play


def _state(stage: Stage) -> Any:
    row = stage.admin.execute("SELECT rebuild_needed, halted, problem FROM analytics.sources").fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize("mode", PLAYS)
def test_counting_anew_changes_nothing_that_was_right(stage: Stage, mode: Mode) -> None:
    """In the middle of any play; what goes on afterwards is counted once."""

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(plays(mode), st.integers(1, 3))
    def holds(drawn: tuple[str, list[Step], list[Step]], chunk_rows: int) -> None:
        source, old, steps = drawn
        play = Play(stage, source, mode, begin_now())
        play.open(old)
        middle = len(steps) // 2
        for step in steps[:middle]:
            play.perform(step)
        _rebuild_keeps_counters(play, chunk_rows)
        for step in steps[middle:]:
            play.perform(step)
        play.platform.settle()
        play.advance(Step("advance"))
        fresh = _rebuild_keeps_counters(play, chunk_rows)
        assert ledger.stocks(stage.admin) == fresh.stocks()
        said = ledger.counters(stage.admin)
        for cell, figures in told(fresh.counters).items():
            assert all(said[cell][name] >= value for name, value in figures.items())
        tiers = ledger.tiers(stage.admin)
        assert {key: tiers.get(key) for key in told(fresh.tiers)} == told(fresh.tiers)

    holds()


def _rebuild_keeps_counters(play: Play, chunk_rows: int) -> Truth:
    """What is published afterwards is the greater of what was and of what the rows say, which it gives."""
    before = ledger.metrics(play.stage.admin)
    rebuild(play.stage.admin, play.form, chunk_rows=chunk_rows)
    fresh = Truth(play.meaning)
    fresh.step(play.platform.rows(play.meaning.relation))
    found, said = told(fresh.metrics), ledger.metrics(play.stage.admin)
    assert said.keys() == before.keys() | found.keys()
    for series, figures in said.items():
        was, rows = before.get(series, {}), found.get(series, {})
        assert figures == {name: max(was.get(name, 0), rows.get(name, 0)) for name in was.keys() | rows.keys()}, series
    return fresh


def test_a_label_that_no_metric_shows_may_have_become_another_unseen(stage: Stage) -> None:
    """By hand, with the triggers off; later corrections go on from there."""
    play = _play(stage, "tickets")
    for number in range(1, 4):
        play.perform(Step("move ticket", 0, number, 1))
    play.perform(Step("advance"))
    before = ledger.metrics(stage.admin)
    assert sum(figures["n"] for (name, _), figures in before.items() if name == "platform_tickets_resolved_total") == 3
    with stage.admin.transaction():
        stage.admin.execute("ALTER TABLE app.tickets DISABLE TRIGGER ALL")
        stage.admin.execute("UPDATE app.tickets SET category = 'unseen'")
        stage.admin.execute("ALTER TABLE app.tickets ENABLE TRIGGER ALL")
    rebuild(stage.admin, play.form)
    assert ledger.metrics(stage.admin) == before
    stage.admin.execute("UPDATE app.tickets SET category = 'seen'")
    with stage.exporters[0].transaction():
        stage.exporters[0].execute(limits(30, read_only=False))
        advance.advance(stage.exporters[0], play.form)
    assert ledger.metrics(stage.admin) == before


@pytest.mark.parametrize("mode", PLAYS)
def test_what_is_written_during_a_recount_is_counted_after_it(stage: Stage, mode: Mode) -> None:
    play = _play(stage, PLAYS[mode][-1], mode, rows=7)
    first = {"executions": "begin execution", "tickets": "open ticket", "kb_searches": "search"}[play.form.source.name]
    late = play.platform.writers[1]
    late.begin()
    play.perform(Step(first, 1, 3, 3))
    told_rows: list[int] = []

    def meanwhile(progress: Progress) -> None:
        told_rows.append(progress.rows)
        late.commit()
        play.perform(Step(first, 2, 1, 1))

    assert rebuild(stage.admin, play.form, meanwhile, chunk_rows=2) == 7
    assert told_rows == [2, 4, 6, 7]
    play.truth.step(play.platform.rows(play.meaning.relation))
    with stage.exporters[0].transaction():
        stage.exporters[0].execute(limits(30, read_only=False))
        advance.advance(stage.exporters[0], play.form)
    assert ledger.counters(stage.admin) == told(play.truth.counters)
    assert ledger.stocks(stage.admin) == play.truth.stocks()
    assert ledger.tiers(stage.admin) == told(play.truth.tiers)


def test_an_interrupted_recount_leaves_no_trace(stage: Stage) -> None:
    play = _play(stage)
    before = (ledger.counters(stage.admin), ledger.stocks(stage.admin), ledger.tiers(stage.admin), _state(stage))

    def interrupted(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(stage.admin, play.form, interrupted, chunk_rows=2)
    assert (ledger.counters(stage.admin), ledger.stocks(stage.admin), ledger.tiers(stage.admin), _state(stage)) == before


def test_a_source_that_is_not_counted_cannot_be_counted_anew(stage: Stage) -> None:
    _play(stage)
    with pytest.raises(RebuildRefused, match="observatory db install"):
        rebuild(stage.admin, stage.forms["tickets"])


def test_nothing_is_wrong_with_a_table_that_stays(stage: Stage) -> None:
    play = _play(stage)
    assert origin.check(stage.admin, {"executions": play.form}) == {}
    assert _state(stage) == (False, False, None)


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        ("UPDATE analytics.sources SET system_identifier = '1'", "another cluster"),
        ("""UPDATE analytics.sources SET watermark = '"900000000:900000000:"'""", "restored"),
        (
            "ALTER TABLE app.agent_executions RENAME TO executions_before;"
            " CREATE TABLE app.agent_executions (LIKE app.executions_before INCLUDING ALL)",
            "another table",
        ),
    ],
)
def test_another_origin_halts_a_source_until_it_is_counted_anew(stage: Stage, happened: str, words: str) -> None:
    play = _play(stage)
    counters, stocks = ledger.counters(stage.admin), ledger.stocks(stage.admin)
    forms = {"executions": play.form}
    try:
        stage.admin.execute(happened)
        with stage.exporters[0].transaction():
            found = advance.advance_all(stage.exporters[0], stage.planned)
            assert "executions" not in found, "nothing is counted before that is said"
        found = origin.check(stage.admin, forms)
        assert words in found["executions"]
        assert "observatory db rebuild" in found["executions"]
        assert _state(stage) == (True, True, found["executions"])
        assert origin.check(stage.admin, forms) == {}, "what is known is not said again"
        play.perform(Step("begin execution", 0, 2, 3))
        with stage.exporters[0].transaction():
            assert advance.advance(stage.exporters[0], play.form) is None, "a halted source is not advanced"
        assert (ledger.counters(stage.admin), ledger.stocks(stage.admin)) == (counters, stocks)
        rebuild(stage.admin, play.form)
        assert _state(stage) == (False, False, None)
        now = ledger.counters(stage.admin)
        assert all(now[cell][name] >= value for cell, figures in counters.items() for name, value in figures.items())
        there = Truth(play.meaning)
        there.step({key: row for key, row in play.platform.rows("agent_executions").items() if _is_there(stage, key)})
        assert ledger.stocks(stage.admin) == there.stocks()
        assert origin.check(stage.admin, forms) == {}
    finally:
        if stage.admin.execute("SELECT to_regclass('app.executions_before') IS NOT NULL").fetchone() == (True,):
            stage.admin.execute("DROP TABLE app.agent_executions; ALTER TABLE app.executions_before RENAME TO agent_executions")


def _is_there(stage: Stage, key: Any) -> bool:
    found = stage.admin.execute("SELECT FROM app.agent_executions WHERE execution_id = %s", (key,)).fetchone()
    return found is not None


def test_ids_that_begin_anew_halt_a_source(stage: Stage) -> None:
    """Rows below the highest id that was counted would never be looked at."""
    play = _play(stage, "tickets", "ids")
    forms = {"tickets": play.form}
    stage.admin.execute("CREATE SEQUENCE app.ticket_numbers OWNED BY app.tickets.id")
    try:
        stage.admin.execute("SELECT setval('app.ticket_numbers', 6)")
        play.platform.writers[0].delete("tickets", max(play.platform.rows("tickets")))
        assert origin.check(stage.admin, forms) == {}, "the newest row may be deleted"
        stage.admin.execute("TRUNCATE app.tickets RESTART IDENTITY")
        assert "began anew" in origin.check(stage.admin, forms)["tickets"]
        rebuild(stage.admin, play.form)
        assert origin.check(stage.admin, forms) == {}
        assert ledger.stocks(stage.admin) == {}
    finally:
        stage.admin.execute("DROP SEQUENCE app.ticket_numbers")


def test_stamps_of_another_cluster_are_not_counted_again_and_again(stage: Stage) -> None:
    play = _play(stage)
    stage.stamp(play.form, "'900000000'")
    stage.admin.execute("UPDATE analytics.sources SET system_identifier = '1'")
    rebuild(stage.admin, play.form)
    counters = ledger.counters(stage.admin)
    play.perform(Step("advance"))
    assert ledger.counters(stage.admin) == counters


def test_an_emptied_table_asks_for_a_recount_which_keeps_what_happened(stage: Stage) -> None:
    play = _play(stage, "tickets")
    counters, tiers = ledger.counters(stage.admin), ledger.tiers(stage.admin)
    assert play.platform.truncate("tickets")
    play.stories.now += timedelta(days=2)
    play.perform(Step("open ticket", 0, 1, 1))
    with stage.exporters[0].transaction():
        stage.exporters[0].execute(limits(30, read_only=False))
        advance.advance(stage.exporters[0], play.form)
    needed, halted, problem = _state(stage)
    assert (needed, halted) == (True, False)
    assert "truncated" in problem
    rebuild(stage.admin, play.form)
    play.truth.counted.clear()
    play.truth.step(play.platform.rows("tickets"))
    assert ledger.counters(stage.admin) == told(play.truth.counters)
    assert ledger.stocks(stage.admin) == play.truth.stocks()
    assert _state(stage) == (False, False, None)
    now = ledger.counters(stage.admin)
    assert all(now[cell][name] >= value for cell, figures in counters.items() for name, value in figures.items())
    after = ledger.tiers(stage.admin)
    assert all(after.get(key) == value for key, value in tiers.items()), "buckets from which no rows are left stay as they are"
