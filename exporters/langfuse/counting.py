"""What a change of the ledger does to counters and roll-ups. Pure.

A row of the ledger is what was counted before; the row that Langfuse sends now is what is right. The roll-ups take the
difference, either way. Counters only rise: what falls is added to the corrections instead, so that for every measure the
counters less the corrections are the ledger. A histogram keeps the first observation of a call.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from contract import buckets
from exporters.langfuse.calls import MICRO, UNKNOWN, Call, Score
from exporters.langfuse.usage import TOKEN_TYPES

CALLS, UNPRICED, DURATIONS, FIRST_TOKENS = "llm_calls", "llm_unpriced", "llm_durations", "llm_first_tokens"
AGENTS, PROMPTS, SCORES, CORRECTIONS = "llm_agents", "llm_prompts", "llm_scores", "llm_corrections"
BOUNDS = buckets.LLM


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
        LedgerFact(DURATIONS, ("model", "environment"), ("duration_us",), BOUNDS),
        LedgerFact(FIRST_TOKENS, ("model", "environment"), ("duration_us",), BOUNDS),
        LedgerFact(
            AGENTS,
            ("agent", "version", "environment"),
            ("tokens", "cost_nano", "conversation_calls", "conversation_cost_nano", "failed"),
            counter=False,
        ),
        LedgerFact(
            PROMPTS,
            ("prompt_name", "prompt_version", "model", "environment"),
            ("input", "output", "cost_nano", "failed", "duration_us"),
            BOUNDS,
            counter=False,
        ),
        LedgerFact(SCORES, ("name", "source", "environment")),
        LedgerFact(CORRECTIONS, ("measure",), ("amount",)),
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


@dataclass
class Cell:
    """Figures to be added to one cell: of a minute, or of the totals."""

    n: int = 0
    sums: list[int] = field(default_factory=list)
    histogram: list[int] = field(default_factory=list)

    def add(self, sign: int, n: int, sums: Iterable[int], observed: int | None, fact: LedgerFact) -> None:
        self.sums = self.sums or [0] * len(fact.sums)
        self.n += sign * n
        for place, amount in enumerate(sums):
            self.sums[place] += sign * amount
        if observed is not None:
            self.histogram = self.histogram or [0] * (len(BOUNDS) + 1)
            self.histogram[bisect_left(BOUNDS, observed / MICRO)] += sign
            self.sums[-1] += sign * observed

    def __bool__(self) -> bool:
        return bool(self.n or any(self.sums) or any(self.histogram))


Key = tuple[str, datetime | None, tuple[str, ...]]
"""Fact, minute (None: the totals) and labels."""


class Changes:
    """The sum of all changes of one page. `counted_from`: older rows are in the roll-ups only."""

    def __init__(self, counted_from: datetime) -> None:
        self._counted_from = counted_from
        self._cells: dict[Key, Cell] = {}

    def row(self, before: Call | Score | None, after: Call | Score) -> None:
        """Adds what one row changes; `before` is it as it was counted."""
        old = {} if before is None else {(each.fact, each.labels): each for each in contributions(before)}
        new = {(each.fact, each.labels): each for each in contributions(after)}
        if before is not None:
            self._roll(old.values(), -1, _time(before))
        self._roll(new.values(), +1, _time(after))
        if _time(after) >= self._counted_from:
            self._count(old if before is not None and _time(before) >= self._counted_from else {}, new)

    def cells(self) -> Iterator[tuple[Key, Cell]]:
        """What is to be added, without what came to nothing."""
        return ((key, cell) for key, cell in self._cells.items() if cell)

    def _cell(self, fact: str, at: datetime | None, labels: tuple[str, ...]) -> Cell:
        return self._cells.setdefault((fact, at, labels), Cell())

    def _roll(self, rows: Iterable[Contribution], sign: int, at: datetime) -> None:
        minute = at.replace(second=0, microsecond=0)
        for fact, labels, sums, observed in rows:
            self._cell(fact, minute, labels).add(sign, 1, sums, observed, FACTS[fact])

    def _count(self, old: _Counted, new: _Counted) -> None:
        for key, now in new.items():
            fact, was = FACTS[now.fact], old.get(key)
            if not fact.counter:
                continue
            if was is None:
                self._cell(now.fact, None, now.labels).add(+1, 1, now.sums, now.observed, fact)
                continue
            rises = [max(0, amount - earlier) for amount, earlier in zip(now.sums, was.sums, strict=True)]
            observed = now.observed if was.observed is None else None
            self._cell(now.fact, None, now.labels).add(+1, 0, rises, observed, fact)
        self._correct(old, new)

    def _correct(self, old: _Counted, new: _Counted) -> None:
        """Notes what counters could not take back: whole calls that are something else now, tokens and cost that are less."""
        for key, was in old.items():
            if was.fact != CALLS:
                continue
            now = new.get(key)
            falls = {"calls": int(now is None), "tokens": 0, "cost_usd": 0}
            for name, earlier, amount in zip(FACTS[CALLS].sums, was.sums, now.sums if now else (0,) * 6, strict=True):
                measure = "cost_usd" if name == "cost_nano" else "tokens" if name in ("input", "output") else ""
                if measure:
                    falls[measure] += max(0, earlier - amount)
            for measure, amount in falls.items():
                if amount:
                    self._cell(CORRECTIONS, None, (measure,)).add(+1, 1, (amount,), None, FACTS[CORRECTIONS])
