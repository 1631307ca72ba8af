"""Signals: questions about metrics, asked once and rendered wherever they are needed.

A signal knows its metrics, its unit and what it means. It renders itself as PromQL for any grouping, window and filter:
a panel asks with `$__rate_interval`, a rule with a fixed window. `recording_rules.registry` renders the same signal from
recorded series where they fit; authors never choose.

Ratios follow `sum(rate(part)) / (sum(rate(all)) > 0)`, where a part that has no series yet counts as zero and a whole without
traffic gives no value at all, so that silence is never mistaken for success or failure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from contract.buckets import bound_spelling
from contract.catalogue import metric, series_catalogue
from contract.durations import duration_seconds, duration_text
from contract.metrics import Metric, MetricType, Source
from contract.signals.selectors import Match as Match
from contract.signals.selectors import Matches as Matches
from contract.signals.selectors import aggregate as aggregate
from contract.signals.selectors import equal as equal
from contract.signals.selectors import like as like
from contract.signals.selectors import other as other
from contract.signals.selectors import selector as selector


@dataclass(frozen=True)
class Leaf:
    """The rate of one series family: what recording rules precompute and signals are made of."""

    series: str
    matches: Matches = ()
    offset: str = ""
    """How long ago the question is about: a duration, or empty for now."""

    @property
    def metric(self) -> Metric:
        return series_catalogue()[self.series]

    @property
    def past(self) -> str:
        """What is written behind a selector or range to ask about the past."""
        return f" offset {self.offset}" if self.offset else ""

    def raw(self, by: tuple[str, ...], window: str, where: Matches, function: str = "rate") -> str:
        """Per-second rate (or, with `increase`, growth) over `window`, summed by `by`, from the scraped series.

        All replicas of our exporter export the same totals, so replicas are merged by their maximum, after the rate.
        """
        rate = f"{function}({selector(self.series, self.matches + where)}[{window}]{self.past})"
        if self.metric.source not in (Source.PLATFORM, Source.FOREIGN):
            rate = f"max without (instance) ({rate})"
        return aggregate("sum", by, rate)


Resolve = Callable[[Leaf, tuple[str, ...], str, Matches], str]


def raw_leaf(leaf: Leaf, by: tuple[str, ...], window: str, where: Matches) -> str:
    """The resolver that never uses a recorded series."""
    return leaf.raw(by, window, where)


@dataclass(frozen=True)
class Signal(ABC):
    """What all signals have. `unit` is a Grafana unit id; `labels` are what it may be grouped and filtered by."""

    key: str
    title: str
    description: str
    unit: str

    @property
    @abstractmethod
    def leaves(self) -> tuple[Leaf, ...]:
        """The series that it is made of."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics it reads."""
        return tuple(dict.fromkeys(leaf.metric.name for leaf in self.leaves))

    @property
    def labels(self) -> frozenset[str]:
        """The labels that it may be grouped and filtered by: those that everything it reads carries."""
        return frozenset.intersection(*(leaf.metric.all_labels for leaf in self.leaves))

    @property
    def source(self) -> str:
        """Where its figures come from: platform, postgres, langfuse, exporter or foreign."""
        return self.leaves[0].metric.source.value

    def shifted(self, offset: str) -> Signal:
        """The same question about the time `offset` ago. Raises ValueError where that makes no sense."""
        raise ValueError(f"signal {self.key} cannot be asked about {offset} ago")

    @abstractmethod
    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        """PromQL of the signal, one series per combination of `by`."""


@dataclass(frozen=True)
class Rate(Signal):
    """Events per second of a counter or of a histogram.

    Of a histogram, `of="sum"` asks for what it observed per second instead (seconds of work, tokens), and `at_most` for the
    events that were not above one of its bounds; all of them are at most `inf`, read from where those within a bound are.
    """

    metric_name: str
    matches: Matches = ()
    offset: str = ""
    of: Literal["count", "sum"] = "count"
    at_most: float | None = None

    @property
    def leaf(self) -> Leaf:
        declared = metric(self.metric_name)
        if self.at_most is not None:
            if self.at_most not in (*declared.buckets, inf):
                raise ValueError(f"signal {self.key}: {self.at_most:g} is no bound of {declared.name}")
            bound = Match("le", "=", "+Inf") if self.at_most == inf else Match("le", *bound_spelling(self.at_most))
            return Leaf(f"{declared.name}_bucket", (*self.matches, bound), self.offset)
        suffix = f"_{self.of}" if declared.type is MetricType.HISTOGRAM else ""
        return Leaf(declared.name + suffix, self.matches, self.offset)

    def shifted(self, offset: str) -> Rate:
        return replace(self, offset=offset)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self.leaf,)

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        return resolve(self.leaf, by, window, where)

    def increase(self, by: tuple[str, ...] = (), window: str = "$__range", where: Matches = ()) -> str:
        """How many events there were in `window`."""
        return self.leaf.raw(by, window, where, "increase")


@dataclass(frozen=True)
class Count(Signal):
    """How many events of a counter there were in the window, for what should hardly ever happen."""

    metric_name: str
    matches: Matches = ()
    offset: str = ""

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (Rate(self.key, self.title, self.description, self.unit, self.metric_name, self.matches, self.offset).leaf,)

    def shifted(self, offset: str) -> Count:
        return replace(self, offset=offset)

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:  # noqa: ARG002
        (leaf,) = self.leaves
        return leaf.raw(by, window, where, "increase")


@dataclass(frozen=True)
class Ratio(Signal):
    """Part of a whole. A part without series is zero; a whole without traffic gives nothing."""

    part: Rate
    whole: Rate

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self.part.leaf, self.whole.leaf)

    def shifted(self, offset: str) -> Ratio:
        return replace(self, part=self.part.shifted(offset), whole=self.whole.shifted(offset))

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        part = self.part.expression(by, window, where, resolve)
        whole = self.whole.expression(by, window, where, resolve)
        return f"({part} or 0 * {whole}) / ({whole} > 0)"


@dataclass(frozen=True)
class Quantile(Signal):
    """A quantile of a histogram (0 < quantile < 1), in the histogram's unit."""

    metric_name: str
    quantile: float
    matches: Matches = ()
    offset: str = ""

    @property
    def leaf(self) -> Leaf:
        return Leaf(f"{self.metric_name}_bucket", self.matches, self.offset)

    def shifted(self, offset: str) -> Quantile:
        return replace(self, offset=offset)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self.leaf,)

    def at(self, quantile: float) -> Quantile:
        """The same signal at another quantile."""
        key = f"{self.key.rsplit('_p', 1)[0]}_p{quantile * 100:g}"
        return replace(self, key=key, quantile=quantile, title=f"p{quantile * 100:g}")

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        return f"histogram_quantile({self.quantile:g}, {resolve(self.leaf, ('le', *by), window, where)})"


@dataclass(frozen=True)
class Mean(Signal):
    """Mean of what a histogram observed, in its unit."""

    metric_name: str
    matches: Matches = ()
    offset: str = ""

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(Leaf(f"{self.metric_name}_{suffix}", self.matches, self.offset) for suffix in ("sum", "count"))

    def shifted(self, offset: str) -> Mean:
        return replace(self, offset=offset)

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        total, count = (resolve(leaf, by, window, where) for leaf in self.leaves)
        return f"{total} / ({count} > 0)"


@dataclass(frozen=True)
class Level(Signal):
    """A gauge as it stands. `operator` says how series are merged: sum, max, min or avg; the window plays no part."""

    metric_name: str
    matches: Matches = ()
    operator: str = "sum"
    offset: str = ""

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf(self.metric_name, self.matches, self.offset),)

    def shifted(self, offset: str) -> Level:
        return replace(self, offset=offset)

    def expression(self, by: tuple[str, ...] = (), window: str = "", where: Matches = (), resolve: Resolve = raw_leaf) -> str:  # noqa: ARG002
        (leaf,) = self.leaves
        inner = selector(leaf.series, leaf.matches + where) + leaf.past
        # Each replica of the exporter says it all; the greatest of all is that of one.
        if self.operator != "max" and metric(self.metric_name).source not in (Source.PLATFORM, Source.FOREIGN):
            inner = f"max without (instance) ({inner})"
        return aggregate(self.operator, by, inner)


@dataclass(frozen=True)
class Quotient(Signal):
    """One signal divided by another, where the other is above zero: levels, or rates of different things."""

    part: Signal
    whole: Signal

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self.part.leaves + self.whole.leaves

    def shifted(self, offset: str) -> Quotient:
        return replace(self, part=self.part.shifted(offset), whole=self.whole.shifted(offset))

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        part = self.part.expression(by, window, where, resolve)
        whole = self.whole.expression(by, window, where, resolve)
        return f"{part} / ({whole} > 0)"


@dataclass(frozen=True)
class Sum(Signal):
    """Signals added up, for what several metrics hold in parts. Where one of them has no series there is no sum."""

    parts: tuple[Signal, ...]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(leaf for part in self.parts for leaf in part.leaves)

    def shifted(self, offset: str) -> Sum:
        return replace(self, parts=tuple(part.shifted(offset) for part in self.parts))

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        return f"({' + '.join(part.expression(by, window, where, resolve) for part in self.parts)})"


@dataclass(frozen=True)
class Change(Signal):
    """How a signal compares with itself `back` earlier: now / then, where there was something then. 1 is no change.

    A rate is compared only where its window of then was counted whole: what began within it would look small.
    """

    now: Signal
    back: str

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self.now.leaves

    def compared(self, window: str, tell: Callable[[Signal, str], str]) -> str:
        """PromQL of the comparison, where `tell` renders a signal as it was so long ago, now where that is empty."""
        before = duration_text(duration_seconds(self.back) + duration_seconds(window)) if isinstance(self.now, Rate) else ""
        now, then, *earlier = (tell(self.now, ago) for ago in ("", self.back, *([before] if before else ())))
        return f"{now} / ({' and '.join((f'{then} > 0', *earlier))})"

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        def tell(signal: Signal, ago: str) -> str:
            return (signal.shifted(ago) if ago else signal).expression(by, window, where, resolve)

        return self.compared(window, tell)


@dataclass(frozen=True)
class Decline(Signal):
    """By how much a signal is below itself `back` earlier: then - now, for figures that may be zero or less."""

    now: Signal
    back: str

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self.now.leaves

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        now, then = (signal.expression(by, window, where, resolve) for signal in (self.now, self.now.shifted(self.back)))
        return f"{then} - {now}"


@dataclass(frozen=True)
class Age(Signal):
    """Seconds since the moment that a gauge holds. While the gauge is gone, its last value of `remembered` counts on."""

    metric_name: str
    matches: Matches = ()
    remembered: str = "1d"
    offset: str = ""

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf(self.metric_name, self.matches, self.offset),)

    def shifted(self, offset: str) -> Age:
        return replace(self, offset=offset)

    def expression(self, by: tuple[str, ...] = (), window: str = "", where: Matches = (), resolve: Resolve = raw_leaf) -> str:  # noqa: ARG002
        (leaf,) = self.leaves
        newest = f"last_over_time({selector(leaf.series, leaf.matches + where)}[{self.remembered}]{leaf.past})"
        return f"time() - {aggregate('max', by, newest)}"


@dataclass(frozen=True)
class Always(Signal):
    """1 at every moment, whatever happens."""

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return ()

    @property
    def labels(self) -> frozenset[str]:
        return frozenset()

    @property
    def source(self) -> str:
        return Source.FOREIGN.value

    def expression(self, by: tuple[str, ...] = (), window: str = "", where: Matches = (), resolve: Resolve = raw_leaf) -> str:  # noqa: ARG002
        return "vector(1)"
