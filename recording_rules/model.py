"""What a recording rule and a rule group are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contract.signals.model import Leaf, Matches, Mean, Quantile, Resolve, Signal, aggregate, raw_leaf, selector

KEPT = "environment"
"""Label that every recorded series keeps beside those in its name, so that the dashboards' first filter always works."""

_SHORT = {"gen_ai_request_model": "model", "gen_ai_provider_name": "provider", "gen_ai_token_type": "type"}
"""How long labels of OpenTelemetry are called in the names of recorded series."""


def _level(labels: tuple[str, ...], subject: str) -> str:
    """The first part of a series' name: what its series are kept apart by, or what they are about when by nothing."""
    return "_".join(_SHORT.get(label, label) for label in labels if label != "le") or subject


@dataclass(frozen=True)
class RecordedRate:
    """The rate of one leaf, summed by `labels` (and `environment`) over `window`: the numerators and denominators.

    The series is called `level:name:rateWINDOW`, where `level` is the joined labels without `environment`, or `subject` where
    there are none. With `summed_from`, it adds up the rate of an earlier group that is recorded by those labels.
    """

    leaf: Leaf
    name: str
    labels: tuple[str, ...]
    window: str
    subject: str = KEPT
    summed_from: tuple[str, ...] = ()

    @property
    def all_labels(self) -> tuple[str, ...]:
        return (KEPT, *self.labels)

    @property
    def record(self) -> str:
        return f"{_level(self.labels, self.subject)}:{self.name}:rate{self.window}"

    @property
    def expression(self) -> str:
        if self.summed_from:
            return aggregate("sum", self.all_labels, replace(self, labels=self.summed_from).record)
        return self.leaf.raw(self.all_labels, self.window, ())


@dataclass(frozen=True)
class RecordedSignal:
    """A finished figure (a quantile, a mean, a ratio) by `labels` and `environment`.

    It is made from recorded rates of an earlier group; in a group of level 0 it is made from the scraped series at once, where
    the rates in between would be more series than the figure saves.
    """

    signal: Signal
    name: str
    labels: tuple[str, ...]
    window: str
    subject: str = KEPT

    @property
    def operation(self) -> str:
        if isinstance(self.signal, Quantile):
            return f"p{self.signal.quantile * 100:g}_"
        return "mean_" if isinstance(self.signal, Mean) else "ratio_rate"

    @property
    def record(self) -> str:
        return f"{_level(self.labels, self.subject)}:{self.name}:{self.operation}{self.window}"

    @property
    def all_labels(self) -> tuple[str, ...]:
        return (KEPT, *self.labels)


@dataclass(frozen=True)
class Formula:
    """A recorded series whose PromQL is written out, for what no signal says: bands, forecasts, service levels.

    `labels` are those that its series carry, `environment` included where they do; `added` are labels that the rule sets.
    """

    record: str
    expression: str
    labels: tuple[str, ...]
    added: tuple[tuple[str, str], ...] = ()

    @property
    def all_labels(self) -> tuple[str, ...]:
        return (*self.labels, *(name for name, _ in self.added))


Rule = RecordedRate | RecordedSignal | Formula


@dataclass(frozen=True)
class Recorded(Signal):
    """A recorded series as a signal, for panels and alerts that read what a formula made.

    `read` is what it was made from, and `carried` are its labels. `operator` says how series are merged: max, sum, min, avg.
    `remembered` is how long its last value counts after the series ended; empty for Prometheus' own five minutes.
    """

    record: str
    read: tuple[Leaf, ...]
    carried: tuple[str, ...]
    operator: str = "max"
    matches: Matches = ()
    remembered: str = ""
    offset: str = ""

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self.read

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(self.carried)

    def shifted(self, offset: str) -> Recorded:
        return replace(self, offset=offset)

    def expression(self, by: tuple[str, ...] = (), window: str = "", where: Matches = (), resolve: Resolve = raw_leaf) -> str:  # noqa: ARG002
        past = f" offset {self.offset}" if self.offset else ""
        series = selector(self.record, self.matches + where)
        inner = f"last_over_time({series}[{self.remembered}]{past})" if self.remembered else f"{series}{past}"
        return inner if set(by) == set(self.carried) else aggregate(self.operator, by, inner)


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated together, in order. At most 20.

    `level` 0 reads scraped series, 1 and above read series that were recorded at lower levels, and -1 gives scraped series
    their names of the contract.
    """

    name: str
    interval: str
    rules: tuple[Rule, ...]
    level: int

    def __post_init__(self) -> None:
        if len(self.rules) > 20:
            raise ValueError(f"rule group {self.name} has {len(self.rules)} rules; split it, 20 is the most")


def where_labels(where: Matches) -> frozenset[str]:
    return frozenset(match.label for match in where)
