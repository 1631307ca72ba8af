"""Random interleavings of writers and exporters: all roll-ups equal plain recomputation, and no counter ever falls.

Real PostgreSQL, several connections, one driver. `SOAK_EXAMPLES` says how many plays a way of capture gets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporters.rollups.capture.choice import Mode
from tests.conftest import PostgresServer
from tests.rollups.interleaving import Play, Stage, Step, begin_now
from tests.rollups.stories import STEPS

LENGTH = 50
EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "60"))
PLAYS: dict[Mode, tuple[str, ...]] = {
    "snapshot": ("executions", "tickets", "kb_searches"),
    "scan": ("executions", "tickets", "kb_searches"),
    "ids": ("tickets", "kb_searches"),
    "window": ("executions", "kb_searches"),
}
_RELATIONS = {"executions": "agent_executions", "tickets": "tickets", "kb_searches": "kb_searches"}
_ALWAYS = ("advance",) * 5 + ("begin", "begin", "savepoint", "back", "commit", "commit", "roll back", "fold", "truncate")


def _steps(draw: st.DrawFn, names: tuple[str, ...], length: int) -> list[Step]:
    """Steps from numbers of which none is likelier than another; 0 is no step, so that a failing play can be shortened."""
    numbers = draw(st.lists(st.integers(0, 2**32), min_size=length, max_size=length))
    steps = []
    for place, number in enumerate(numbers):
        random = Random(f"{place} {number}")
        if number:
            steps.append(Step(random.choice(names), random.randrange(6), random.randrange(1000), random.randrange(1000)))
    return steps


@st.composite
def plays(draw: st.DrawFn, mode: Mode) -> tuple[str, list[Step], list[Step]]:
    """A source, steps before we came, and steps after it."""
    source = draw(st.sampled_from(PLAYS[mode]))
    names = tuple(STEPS[_RELATIONS[source]])
    further = ("backfill",) * 2 if mode == "snapshot" else ("reserve",) if mode == "ids" else ()
    return source, _steps(draw, names[:1], 5), _steps(draw, names * 2 + _ALWAYS + further, LENGTH)


@pytest.fixture(scope="module")
def stage(postgres: PostgresServer) -> Iterator[Stage]:
    dsn = postgres.create()
    stage = Stage(dsn)
    yield stage
    stage.close()
    postgres.drop(dsn)


@pytest.mark.parametrize("mode", PLAYS)
def test_roll_ups_equal_recomputation(stage: Stage, mode: Mode) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="SOAK_EXAMPLES" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    @given(plays(mode))
    def holds(drawn: tuple[str, list[Step], list[Step]]) -> None:
        source, old, steps = drawn
        play = Play(stage, source, mode, begin_now())
        play.open(old)
        for step in steps:
            play.perform(step)
        play.close()

    holds()
