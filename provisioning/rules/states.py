"""The life of an alert, as Prometheus leads it: pending for a while, firing, kept firing for a while, resolved.

Every set of labels has a life of its own. What is done at one evaluation follows Prometheus' `AlertingRule.Eval`; a test holds
it against `promtool test rules`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from provisioning.rules.built import AlertingRule, Labels
from provisioning.rules.selectors import falls


@dataclass(frozen=True)
class Firing:
    """One time that an alert fired: moments in seconds since the epoch, `until` None while it goes on.

    `pending` is when its condition began to hold. `peak` is its value when it was worst: the highest, or the lowest of an
    alert on what is too low. `labels` are those of the data.
    """

    alert: str
    labels: Labels
    pending: float
    since: float
    until: float | None
    peak: float

    def overlaps(self, other: Firing) -> bool:
        ends = [math.inf if one.until is None else one.until for one in (self, other)]
        return self.since <= ends[1] and other.since <= ends[0]


@dataclass
class _Life:
    """From the first moment that the condition holds until it is resolved."""

    pending: float
    since: float | None = None
    kept_since: float | None = None
    worst: float = math.nan


@dataclass
class Lives:
    """All label sets of one alert, carried on from stretch to stretch of time."""

    rule: AlertingRule
    _running: dict[Labels, _Life] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._worse = min if falls(self.rule.expression) else max

    def go_on(self, times: Sequence[float], values: Mapping[Labels, Mapping[float, float]]) -> Iterator[Firing]:
        """Evaluates at every one of `times` (rising); `values` holds what the expression gave, by labels and time.

        Yields what fired and was resolved within.
        """
        for labels in sorted(self._running.keys() | values.keys()):
            found = values.get(labels, {})
            for at in times:
                if (ended := self._evaluate(labels, at, found.get(at))) is not None:
                    yield ended

    def still_firing(self) -> Iterable[Firing]:
        """What fires when the last evaluation is done."""
        return [
            Firing(self.rule.alert, labels, life.pending, life.since, None, life.worst)
            for labels, life in sorted(self._running.items())
            if life.since is not None
        ]

    def _evaluate(self, labels: Labels, at: float, value: float | None) -> Firing | None:
        life = self._running.get(labels)
        if value is None:
            return self._absent(labels, life, at) if life else None
        if life is None:
            life = self._running[labels] = _Life(at)
        life.kept_since = None
        life.worst = value if math.isnan(life.worst) else self._worse(life.worst, value)
        if life.since is None and at - life.pending >= self.rule.hold:
            life.since = at
        return None

    def _absent(self, labels: Labels, life: _Life, at: float) -> Firing | None:
        """The condition no longer holds."""
        if life.since is not None and self.rule.keep:
            life.kept_since = at if life.kept_since is None else life.kept_since
            if at - life.kept_since < self.rule.keep:
                return None
        del self._running[labels]
        return None if life.since is None else Firing(self.rule.alert, labels, life.pending, life.since, at, life.worst)
