"""What changes of the ledger do to counters and roll-ups: never lost, never doubled, never falling."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.langfuse.calls import NANO, Call, Score
from exporters.langfuse.counting import (
    AGENTS,
    CALLS,
    CORRECTIONS,
    DURATIONS,
    FACTS,
    PROMPTS,
    SCORE_SUM,
    SCORES,
    UNPRICED,
    Change,
    Changes,
    contributions,
)

NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)


def a_call(id_: str = "1", minutes: float = 5, **others: object) -> Call:
    start = NOON + timedelta(minutes=minutes)
    call = Call(
        observation_id=id_, trace_id="t", session_id=None, user_key=None, agent="planner", version="1",
        environment="production", model="gpt-x", provider=None, type="GENERATION", level="DEFAULT", status="success",
        error_type=None, started_at=start, ended_at=start + timedelta(seconds=2), first_token_at=None,
        tokens=(100, 20, 30, 0, 0), total_tokens=120, input_cost=NANO, output_cost=NANO, total_cost=2 * NANO,
        cost_source="recorded", prompt_name=None, prompt_version=None, release=None, changed_at=start,
    )  # fmt: skip
    return call._replace(**others)


def counted(*steps: tuple[Call | Score | None, Call | Score]) -> Changes:
    changes = Changes(NOON, NOON + timedelta(hours=1))
    for before, after in steps:
        changes.row(before, after)
    return changes


def totals(changes: list[Change], fact: str) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for change in changes:
        if change.fact == fact:
            found[change.labels] += change.figures[0]
    return found


def test_an_open_call_counts_when_it_has_ended() -> None:
    open_ = a_call(ended_at=None, tokens=(0,) * 5, total_tokens=0, input_cost=None, output_cost=None, total_cost=None)
    assert list(counted((None, open_)).all()) == []
    found = list(counted((open_, a_call())).all())
    assert totals(found, CALLS) == {("gpt-x", "production", "success"): 1}


def test_a_call_without_an_end_counts_by_what_it_used() -> None:
    found = list(counted((None, a_call(ended_at=None))).all())
    assert totals(found, CALLS) == {("gpt-x", "production", "success"): 1}
    assert totals(found, DURATIONS) == {}
    ended = list(counted((a_call(ended_at=None), a_call())).all())
    assert totals(ended, CALLS) == {}
    assert totals(ended, DURATIONS) == {("gpt-x", "production"): 1}


def test_what_turns_out_to_be_something_else_is_a_correction() -> None:
    found = list(counted((a_call(), a_call(model="gpt-y"))).all())
    rolled = [change for change in found if change.at is not None and change.fact == CALLS]
    assert {change.labels[0]: change.figures[0] for change in rolled} == {"gpt-x": -1, "gpt-y": 1}
    assert totals(found, CALLS)["gpt-x", "production", "success"] == 0, "the counter of the old name stays"
    assert totals(found, CALLS)["gpt-y", "production", "success"] == 1
    amounts = {change.labels[0]: change.figures[1] for change in found if change.fact == CORRECTIONS}
    assert amounts == {"calls": 1, "tokens": 120, "cost_usd": 2 * NANO}


def test_a_duration_is_observed_once() -> None:
    longer = a_call(ended_at=a_call().started_at + timedelta(seconds=70))
    found = list(counted((a_call(), longer)).all())
    assert totals(found, DURATIONS) == {("gpt-x", "production"): 0}
    moved = {change.bucket: change.figures[0] for change in found if change.fact == DURATIONS and change.at is not None}
    assert sorted(moved.values()) == [-1, 1], "the roll-ups show what is right"


def test_calls_from_before_the_counting_are_in_the_roll_ups_only() -> None:
    found = list(counted((None, a_call(minutes=-5))).all())
    assert any(change.at is not None for change in found)
    assert set(totals(found, CALLS).values()) == {0}


def test_the_past_is_counted_by_the_hour() -> None:
    found = list(counted((None, a_call(minutes=-60 * 24 * 3 + 17))).all())
    assert {change.at.minute for change in found if change.at is not None} == {0}


def test_agents_prompts_and_prices() -> None:
    call = a_call(prompt_name="answer", prompt_version=3, conversation_id="7", total_cost=None, cost_source=None)
    found = {change.fact: change for change in counted((None, call)).all() if change.at is not None}
    assert found[UNPRICED].labels == ("gpt-x", "production")
    assert found[PROMPTS].labels == ("answer", "3", "gpt-x", "production")
    assert found[PROMPTS].figures == (1, 100, 20, 0, 0, 2_000_000, 0)
    assert found[AGENTS].figures == (1, 120, 0, 1, 0, 0, 0)


def a_score(value: float | None, at: datetime = NOON) -> Score:
    return Score("s", "helpful", "EVAL", "production", "NUMERIC", value, None, "t", None, None, at, at)


def test_the_sum_of_scores_may_fall_their_number_does_not() -> None:
    first = list(counted((None, a_score(0.5))).all())
    assert totals(first, SCORES) == {("helpful", "EVAL", "production"): 1}
    assert totals(first, SCORE_SUM) == {("helpful", "EVAL", "production"): 500_000}
    changed = list(counted((a_score(0.5), a_score(-1.0))).all())
    assert totals(changed, SCORES) == {}
    assert totals(changed, SCORE_SUM) == {("helpful", "EVAL", "production"): -1_500_000}


_MONEY = st.one_of(st.none(), st.integers(0, 5))
_VERSIONS = st.builds(
    lambda id_, minutes, model, status, cost, tokens, ended, length, changed: a_call(
        id_,
        minutes,
        model=model,
        status=status,
        total_cost=cost,
        cost_source="recorded" if cost is not None else None,
        tokens=(tokens, tokens, 0, 0, 0),
        total_tokens=2 * tokens,
        changed_at=NOON + timedelta(seconds=changed),
        ended_at=NOON + timedelta(minutes=minutes, seconds=length) if ended else None,
    ),
    st.sampled_from("abc"),
    st.sampled_from([-1, 0, 1, 2]),
    st.sampled_from(["x", "y"]),
    st.sampled_from(["success", "error"]),
    _MONEY,
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 100),
    st.integers(0, 9),
)


@settings(max_examples=300, deadline=None)
@given(pages=st.lists(st.lists(_VERSIONS, max_size=4), max_size=8))
def test_any_history_of_calls(pages: list[list[Call]]) -> None:
    ledger: dict[str, Call] = {}
    total: Counter[tuple[object, ...]] = Counter()
    rolled: Counter[tuple[object, ...]] = Counter()
    for page in pages:
        changes = Changes(NOON, NOON + timedelta(hours=1))
        for call in page:
            # a call keeps its place in time: only what is known about it changes
            if (old := ledger.get(call.observation_id)) is not None:
                call = call._replace(started_at=old.started_at)
            changes.row(old, call)
            ledger[call.observation_id] = call
        before = total.copy()
        for fact, at, labels, bucket, figures in changes.all():
            for place, amount in enumerate(figures):
                total[fact, labels, place] += amount
                total[fact, labels, "bucket", bucket] += figures[0] if place == 0 and bucket is not None else 0
                if at is not None:
                    rolled[fact, at, labels, bucket, place] += amount
        for key in total:
            if FACTS[str(key[0])].counter:
                assert total[key] >= before[key], f"{key} fell"
    expected: Counter[tuple[object, ...]] = Counter()
    for call in ledger.values():
        fresh = Changes(NOON, NOON + timedelta(hours=1))
        fresh.row(None, call)
        for fact, at, labels, bucket, figures in fresh.all():
            for place, amount in enumerate(figures):
                if at is not None:
                    expected[fact, at, labels, bucket, place] += amount
    assert +rolled == +expected, "the roll-ups are what a recount gives"
    assert not -rolled
    kept = [call for call in ledger.values() if call.started_at >= NOON and list(contributions(call))]

    def less_corrections(place: int, measure: str) -> int:
        counted_ = sum(n for key, n in total.items() if key[0] == CALLS and key[2] == place)
        return counted_ - total[CORRECTIONS, (measure,), 1]

    assert less_corrections(0, "calls") == len(kept)
    assert less_corrections(1, "tokens") + sum(n for k, n in total.items() if k[0] == CALLS and k[2] == 2) == sum(
        call.total_tokens for call in kept
    )
    assert less_corrections(6, "cost_usd") == sum(call.total_cost or 0 for call in kept)
