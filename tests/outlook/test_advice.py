"""Planted causes are found and come first; noise alone gives no advice more often than is said."""

from __future__ import annotations

import pytest

from contract.advice import CHANCE, DAYS, KINDS, RECENT_DAYS
from contract.causes import CAUSES
from exporters.outlook.__main__ import candidates
from exporters.outlook.comparison import Candidate, Span, remaining
from tests.outlook import worlds
from tests.outlook.worlds import World

WORLDS = 200
TASK = ("agent", "prompt", "model")


def advice(world: World) -> list[Candidate]:
    return [candidate for candidate, _ in remaining(candidates(world.evidence))]


def cheaper(world: World, usd: float = 0.004, score: float = 0.8) -> None:
    """The small model costs a fifth for the prompt `plan` of billing, which the large one does most of."""
    for version in (1, 2):
        world.put("calls", world.calls("billing", "plan", "large", version, n=3000), *TASK, "version")
        world.put("calls", world.calls("billing", "plan", "small", version, usd), *TASK, "version")
    world.put("scores", world.scores("billing", "plan", "large", 0.8, 2000), *TASK)
    world.put("scores", world.scores("billing", "plan", "small", score, 2000), *TASK)


def test_noise_alone_gives_no_advice_more_often_than_is_said() -> None:
    advised = [seed for seed in range(WORLDS) if advice(World(seed))]
    assert len(advised) <= CHANCE * WORLDS, advised


def test_every_rule_compares_something_in_these_worlds() -> None:
    assert {candidate.kind for candidate in candidates(World(0).evidence)} == set(KINDS)


@pytest.mark.parametrize("seed", range(5))
def test_a_cheaper_model_that_does_as_well_is_advised_first(seed: int) -> None:
    world = World(seed)
    cheaper(world)
    first = advice(world)[0]
    assert (first.kind, first.agent, first.subject) == ("model", "billing", "plan")
    assert (first.setting, first.before, first.after) == ("model", "large", "small")
    assert first.effect.low <= 6000 * (0.02 - 0.004) <= first.effect.high


@pytest.mark.parametrize("seed", range(5))
def test_a_cheaper_model_that_does_worse_is_not_advised(seed: int) -> None:
    world = World(seed)
    cheaper(world, score=0.7)
    assert not [one for one in advice(world) if one.kind == "model" and one.agent == "billing"]


def test_a_cheaper_model_with_too_few_scores_is_not_even_compared() -> None:
    world = World(1)
    cheaper(world)
    world.put("scores", world.scores("billing", "plan", "small", 0.8, 19), *TASK)
    asked = [one for one in candidates(world.evidence) if one.kind == "model"]
    assert ("billing", "plan") not in {(one.agent, one.subject) for one in asked}


def test_a_saving_that_nobody_would_mind_is_not_advised() -> None:
    world = World(1)
    cheaper(world)
    for row in world.evidence["calls"]:
        row |= {"cost": row["cost"] / 1000, "cost_variance": row["cost_variance"] / 1000**2}
    assert not [one for one in advice(world) if one.kind == "model"]


@pytest.mark.parametrize("seed", range(5))
def test_a_prompt_that_became_dearer_is_found(seed: int) -> None:
    world = World(seed)
    world.put("calls", world.calls("travel", "answer", "large", 2, usd=0.05, n=2000), *TASK, "version")
    world.put("calls", world.calls("travel", "answer", "small", 2, usd=0.05), *TASK, "version")
    first = advice(world)[0]
    assert (first.kind, first.agent, first.subject) == ("prompt", "travel", "answer on large")
    assert first.effect.low <= 2000 * 0.03 <= first.effect.high
    assert "version 2 of answer" in first.what and first.setting == ""


@pytest.mark.parametrize("seed", range(5))
def test_a_cache_that_one_agent_does_not_use_is_found(seed: int) -> None:
    world = World(seed)
    for day in range(worlds.DAYS):
        world.put("caches", world.cached("orders", "small", day, share=0.0), "agent", "model", "day")
    found = advice(world)
    assert (found[0].kind, found[0].agent, found[0].subject) == ("prompt_cache", "orders", "small")
    tokens = sum(row["input"] for row in world.evidence["caches"] if (row["agent"], row["model"]) == ("orders", "small"))
    assert found[0].effect.low <= 0.4 * tokens * 2.7e-6 <= found[0].effect.high * 1.05
    assert found[0].setting == "prompt_cache" and found[0].after == "on"
    assert len(found) == 1, "the others are not behind because one of them is"


@pytest.mark.parametrize("part", worlds.PARTS)
@pytest.mark.parametrize("seed", range(3))
def test_the_part_that_became_slow_is_named(part: str, seed: int) -> None:
    world = World(seed)
    for day in range(worlds.DAYS - worlds.RECENT, worlds.DAYS):
        world.put("parts", world.part("returns", part, day, seconds=1.1), "agent", "part", "day")
    first = advice(world)[0]
    assert (first.kind, first.agent, first.subject, first.what) == ("slow", "returns", part, CAUSES[part].advice)
    assert first.effect.low <= 0.6 * 200 * DAYS <= first.effect.high


def test_one_bad_day_is_no_cause() -> None:
    world = World(3)
    world.put("parts", world.part("returns", "llm", worlds.DAYS - 1, seconds=20.0), "agent", "part", "day")
    assert advice(world) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_limit_far_above_every_success_is_lowered(seed: int) -> None:
    world = World(seed)
    world.put("limits", world.limit("billing", slowest=6.0, given_up=40), "agent")
    [found] = advice(world)
    assert (found.kind, found.agent, found.setting, found.before) == ("timeout", "billing", "timeout_seconds", "30")
    assert 6 <= int(found.after) <= 9
    assert found.effect.low <= 40 * (30 - int(found.after)) * DAYS / RECENT_DAYS <= found.effect.high


def test_a_limit_is_kept_where_few_succeeded() -> None:
    world = World(1)
    world.put("limits", world.limit("billing", slowest=6.0) | {"succeeded": 300}, "agent")
    assert advice(world) == []


def test_of_two_causes_the_larger_is_first() -> None:
    world = World(8)
    cheaper(world)
    world.put("calls", world.calls("travel", "answer", "large", 2, usd=0.4, n=2000), *TASK, "version")
    assert [one.kind for one in advice(world)[:2]] == ["prompt", "model"]


def test_a_question_without_rows_gives_no_advice() -> None:
    nothing: worlds.Evidence = {question: [] for question in World(0).evidence}
    assert candidates(nothing) == [] and remaining([]) == []


def test_effects_are_told_for_as_long_as_is_said() -> None:
    """The limit was looked at for a week, its effect is that of a month."""
    world = World(2)
    world.put("limits", world.limit("billing", slowest=6.0) | {"given_up": 70}, "agent")
    [found] = advice(world)
    assert found.effect.value == 70 * (30 - int(found.after)) * 30 / 7
    assert isinstance(found.effect, Span)
