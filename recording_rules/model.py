"""What a recording rule and a rule group are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contract.signals.model import Leaf, Matches, Quantile, Resolve, Signal, aggregate, raw_leaf, selector

KEPT = "environment"
"""Label that every recorded series keeps beside those in its name, so that the dashboards' first filter always works."""


@dataclass(frozen=True)
class RecordedRate:
    """The rate of one leaf, summed by `labels` (and `environment`) over `window`: the numerators and denominators.

    The series is called `level:name:rateWINDOW`, where `level` is the joined labels without `environment`.
    """

    leaf: Leaf
    name: str
    labels: tuple[str, ...]
    window: str

    @property
    def all_labels(self) -> tuple[str, ...]:
        return (KEPT, *self.labels)

    @property
    def level(self) -> str:
        return "_".join(label for label in self.labels if label != "le") or "environment"

    @property
    def record(self) -> str:
        return f"{self.level}:{self.name}:rate{self.window}"

    @property
    def expression(self) -> str:
        return self.leaf.raw(self.all_labels, self.window, ())


@dataclass(frozen=True)
class RecordedSignal:
    """A finished figure (a quantile, a ratio) by `labels` and `environment`, made from recorded rates of an earlier group."""

    signal: Signal
    name: str
    labels: tuple[str, ...]
    window: str

    @property
    def record(self) -> str:
        level = "_".join(self.labels) or "environment"
        operation = f"p{self.signal.quantile * 100:g}" if isinstance(self.signal, Quantile) else "ratio_rate"
        return f"{level}:{self.name}:{operation}{'_' if operation.startswith('p') else ''}{self.window}"

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
