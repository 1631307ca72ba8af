"""What agents are configured with changes what happens from then on: times, money, failures; and nothing before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import pytest

from demo.platform.registry import Registry
from demo.platform.traffic import Traffic
from demo.world.catalogue import MODEL
from demo.world.model import Conversation, Execution, Incident, Tuned, Value, WorldSpec
from demo.world.tuning import ANSWERS, MISSED, PLANTED, USUAL, in_force, missed, own
from demo.world.world import World

HOUR = 3600.0
ANCHOR = 1_800_000_000.0
START = ANCHOR + 10 * HOUR + 1200.0
AGENT = "support"
PLAIN = WorldSpec(seed=5, anchor=ANCHOR, days=2, scale=3.0)


def tuned(setting: str, value: Value, start: float = START) -> WorldSpec:
    return replace(PLAIN, settings=(Tuned(AGENT, "production", setting, value, start),))


@lru_cache(maxsize=4)
def talks(spec: WorldSpec) -> tuple[Conversation, ...]:
    """Of three hours. What is usual is asked for again and again."""
    world = World(spec)
    return tuple(talk for hour in (9, 10, 11) for talk in world.hour(ANCHOR + hour * HOUR).conversations)


def runs(spec: WorldSpec) -> list[Execution]:
    """The agent's executions in production that begin after the setting's start, by their ids."""
    found = [run for talk in talks(spec) for run in talk.executions if run.environment == "production" and run.agent == AGENT]
    return sorted((run for run in found if run.at >= START), key=lambda run: run.execution_id)


def pairs(spec: WorldSpec) -> list[tuple[Execution, Execution]]:
    """Each execution as usual, and as the setting makes it."""
    usual = {run.execution_id: run for talk in talks(PLAIN) for run in talk.executions}
    found = [(usual[run.execution_id], run) for run in runs(spec)]
    assert len(found) > 200
    return found


def cost(run: Execution) -> float:
    return sum((call.input_cost_usd or 0.0) + (call.output_cost_usd or 0.0) for call in run.calls)


def spent(run: Execution, phase: str) -> float:
    return sum(span.duration for span in run.spans if span.kind == "phase" and span.name == phase)


def failures(found: list[Execution]) -> int:
    return sum(run.status == "timeout" for run in found)


SETTINGS: list[tuple[str, Value]] = [
    ("model", "gpt-4.1-mini"), ("timeout_seconds", 1), ("batch_size", 1), ("prompt_cache", "off"), (ANSWERS, 0)
]  # fmt: skip


@pytest.mark.parametrize(("setting", "value"), SETTINGS)
def test_nothing_before_it_and_nobody_else_is_touched(setting: str, value: Value) -> None:
    spec = tuned(setting, value)
    for usual, made in zip(talks(PLAIN), talks(spec), strict=True):
        if (made.agent, made.environment) != (AGENT, "production") or made.executions[-1].at < START:
            assert made == usual
        assert [run for run in made.executions if run.at < START] == [run for run in usual.executions if run.at < START]
    later = replace(spec, settings=(*spec.settings, Tuned(AGENT, "production", setting, USUAL[setting], START + 600.0)))
    for once, twice in zip(talks(spec), talks(later), strict=True):
        for one, other in zip(once.executions, twice.executions, strict=True):
            assert one == other or other.at >= START + 600.0


@pytest.mark.parametrize(("setting", "value"), SETTINGS)
def test_parts_still_fit_into_the_whole(setting: str, value: Value) -> None:
    for talk in talks(tuned(setting, value)):
        ends = [run.end for run in talk.executions]
        assert all(before <= run.at for before, run in zip(ends, talk.executions[1:], strict=False)) and talk.end >= ends[-1]
        for run in talk.executions:
            phases = [span for span in run.spans if span.kind == "phase"]
            assert sum(span.duration for span in phases) == pytest.approx(run.duration, rel=1e-6)
            for begin, duration in [(call.at, call.duration) for call in (*run.calls, *run.tools)]:
                assert run.at - 1e-6 <= begin and begin + duration <= run.end + 1e-6
            assert (run.answer_tokens > 0) == (run.status == "success")


def test_what_is_usual_changes_nothing() -> None:
    for setting, value in USUAL.items():
        assert talks(tuned(setting, value)) == talks(PLAIN)


def test_another_model_has_its_own_price_and_pace() -> None:
    found = pairs(tuned("model", "gpt-4.1-mini"))
    assert {call.model for _, run in found for call in run.calls if call.operation == "chat"} == {"gpt-4.1-mini"}
    assert sum(cost(run) for _, run in found) < 0.25 * sum(cost(usual) for usual, _ in found)
    for usual, run in found:
        if usual.status == "success" and run.status == "success":
            before = next(MODEL[call.model] for call in usual.calls if call.operation == "chat")
            assert spent(run, "llm") == pytest.approx(spent(usual, "llm") * before.speed / MODEL["gpt-4.1-mini"].speed)
            assert spent(run, "tool") == pytest.approx(spent(usual, "tool"))
    assert all(cost(run) < 1e-3 for _, run in pairs(tuned("model", "llama-3.3-70b"))), "what has no price costs nothing"


def test_a_shorter_time_limit_gives_up_sooner_and_a_longer_one_waits() -> None:
    short = pairs(tuned("timeout_seconds", 2))
    assert all(run.duration <= 2.0 + 1e-9 for _, run in short)
    assert failures([run for _, run in short]) > 3 * failures([usual for usual, _ in short])
    for usual, run in short:
        assert run.status == "timeout" or (run.status, run.duration) == (usual.status, pytest.approx(usual.duration))
    hanging = [run for usual, run in pairs(tuned("timeout_seconds", 60)) if usual.status == "timeout"]
    assert hanging and {round(run.duration, 6) for run in hanging} == {60.0}


def test_what_a_load_test_asks_goes_as_the_agent_is_configured() -> None:
    def asked(spec: WorldSpec, at: float) -> list[Execution]:
        world = World(spec)
        return [world.asked(AGENT, "production", at, number) for number in range(50)]

    usual = asked(PLAIN, START)
    assert len({run.duration for run in usual}) > 40 and not failures(usual)
    assert asked(tuned("timeout_seconds", 1), START - 1.0) == asked(PLAIN, START - 1.0)
    for before, run in zip(usual, asked(tuned("timeout_seconds", 1), START), strict=True):
        assert (run.status, run.duration) == (("timeout", 1.0) if before.duration > 1.0 else ("success", before.duration))
    for before, run in zip(usual, asked(tuned(ANSWERS, 0), START), strict=True):
        assert run.duration >= before.duration and spent(run, "llm") == pytest.approx(spent(before, "llm"))


def test_small_batches_take_longer_to_look_up() -> None:
    for size, factor in ((1, 4.5), (16, 0.75)):
        for usual, run in pairs(tuned("batch_size", size)):
            if usual.status == "success":
                assert spent(run, "retrieval") == pytest.approx(spent(usual, "retrieval") * factor)
                assert spent(run, "llm") == pytest.approx(spent(usual, "llm"))


def test_without_the_prompt_cache_all_input_is_paid_for_in_full() -> None:
    found = pairs(tuned("prompt_cache", "off"))
    assert not any(call.cache_read_tokens for _, run in found for call in run.calls)
    for usual, run in found:
        if usual.status == "success":
            read = [[call.input_tokens + call.cache_read_tokens for call in one.calls] for one in (usual, run)]
            assert read[0] == read[1] and cost(run) >= cost(usual) and run.duration >= usual.duration
    assert sum(cost(run) for _, run in found) > 1.05 * sum(cost(usual) for usual, _ in found)


def test_answers_that_are_not_kept_are_looked_up_again() -> None:
    def mean(spec: WorldSpec, phase: str) -> float:
        found = [run for run in runs(spec) if run.status == "success"]
        return sum(spent(run, phase) for run in found) / len(found)

    for phase in ("retrieval", "tool"):
        assert mean(tuned(ANSWERS, 0), phase) > 2 * mean(PLAIN, phase) > 2 * mean(tuned(ANSWERS, 86400), phase)


def misses(spec: WorldSpec) -> float:
    registry = Registry()
    traffic = Traffic(registry, "production")
    first = int(START // 60 + 1) * 4
    traffic.advance(spec, first, first + 240)
    found = dict(lookups(registry))
    return found["miss"] / (found["miss"] + found["hit"])


def lookups(registry: Registry) -> Iterator[tuple[str, float]]:
    for name, labels, value in registry.samples():
        said = dict(labels)
        if name == "cache_operations_total" and (said["cache"], said["operation"]) == ("answers", "get"):
            yield said["result"], value


def test_the_caches_say_what_was_missed() -> None:
    off = tuned(ANSWERS, 0)
    weights = {"support": 0.34, "all": 1.0}
    expected = weights["support"] + (weights["all"] - weights["support"]) * MISSED
    assert missed(off, "production", START) == pytest.approx(expected)
    assert missed(off, "staging", START) is None and missed(off, "production", START - 1) is None
    assert misses(PLAIN) == pytest.approx(MISSED, rel=0.05) and misses(off) == pytest.approx(expected, rel=0.05)


def test_the_last_wish_holds() -> None:
    spec = replace(
        PLAIN,
        settings=(
            Tuned(AGENT, "production", "batch_size", 1, START),
            Tuned(AGENT, "production", "batch_size", 4, START + 60.0),
            Tuned(AGENT, "staging", "batch_size", 2, START),
        ),
    )
    assert in_force(spec, AGENT, "production", START - 1) == {}
    assert in_force(spec, AGENT, "production", START) == {"batch_size": 1}
    assert in_force(spec, AGENT, "production", START + 60.0) == {"batch_size": 4}


def test_what_holds_from_the_beginning_is_the_platforms_own() -> None:
    spec = replace(PLAIN, settings=(Tuned(*PLANTED, PLAIN.beginning), Tuned("sales", "production", "batch_size", 4, START)))
    assert own(spec, *PLANTED[:3]) == PLANTED[3] and own(spec, "sales", "production", "batch_size") == 8
    read = [call.cache_read_tokens for talk in talks(spec) if talk.agent == PLANTED[0] for run in talk.executions
            if run.environment == PLANTED[1] for call in run.calls]  # fmt: skip
    assert read and not any(read)


def test_an_incident_strikes_what_is_configured_so() -> None:
    """With a time limit of a second many executions have no call of a model yet that could fail."""
    struck = (Incident("errors", START, START + 1800.0), Incident("cost", START, START + 1800.0))
    found = [run for run in runs(replace(tuned("timeout_seconds", 1), incidents=struck)) if run.at < START + 1800.0]
    assert sum(run.status in ("error", "timeout") for run in found) > 0.6 * len(found)
