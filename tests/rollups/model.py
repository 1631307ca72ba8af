"""What roll-ups have to say, worked out row by row in plain Python from what was committed: the truth that tests go by.

Nothing here is taken from the SQL of the roll-ups; only names of facts, labels and sums are shared, and the bounds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contract import buckets
from contract.catalogue import metric
from tests.rollups.writers import Row

Labels = tuple[tuple[str, str], ...]
Cell = tuple[str, Labels]
Figures = Counter[str]
"""`n`, the names of sums, and `le0`, `le1` … for the buckets of a histogram."""

Series = tuple[str, tuple[str, ...]]
"""Name of a metric, and labels in its order."""

SHOWN = (
    ("platform_executions_started_total", "executions_started", "n"),
    ("platform_executions_total", "executions_ended", "n"),
    ("platform_execution_errors_total", "executions_ended", "n"),
    ("platform_execution_tokens_total", "executions_ended", "tokens"),
    ("platform_execution_retries_total", "executions_ended", "retries"),
    ("platform_execution_duration_seconds", "executions_ended", "duration_us"),
    ("platform_tickets_created_total", "tickets_created", "n"),
    ("platform_ticket_first_response_seconds", "tickets_responded", "duration_us"),
    ("platform_tickets_resolved_total", "tickets_resolved", "n"),
    ("platform_ticket_resolution_seconds", "tickets_resolved", "duration_us"),
    ("platform_ticket_reopens_total", "ticket_reopens", "reopens"),
    ("platform_ticket_sla_total", "ticket_sla_responses", "n"),
    ("platform_ticket_sla_total", "ticket_sla_resolutions", "n"),
    ("platform_kb_searches_total", "kb_searches", "n"),
    ("platform_kb_search_duration_seconds", "kb_searches", "duration_us"),
)
"""What metrics are made of: the fact that they count, and what of it. Who shows durations is a histogram."""

TIERS = {"minutes": 60, "hours": 3600, "days": 86400}
"""The views of what happened, and the seconds of their buckets."""


@dataclass(frozen=True)
class Part:
    """What one row gives to one cell, and to which bucket of its histogram."""

    fact: str
    at: datetime
    labels: Labels
    bucket: str | None
    figures: tuple[tuple[str, int], ...]


def part(fact: str, at: datetime, labels: Row, bounds: tuple[float, ...] = (), **sums: int | None) -> Part:
    figures = {"n": 1, **{name: value for name, value in sums.items() if value}}
    bucket = None
    if bounds and (duration := sums["duration_us"]) is not None:
        bucket = f"le{bisect_left(bounds, duration / 1e6)}"
        figures[bucket] = 1
    return Part(fact, at, tuple(sorted(labels.items())), bucket, tuple(figures.items()))


def _microseconds(begin: datetime, end: datetime) -> int:
    return max(0, (end - begin) // timedelta(microseconds=1))


def _in_progress(row: Row) -> bool:
    return row["status"] == "in_progress"


def _executions(row: Row) -> Iterable[Part]:
    place = {"agent": row["agent_name"], "version": row["version"] or "unknown", "environment": row["environment"]}
    begin, end, measured = row["start_time"], row["end_time"], row["duration_ms"]
    yield part("executions_started", begin, place)
    if _in_progress(row):
        return
    words = {"success": "success", "Failed": "error", "timeout": "timeout", "canceled": "cancelled", "odd": "error"}
    status = words[row["status"]]
    failed = status in ("error", "timeout")
    said = row["error_type"] if row["error_type"] == "tool" else "timeout" if status == "timeout" else "other"
    duration = round(measured * 1000) if measured is not None else _microseconds(begin, end) if end is not None else None
    if end is None:
        end = begin + timedelta(milliseconds=measured or 0)
    yield part(
        "executions_ended",
        end,
        {
            **place,
            "status": status,
            "outcome": "failed" if failed else "success" if status == "success" else "",
            "error_type": said if failed else "",
        },
        buckets.AGENT,
        duration_us=duration,
        tokens=row["tokens_used"],
        retries=row["retry_count"],
        tool_calls=row["tool_count"],
    )


def _executions_there(row: Row) -> Iterable[Cell]:
    if _in_progress(row):
        yield "executions_in_progress", (("agent", row["agent_name"]), ("environment", row["environment"]))


def _is_open(row: Row) -> bool:
    return row["status"] in ("open", "in_progress", "waiting")


def _priority(row: Row) -> str:
    return row["priority"] if row["priority"] in ("low", "normal", "high", "urgent") else "other"


def _tickets(row: Row) -> Iterable[Part]:
    priority, created = {"priority": _priority(row)}, row["created_at"]
    yield part("tickets_created", created, priority)
    if (answered := row["first_response_at"]) is not None:
        yield part("tickets_responded", answered, priority, buckets.TICKET, duration_us=_microseconds(created, answered))
    if (resolved := row["resolved_at"]) is not None:
        outcome = {"category": row.get("category", "unknown"), "reopened": "yes" if row["reopened_count"] else "no"}
        yield part(
            "tickets_resolved",
            resolved,
            {**priority, **outcome},
            buckets.TICKET,
            duration_us=_microseconds(created, resolved),
        )
    if row["reopened_count"]:
        yield part("ticket_reopens", created, priority, reopens=row["reopened_count"])
    for fact, kind, served, due in (
        ("ticket_sla_responses", "first_response", answered, row["sla_first_response_due_at"]),
        ("ticket_sla_resolutions", "resolution", resolved, row["sla_resolution_due_at"]),
    ):
        if served is not None and due is not None:
            result = "met" if served <= due else "breached"
            yield part(fact, served, {"kind": kind, "result": result, **priority})


def _tickets_there(row: Row) -> Iterable[Cell]:
    priority = ("priority", _priority(row))
    yield "tickets", (priority, ("status", row["status"]))
    if _is_open(row) and row["assignee_id"] is None:
        yield "tickets_unassigned", (priority,)


def _searches(row: Row) -> Iterable[Part]:
    result = {"result": "found" if row["result_count"] else "empty"}
    duration = round(row["duration_ms"] * 1000)
    yield part("kb_searches", row["at"], result, buckets.SEARCH, duration_us=duration, results=row["result_count"])


@dataclass(frozen=True)
class Meaning:
    """What the rows of a source mean: what happened, what there is, and whether a row is open."""

    relation: str
    happened: Callable[[Row], Iterable[Part]]
    there: Callable[[Row], Iterable[Cell]] = lambda _row: ()
    is_open: Callable[[Row], bool] = lambda _row: False


MEANINGS = {
    "executions": Meaning("agent_executions", _executions, _executions_there, _in_progress),
    "tickets": Meaning("tickets", _tickets, _tickets_there, _is_open),
    "kb_searches": Meaning("kb_searches", _searches),
}


@dataclass
class Truth:
    """What was counted of a source, step by step. `follows` is false where changes of final rows are not seen.

    `counters` are what happened, as is known now. Metrics add what a step adds to a label set that they show (and a bucket,
    where they have these) and never take away; `fell` names those that would have had to. `erased` rows happened.
    """

    meaning: Meaning
    follows: bool = True
    counted: dict[Any, Row] = field(default_factory=dict)
    known: set[Any] = field(default_factory=set)
    erased: list[Row] = field(default_factory=list)
    counters: dict[Cell, Figures] = field(default_factory=lambda: defaultdict(Counter))
    metrics: dict[Series, Figures] = field(default_factory=lambda: defaultdict(Counter))
    fell: set[Series] = field(default_factory=set)
    tiers: dict[tuple[str, Cell, datetime], Figures] = field(default_factory=lambda: defaultdict(Counter))

    def step(self, rows: dict[Any, Row], new: set[Any] | None = None) -> None:
        """A step that sees `rows`. Of keys that were never counted it looks only at `new` (None: at all)."""
        looked = {key: row for key, row in rows.items() if self._looks(key, new)}
        gone = {key for key in self.counted if key not in rows and (self.follows or self.meaning.is_open(self.counted[key]))}
        changes: dict[tuple[Cell, str | None], Figures] = defaultdict(Counter)
        for key, row in looked.items():
            before = self.counted.get(key)
            if before == row:
                continue
            for sign, image in ((1, row), (-1, before)):
                for each in self.meaning.happened(image) if image is not None else ():
                    self._add(each, sign, changes)
        for (cell, _), figures in changes.items():
            self.counters[cell].update(figures)
        self._show(changes)
        self.known |= looked.keys() | (new or set())
        self.erased += [self.counted[key] for key in gone]
        self.counted = {key: row for key, row in self.counted.items() if key not in gone} | looked

    def _looks(self, key: Any, new: set[Any] | None) -> bool:
        if key not in self.known:
            return new is None or key in new
        return self.follows or (key in self.counted and self.meaning.is_open(self.counted[key]))

    def _add(self, each: Part, sign: int, changes: dict[tuple[Cell, str | None], Figures]) -> None:
        cell = (each.fact, each.labels)
        amounts = {name: sign * amount for name, amount in each.figures}
        changes[cell, each.bucket].update(amounts)
        for tier, seconds in TIERS.items():
            bucket = datetime.fromtimestamp(each.at.timestamp() // seconds * seconds, UTC)
            self.tiers[tier, cell, bucket].update(amounts)

    def _show(self, changes: dict[tuple[Cell, str | None], Figures]) -> None:
        events: dict[tuple[Series, str | None], Figures] = defaultdict(Counter)
        for name, fact, of in SHOWN:
            for (cell, bucket), figures in changes.items():
                labels = tuple(dict(cell[1])[label] for label in metric(name).labels) if cell[0] == fact else ("",)
                if "" in labels:
                    continue
                if of != "duration_us":
                    events[(name, labels), None].update({"n": figures[of]})
                elif bucket is not None:
                    events[(name, labels), bucket].update({bucket: figures[bucket], "sum": figures[of]})
        for (series, _), figures in events.items():
            self.metrics[series].update({name: amount for name, amount in figures.items() if amount > 0})
            if min(figures.values()) < 0:
                self.fell.add(series)

    def recomputed(self) -> Truth:
        """What one step would say that saw all rows for the first time, as they were counted last."""
        plain = Truth(self.meaning)
        plain.step(dict(enumerate([*self.counted.values(), *self.erased])))
        return plain

    def stocks(self) -> dict[Cell, int]:
        return dict(Counter(cell for row in self.counted.values() for cell in self.meaning.there(row)))


def told(figures: dict[Any, Figures]) -> dict[Any, dict[str, int]]:
    """Without what is zero."""
    return {key: shown for key, each in figures.items() if (shown := {name: value for name, value in each.items() if value})}
