"""What has to be evaluated to know when alerts would have fired: which rules, where, from when on, and in which order.

History is read where it is. A recorded series is recomputed when history does not have it as the build would make it; whatever
reads a recomputed series is evaluated in the workshop, and other series that it reads are copied there.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from provisioning.findings import InputError
from provisioning.rules.built import AlertingRule, Build, RecordingRule, Rule
from provisioning.rules.history import Answer, History, QueryError, aligned
from provisioning.rules.selectors import Selected, normal, selected

_COVERAGE_POINTS = 500


@dataclass(frozen=True)
class Window:
    """A stretch of time, (since, until], in seconds since the epoch."""

    since: float
    until: float


@dataclass(frozen=True)
class Task:
    """A rule, from when on it is evaluated, and whether in the workshop."""

    rule: Rule
    since: float
    local: bool


@dataclass(frozen=True)
class Plan:
    """Recording rules level by level, alerts, and the selectors that are copied to the workshop, each from its moment on."""

    levels: tuple[tuple[Task, ...], ...]
    alerts: tuple[Task, ...]
    copied: tuple[tuple[str, float], ...]
    window: Window

    @property
    def since(self) -> float:
        tasks = [task for level in self.levels for task in level]
        return min([self.window.since, *(task.since for task in (*tasks, *self.alerts)), *(since for _, since in self.copied)])


@dataclass(frozen=True)
class Readings:
    """What the rules of a build read of each other."""

    build: Build

    @cached_property
    def by_name(self) -> dict[str, list[RecordingRule]]:
        """Several rules may make series of one name."""
        found: defaultdict[str, list[RecordingRule]] = defaultdict(list)
        for rule in self.build.recording:
            found[rule.record].append(rule)
        return dict(found)

    @cached_property
    def of(self) -> dict[str, list[Selected]]:
        """What each expression selects."""
        return {rule.expression: selected(rule.expression) for rule in self.build.rules}

    @cached_property
    def order(self) -> dict[str, int]:
        """The level of every recorded name that alerts read, directly or not: 0 for what reads no other.

        Raises InputError when a rule reads, on whatever way, what it makes: it cannot be replayed.
        """
        found: dict[str, int] = {}

        def visit(name: str, above: tuple[str, ...]) -> int:
            if name in above:
                raise InputError(f"error: {self.build.place}: {' reads '.join((*above, name))}; that cannot be replayed")
            if name not in found:
                inputs = {read.name for rule in self.by_name[name] for read in self.of[rule.expression]}
                below = [visit(one, (*above, name)) for one in sorted(inputs & self.by_name.keys())]
                found[name] = max(below, default=-1) + 1
            return found[name]

        for alert in self.build.alerting:
            for read in self.of[alert.expression]:
                if read.name in self.by_name:
                    visit(read.name, ())
        return found


def made(readings: Readings, kept: frozenset[str], window: Window) -> Plan:
    """The plan for a window; recorded series of the names `kept` are taken from history."""
    names = [name for name in readings.order if name not in kept]
    begins: dict[str, float] = {}
    copied: dict[str, float] = {}

    def task(rule: Rule, since: float) -> Task:
        reads = readings.of[rule.expression]
        local = any(read.name in names for read in reads)
        for read in reads if local else []:
            held = begins if read.name in names else copied
            key = read.name if read.name in names else read.text
            held[key] = min(held.get(key, since), since - read.reach)
        return Task(rule, since, local)

    alerts = tuple(task(rule, window.since - _warm_up(rule)) for rule in readings.build.alerting)
    levels: defaultdict[int, list[Task]] = defaultdict(list)
    # From the top down: what reads a series says from when on it is wanted.
    for name in sorted(names, key=lambda name: -readings.order[name]):
        levels[readings.order[name]] += [task(rule, begins[name] - rule.interval) for rule in readings.by_name[name]]
    return Plan(tuple(tuple(levels[level]) for level in sorted(levels)), alerts, tuple(sorted(copied.items())), window)


def _warm_up(rule: AlertingRule) -> float:
    """How long before the window an alert is looked at, to know whether it was firing when the window begins."""
    return rule.hold + rule.keep + 2 * rule.interval


def usable(readings: Readings, history: History, window: Window) -> frozenset[str]:
    """Names of recorded series that history has as the build would have made them.

    Their rules are those of the server, all that they read are usable too, and they are there from the beginning, or as long
    as what they are made from. Raises Unreachable.
    """
    theirs: defaultdict[str, set[tuple[str, frozenset[tuple[str, str]]]]] = defaultdict(set)
    for rule in history.recorded():
        theirs[str(rule["name"])].add((normal(str(rule["query"])), frozenset((rule.get("labels") or {}).items())))
    found: set[str] = set()
    for name in sorted(readings.order, key=lambda name: readings.order[name]):
        rules = readings.by_name[name]
        same = {(normal(rule.expression), frozenset(rule.labels)) for rule in rules} == theirs[name]
        inputs = {read.name for rule in rules for read in readings.of[rule.expression]} & readings.by_name.keys()
        if same and inputs <= found and _covered(name, readings, history, window):
            found.add(name)
    return frozenset(found)


def _covered(name: str, readings: Readings, history: History, window: Window) -> bool:
    """Whether a recorded series begins where it is wanted, or where what it is made from begins."""
    reach = max(read.reach for reads in readings.of.values() for read in reads if read.name == name)
    since = window.since - reach
    step = max(300.0, (window.until - since) // _COVERAGE_POINTS)
    span = aligned(since, window.until, step)
    if span is None:
        return True
    try:
        first = _first(history.range(f"count({name})", span))
        if first <= span.start + step:
            return True
        return all(_first(history.range(f"count({rule.expression})", span)) > first - step for rule in readings.by_name[name])
    except QueryError:
        return False


def _first(answer: Answer) -> float:
    return min((at for points in answer.values() for at in points), default=float("inf"))
