"""The audit finds rows that were lost or counted twice, and is quiet where nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from exporters.rollups import audit, fold
from exporters.rollups.audit import Sample
from exporters.rollups.capture.choice import Mode
from tests.rollups.interleaving import Play, Stage, Step, begin_now
from tests.rollups.test_property_interleavings import PLAYS

FIRST = {"executions": "begin execution", "tickets": "open ticket", "kb_searches": "search"}


@pytest.fixture
def stage(database: str) -> Iterator[Stage]:
    stage = Stage(database)
    yield stage
    stage.close()


def _counted(stage: Stage, source: str, mode: Mode = "snapshot") -> Play:
    """Some rows in each of ten hours, counted."""
    play = Play(stage, source, mode, begin_now() - timedelta(hours=10))
    play.open([])
    for number in range(40):
        play.perform(Step(FIRST[source], 0, number, 7 * number))
        if number % 4 == 3:
            play.stories.now += timedelta(hours=1)
    play.close()
    return play


def _sample(play: Play, seed: int) -> Sample:
    with play.stage.admin.transaction():
        found = audit.step(play.stage.admin, play.form, seed)
    assert found is not None
    return found


@pytest.mark.parametrize("mode", PLAYS)
def test_no_drift_where_all_was_counted(stage: Stage, mode: Mode) -> None:
    play = _counted(stage, PLAYS[mode][-1], mode)
    samples = [_sample(play, seed) for seed in range(20)]
    assert {sample.drift for sample in samples} == {0}
    assert len({sample.hour for sample in samples}) > 3, "different seeds look at different hours"
    assert any(sample.recounted for sample in samples)
    assert _sample(play, 3).hour == samples[3].hour


@pytest.mark.parametrize(("change", "drift"), [("n - 1", -1), ("n + 2", 2)])
def test_a_tier_that_is_wrong_is_seen(stage: Stage, change: str, drift: int) -> None:
    play = _counted(stage, "executions")
    sample = _sample(play, 1)
    assert sample.recounted > 0
    stage.admin.execute(
        f"UPDATE analytics.rollup_hour SET n = {change} WHERE bucket = %s AND series = (SELECT min(t.series)"
        " FROM analytics.totals AS t JOIN analytics.rollup_hour AS r USING (series)"
        " WHERE t.fact = 'executions_started' AND r.bucket = %s)",
        (sample.hour, sample.hour),
    )
    assert _sample(play, 1).drift == drift
    assert stage.admin.execute("SELECT drift, audited_at IS NOT NULL FROM analytics.sources").fetchone() == (drift, True)


def test_rows_that_wait_to_be_counted_are_no_drift(stage: Stage) -> None:
    play = _counted(stage, "tickets")
    play.perform(Step("open ticket", 0, 1, 1))
    assert {_sample(play, seed).drift for seed in range(10)} == {0}


def test_hours_whose_rows_are_all_gone_say_nothing(stage: Stage) -> None:
    play = _counted(stage, "executions")
    keys = sorted(play.platform.rows("agent_executions"), key=str)
    first, *_, last = sorted(keys, key=lambda key: play.platform.rows("agent_executions")[key]["start_time"])
    for key in keys:
        if key not in (first, last):
            play.platform.writers[0].delete("agent_executions", key)
    samples = [_sample(play, seed) for seed in range(30)]
    assert any(sample.recounted == sample.counted == 0 for sample in samples)


def test_a_source_that_is_not_counted_to_its_end_is_left_alone(stage: Stage) -> None:
    play = Play(stage, "executions", "snapshot", begin_now())
    play.open([Step("begin execution", 0, 1, 1)])
    with stage.admin.transaction():
        assert audit.step(stage.admin, play.form, 1) is None


def test_somebody_else_at_the_source_is_not_waited_for(stage: Stage) -> None:
    play = _counted(stage, "executions")
    with stage.exporters[0].transaction():
        stage.exporters[0].execute("SELECT FROM analytics.sources FOR UPDATE")
        with stage.admin.transaction():
            assert audit.step(stage.admin, play.form, 1) is None
            assert fold.fold(stage.admin) == 0
