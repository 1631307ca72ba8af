"""Replays the rules of a build over history, a few hours at a time, so that memory does not grow with the window.

Every rule is evaluated by range queries at its group's interval, at whole multiples of it; a rule that reads another sees what
that one gave at the same moment.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

from provisioning.rules import plan as planning
from provisioning.rules.built import AlertingRule, Build, Labels, RecordingRule
from provisioning.rules.history import Answer, History, QueryError, Span, aligned
from provisioning.rules.plan import Plan, Readings, Task, Window
from provisioning.rules.server import Workshop, workshop
from provisioning.rules.states import Firing, Lives
from provisioning.rules.wire import STALE, Series

CHUNK_SECONDS = 6 * 3600.0
_AT_ONCE = 2
_MOST_POINTS = 10_000
"""Prometheus refuses a range query with more than 11,000 points."""

Progress = Callable[[float], None]
"""Told the share done, 0 to 1."""


@dataclass(frozen=True)
class Replayed:
    """When alerts fired within the window, in order, and what the server said of rules that it refused, by their names.

    `recomputed` are the recorded series that history did not have as the build makes them.
    """

    build: Build
    window: Window
    firings: tuple[Firing, ...]
    refused: dict[str, str]
    recomputed: tuple[str, ...]


def replay(build: Build, history: History, window: Window, progress: Progress, oldest: float = 0.0) -> Replayed:
    """When each alert of a build would have fired in a window. History is known to have nothing before `oldest`.

    Raises Unreachable, and InputError without a Prometheus.
    """
    readings = Readings(build)
    plan = planning.made(readings, planning.usable(readings, history, window), window)
    with workshop() if plan.levels else nullcontext(None) as bench:
        run = _Run(plan, history, bench, oldest)
        firings = run.through(progress)
    names = tuple(sorted({task.rule.name for level in plan.levels for task in level}))
    return Replayed(build, window, tuple(firings), dict(sorted(run.refused.items())), names)


@dataclass
class _Run:
    plan: Plan
    history: History
    bench: Workshop | None
    oldest: float
    refused: dict[str, str] = field(default_factory=dict)
    _alive: defaultdict[tuple[int, int], set[Labels]] = field(default_factory=lambda: defaultdict(set))
    """By place of a recording rule in the plan: its series that had a value at its latest evaluation."""

    def through(self, progress: Progress) -> list[Firing]:
        lives = [Lives(task.rule) for task in self.plan.alerts if isinstance(task.rule, AlertingRule)]
        found: list[Firing] = []
        begin, end = max(self.plan.since, self.oldest), self.plan.window.until
        with ThreadPoolExecutor(_AT_ONCE) as asking:
            for since, until in self._chunks(begin, end):
                self._copy(since, until)
                for number, level in enumerate(self.plan.levels):
                    self._record(number, level, since, until, asking)
                spans = [_span(task, since, until) for task in self.plan.alerts]
                answers = asking.map(self._ask, self.plan.alerts, spans)
                for life, span, answer in zip(lives, spans, answers, strict=True):
                    if span is not None:
                        found += life.go_on(span.times, _by_data(life.rule, answer))
                progress((until - begin) / (end - begin))
        found += [firing for life in lives for firing in life.still_firing()]
        inside = (one for one in found if one.until is None or one.until > self.plan.window.since)
        return sorted(inside, key=lambda one: (one.since, one.alert, one.labels))

    def _chunks(self, begin: float, end: float) -> Iterator[tuple[float, float]]:
        tasks = [*self.plan.alerts, *(task for level in self.plan.levels for task in level)]
        shortest = min((task.rule.interval for task in tasks), default=60.0)
        length = min(CHUNK_SECONDS, _MOST_POINTS * shortest)
        while begin < end:
            until = min(end, (math.floor(begin / length) + 1) * length)
            yield begin, until
            begin = until

    def _copy(self, since: float, until: float) -> None:
        for selector, begin in self.plan.copied:
            if self.bench is None or begin >= until or selector in self.refused:
                continue
            try:
                self.bench.write(self.history.samples(selector, max(since, begin), until))
            except QueryError as problem:
                self.refused[selector] = str(problem)

    def _record(self, number: int, level: Sequence[Task], since: float, until: float, asking: ThreadPoolExecutor) -> None:
        assert self.bench is not None
        spans = [_span(task, since, until) for task in level]
        for place, (task, span, answer) in enumerate(zip(level, spans, asking.map(self._ask, level, spans), strict=True)):
            if span is not None and isinstance(task.rule, RecordingRule):
                self.bench.write(_recorded(task.rule, answer, span, self._alive[number, place]))

    def _ask(self, task: Task, span: Span | None) -> Answer:
        if span is None or task.rule.name in self.refused:
            return {}
        where = self.bench if task.local and self.bench else self.history
        try:
            return where.range(task.rule.expression, span)
        except QueryError as problem:
            self.refused[task.rule.name] = str(problem)
            return {}


def _span(task: Task, since: float, until: float) -> Span | None:
    return aligned(max(since, task.since), until, task.rule.interval)


def _recorded(rule: RecordingRule, answer: Answer, span: Span, alive: set[Labels]) -> Iterator[Series]:
    """The samples that a rule records; what has no value any more ends, as when Prometheus records."""
    found = {_with(labels, rule.labels): points for (_, labels), points in answer.items()}
    for labels in sorted(found.keys() | alive):
        points, samples, there = found.get(labels, {}), [], labels in alive
        for at in span.times:
            value = points.get(at)
            if value is not None:
                samples.append((at, value))
            elif there:
                samples.append((at, STALE))
            there = value is not None
        (alive.add if there else alive.discard)(labels)
        if samples:
            yield rule.record, labels, samples


def _by_data(rule: AlertingRule, answer: Answer) -> dict[Labels, dict[float, float]]:
    """Values by the labels of the data; a label that the rule sets is the rule's."""
    own = {name for name, _ in rule.labels}
    return {tuple(pair for pair in labels if pair[0] not in own): points for (_, labels), points in answer.items()}


def _with(labels: Labels, given: Labels) -> Labels:
    return tuple(sorted((dict(labels) | dict(given)).items()))
