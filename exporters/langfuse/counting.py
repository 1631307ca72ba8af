"""What a change of the ledger does to counters and roll-ups. Pure.

A row of the ledger is what was counted before; the row that Langfuse sends now is what is right. The roll-ups take the
difference, either way. Counters only rise: what falls is added to the corrections instead, so that for every measure the
counters less the corrections are the ledger. A histogram keeps the first observation of a call. Calls from before the counting
began are in the roll-ups only: filling in the past is no rush of calls.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from contract import buckets
from exporters.langfuse.calls import MICRO, UNKNOWN, Call, Score
from exporters.langfuse.usage import TOKEN_TYPES
from exporters.rollups.changes import STOCK
from exporters.rollups.model import SUMS

CALLS, UNPRICED, DURATIONS, FIRST_TOKENS = "llm_calls", "llm_unpriced", "llm_durations", "llm_first_tokens"
AGENTS, PROMPTS, SCORES, CORRECTIONS = "llm_agents", "llm_prompts", "llm_scores", "llm_corrections"
TRACES, USERS = "llm_traces", "llm_users"
SCORE_SUM = f"{STOCK}llm_score_sum"
"""The one thing that may fall: scores can be negative. In millionths."""

_MEASURES = {"input": "tokens", "output": "tokens", "cost_nano": "cost_usd"}
"""Sums whose falls are noted, and under which measure. Other kinds of tokens are parts of these two."""

_NO_SUMS = (0,) * (len(TOKEN_TYPES) + 1)

BOUNDS = buckets.LLM
MINUTES_KEPT = timedelta(hours=25)
"""What is older is counted by the hour: the minutes are not kept, and the past has many."""


@dataclass(frozen=True)
class LedgerFact:
    """A fact of the ledger. With `bounds`, the last sum is that of what the histogram counts, in microseconds.

    Sums are whole numbers: tokens, nano-USD, microseconds, millionths of a score. `counter`: it has totals that never fall.
    """

    name: str
    labels: tuple[str, ...]
    sums: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    counter: bool = True


FACTS: dict[str, LedgerFact] = {
    fact.name: fact
    for fact in (
        LedgerFact(CALLS, ("model", "environment", "status"), (*TOKEN_TYPES, "cost_nano")),
        LedgerFact(UNPRICED, ("model", "environment")),
        LedgerFact(TRACES, ("agent", "environment")),
        LedgerFact(DURATIONS, ("model", "environment"), ("duration_us",), BOUNDS),
        LedgerFact(FIRST_TOKENS, ("model", "environment"), ("duration_us",), BOUNDS),
        LedgerFact(
            AGENTS,
            ("agent", "version", "environment"),
            ("tokens", "cost_nano", "conversation_calls", "conversation_cost_nano", "failed"),
            counter=False,
        ),
        LedgerFact(USERS, ("department", "role", "environment"), ("tokens", "cost_nano", "failed"), counter=False),
        LedgerFact(
            PROMPTS,
            ("prompt_name", "prompt_version", "model", "environment"),
            ("input", "output", "cost_nano", "failed", "duration_us"),
            BOUNDS,
            counter=False,
        ),
        LedgerFact(SCORES, ("name", "source", "environment")),
        LedgerFact(CORRECTIONS, ("measure",), ("amount",)),
        LedgerFact(SCORE_SUM, ("name", "source", "environment")),
    )
}
"""By name, as `analytics.fresh`, `totals` and the roll-ups hold them."""


class Contribution(NamedTuple):
    """What one row adds to a cell. `observed` is what the histogram counts, in microseconds; None: nothing."""

    fact: str
    labels: tuple[str, ...]
    sums: tuple[int, ...] = ()
    observed: int | None = None


def _of_call(call: Call) -> Iterator[Contribution]:
    if not call.counts:
        return
    model, failed, cost = (call.model, call.environment), int(call.status != "success"), call.total_cost or 0
    yield Contribution(CALLS, (*model, call.status), (*call.tokens, cost))
    if call.total_cost is None:
        yield Contribution(UNPRICED, model)
    if call.duration is not None:
        yield Contribution(DURATIONS, model, observed=call.duration)
    if call.first_token is not None:
        yield Contribution(FIRST_TOKENS, model, observed=call.first_token)
    talked = int(call.conversation_id is not None)
    of_agent = (call.total_tokens, cost, talked, talked * cost, failed)
    yield Contribution(AGENTS, (call.agent, call.version or UNKNOWN, call.environment), of_agent)
    group = (call.department or UNKNOWN, call.user_role or UNKNOWN, call.environment)
    yield Contribution(USERS, group, (call.total_tokens, cost, failed))
    if call.prompt_name is not None:
        of_prompt = (*call.tokens[:2], cost, failed)
        labels = (call.prompt_name, str(call.prompt_version or UNKNOWN), *model)
        yield Contribution(PROMPTS, labels, of_prompt, call.duration)


def contributions(row: Call | Score) -> Iterator[Contribution]:
    """What a row adds to the counts."""
    if isinstance(row, Call):
        yield from _of_call(row)
    else:
        yield Contribution(SCORES, (row.name, row.source, row.environment))


def _time(row: Call | Score) -> datetime:
    return row.started_at if isinstance(row, Call) else row.at


_Counted = dict[tuple[str, tuple[str, ...]], Contribution]
Labels = tuple[str, ...]

_BOUNDS_US = [round(bound * MICRO) for bound in BOUNDS]

Cell = tuple[str, Labels, int | None]
"""Fact, labels, and the number of the histogram's bucket, None for what is in no histogram."""


def _cell(row: Contribution) -> Cell:
    return row.fact, row.labels, None if row.observed is None else bisect_left(_BOUNDS_US, row.observed)


def _figures(fact: str, n: int, sums: Iterable[int], observed: int | None) -> list[int]:
    """n and the sums, at the places that they have in the tables of counts."""
    found = [n, *sums]
    found += [0] * (1 + SUMS - len(found))
    if observed is not None:
        found[len(FACTS[fact].sums)] = observed
    return found


class Change(NamedTuple):
    """What is to be added to a cell: n and sums. Without `at` it concerns the total alone, else the bucket of time too."""

    fact: str
    at: datetime | None
    labels: Labels
    bucket: int | None
    figures: tuple[int, ...]


class Changes:
    """The sum of all changes of one page, written at `now`. `counted_from`: older rows are in the roll-ups only."""

    def __init__(self, counted_from: datetime, now: datetime) -> None:
        self._counted_from, self._coarse_before = counted_from, now - MINUTES_KEPT
        self._rolled: defaultdict[tuple[Cell, datetime], list[int]] = defaultdict(_nothing)
        self._totals: defaultdict[Cell, list[int]] = defaultdict(_nothing)

    def row(self, before: Call | Score | None, after: Call | Score) -> None:
        """Adds what one row changes; `before` is it as it was counted."""
        old = {} if before is None else {(each.fact, each.labels): each for each in contributions(before)}
        new = {(each.fact, each.labels): each for each in contributions(after)}
        if before is not None:
            self._roll(old.values(), -1, _time(before))
        self._roll(new.values(), +1, _time(after))
        if _time(after) >= self._counted_from:
            known = before is not None and _time(before) >= self._counted_from
            self._count(old if known else {}, new)
            if isinstance(after, Score):
                self._sum_scores(before if known and isinstance(before, Score) else None, after)

    def trace(self, first: Call) -> None:
        """Adds a trace, by the first of its calls that counts. It stays where that call was, whatever becomes of it."""
        trace = Contribution(TRACES, (first.agent, first.environment))
        self._roll((trace,), +1, first.started_at)
        if first.started_at >= self._counted_from:
            _add(self._totals[_cell(trace)], +1, _figures(TRACES, 1, (), None))

    def all(self) -> Iterator[Change]:
        """Everything that is to be added. What a bucket of time gets, its total gets; the rest is for the totals alone."""
        rest = defaultdict(_nothing, {cell: list(figures) for cell, figures in self._totals.items()})
        for (cell, at), figures in self._rolled.items():
            fact, labels, bucket = cell
            if any(figures):
                yield Change(fact, at, labels, bucket, tuple(figures))
                if FACTS[fact].counter:
                    _add(rest[cell], -1, figures)
        for (fact, labels, bucket), figures in rest.items():
            if any(figures):
                yield Change(fact, None, labels, bucket, tuple(figures))

    def _roll(self, rows: Iterable[Contribution], sign: int, at: datetime) -> None:
        moment = at.replace(second=0, microsecond=0)
        if at < self._coarse_before:
            moment = moment.replace(minute=0)
        for row in rows:
            _add(self._rolled[_cell(row), moment], sign, _figures(row.fact, 1, row.sums, row.observed))

    def _count(self, old: _Counted, new: _Counted) -> None:
        for key, now in new.items():
            if not FACTS[now.fact].counter:
                continue
            was = old.get(key)
            if was is None:
                _add(self._totals[_cell(now)], +1, _figures(now.fact, 1, now.sums, now.observed))
            elif was.sums != now.sums:
                rises = (max(0, amount - earlier) for amount, earlier in zip(now.sums, was.sums, strict=True))
                _add(self._totals[now.fact, now.labels, None], +1, _figures(now.fact, 0, rises, None))
        self._correct(old, new)

    def _correct(self, old: _Counted, new: _Counted) -> None:
        """Notes what counters could not take back: whole calls that are something else now, tokens and cost that are less."""
        for key, was in old.items():
            if was.fact != CALLS:
                continue
            now = new.get(key)
            falls = {"calls": int(now is None), "tokens": 0, "cost_usd": 0}
            for name, earlier, amount in zip(FACTS[CALLS].sums, was.sums, now.sums if now else _NO_SUMS, strict=True):
                if name in _MEASURES:
                    falls[_MEASURES[name]] += max(0, earlier - amount)
            for measure, amount in falls.items():
                if amount:
                    _add(self._totals[CORRECTIONS, (measure,), None], +1, _figures(CORRECTIONS, 1, (amount,), None))

    def _sum_scores(self, before: Score | None, after: Score) -> None:
        for score, sign in ((before, -1), (after, +1)):
            if score is not None and score.value is not None:
                labels = (score.name, score.source, score.environment)
                _add(self._totals[SCORE_SUM, labels, None], sign, _figures(SCORE_SUM, round(score.value * MICRO), (), None))


def _add(to: list[int], sign: int, figures: Iterable[int]) -> None:
    for place, amount in enumerate(figures):
        to[place] += sign * amount


def _nothing() -> list[int]:
    return [0] * (1 + SUMS)
