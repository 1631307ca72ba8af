"""What a recording rule and a rule group are."""

from __future__ import annotations

from dataclasses import dataclass

from contract.signals import Leaf, Matches, Quantile, Signal

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
class Group:
    """Rules that are evaluated together, in order. At most 20. `level` 0 reads scraped series, 1 reads recorded ones."""

    name: str
    interval: str
    rules: tuple[RecordedRate | RecordedSignal, ...]
    level: int

    def __post_init__(self) -> None:
        if len(self.rules) > 20:
            raise ValueError(f"rule group {self.name} has {len(self.rules)} rules; split it, 20 is the most")


def where_labels(where: Matches) -> frozenset[str]:
    return frozenset(match.label for match in where)
