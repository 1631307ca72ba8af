"""How many series there are by where they come from, and how many samples the rules read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import promql_parser as promql

from contract.catalogue import of_source, series_catalogue
from contract.labels import LABELS
from contract.metrics import Metric, MetricType, Source
from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.capacity.fleet import Fleet
from provisioning.check.known import known_series
from provisioning.check.labels import surviving
from provisioning.check.series import Known, selected_name

_OF_TARGETS = frozenset({"job", "instance"})


@dataclass(frozen=True)
class Counted:
    """Series of one metric, on all targets."""

    metric: Metric
    series: int


@dataclass(frozen=True)
class Rules:
    """`recorded` series, and how many samples all rules read in a second."""

    recorded: int
    read_per_second: float


def scraped(fleet: Fleet, source: Source, settings: Settings) -> list[Counted]:
    """Every metric of a source, the largest first."""
    found = [Counted(metric, _series(metric, fleet, settings)) for metric in of_source(source)]
    return sorted(found, key=lambda one: (-one.series, one.metric.name))


def _series(metric: Metric, fleet: Fleet, settings: Settings) -> int:
    each = len(metric.buckets) + 3 if metric.type is MetricType.HISTOGRAM else 1
    if metric.source is Source.PLATFORM:
        return each * fleet.sets(metric.labels, metric.name) * fleet.environments * fleet.processes
    sets = prod(_values(fleet, label, metric.labels, metric.name, True) for label in metric.labels)
    room = max(1, settings.exporter.series_limit // each)
    return each * min(sets, room) * fleet.exporters


def rules(fleet: Fleet, groups: Sequence[Mapping[str, Any]], settings: Settings) -> Rules:
    """Of groups as Prometheus reads them. A selector with `=` for a label reads one value of it."""
    known = known_series(groups)
    default = settings.sources.prometheus.scrape_interval
    sizes = Sizes(fleet, known, duration_seconds(default))
    recorded, read = 0, 0.0
    for group in groups:
        every = duration_seconds(str(group.get("interval", default)))
        for rule in group["rules"]:
            node = promql.parse(rule["expr"])
            if "record" in rule:
                recorded += sizes.of_result(node)
            read += sum(sizes.samples(one) for one in reads(node)) / every
    return Rules(recorded, read)


@dataclass(frozen=True)
class Read:
    """A selector, the seconds of its window (0: the newest sample only), and how often it is evaluated at once.

    `pinned` to one moment by `@`, it gives the same at every point of a graph, and is read only once for all of them.
    """

    selector: promql.VectorSelector
    window: float
    times: float = 1.0
    pinned: bool = False


def reads(node: promql.Expr, times: float = 1.0, pinned: bool = False) -> Iterator[Read]:
    """What an expression reads."""
    if isinstance(node, promql.VectorSelector):
        yield Read(node, 0.0, times, pinned or node.at is not None)
    elif isinstance(node, promql.MatrixSelector):
        selector = node.vector_selector
        yield Read(selector, node.range.total_seconds(), times, pinned or selector.at is not None)
    elif isinstance(node, promql.SubqueryExpr):
        step = node.step.total_seconds() if node.step else 60.0
        steps = node.range.total_seconds() / step if node.range else 1.0
        yield from reads(node.expr, times * max(1.0, steps), pinned or node.at is not None)
    elif isinstance(node, promql.BinaryExpr):
        yield from (*reads(node.lhs, times, pinned), *reads(node.rhs, times, pinned))
    elif isinstance(node, promql.Call):
        for argument in node.args:
            yield from reads(argument, times, pinned)
    elif isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.AggregateExpr):
        yield from reads(node.expr, times, pinned)


@dataclass(frozen=True)
class Sizes:
    """How many series and samples selectors find on a fleet. `interval` is that of the scrapes, in seconds."""

    fleet: Fleet
    known: Known
    interval: float

    def of_result(self, node: promql.Expr) -> int:
        """Series that an expression gives."""
        labels = surviving(node, self.known, certain=False) or frozenset()
        metrics = [metric for one in reads(node) for metric in self._metrics(selected_name(one.selector))]
        return self._sets(labels, metrics)

    def samples(self, read: Read) -> float:
        """Samples that one evaluation reads through a selector."""
        name = selected_name(read.selector)
        series = self.known.get(name)
        if series is None:
            return read.times
        one = {matcher.name for matcher in read.selector.matchers.matchers if matcher.op == promql.MatchOp.Equal}
        metrics = list(self._metrics(name))
        found = self._sets(series.labels or frozenset(), metrics, one) * self._copies(series.metric)
        step = series.interval.total_seconds() if series.interval else self.interval
        return found * max(1.0, read.window / step) * read.times

    def _copies(self, metric: Metric | None) -> int:
        """On how many targets of an environment a metric is exposed."""
        if metric is None:
            return 1
        return self.fleet.processes if metric.source is Source.PLATFORM else self.fleet.exporters

    def _sets(self, labels: frozenset[str], metrics: Sequence[Metric], given: Collection[str] = ()) -> int:
        """Sets of values of the labels. Of the `given` ones there is one value each."""
        plain = labels - _OF_TARGETS - {"le"}
        name = metrics[0].name if metrics else ""
        ours = bool(metrics) and all(metric.source not in (Source.PLATFORM, Source.FOREIGN) for metric in metrics)
        buckets = (
            max((len(metric.buckets) + 1 for metric in metrics if metric.buckets), default=1)
            if "le" in labels - set(given)
            else 1
        )
        return buckets * prod(_values(self.fleet, label, plain, name, ours) for label in plain - set(given))

    def _metrics(self, name: str, depth: int = 8) -> Iterator[Metric]:
        """The scraped metrics that a series is made of in the end."""
        if (metric := series_catalogue().get(name)) is not None:
            yield metric
        elif depth and (series := self.known.get(name)) is not None:
            for made in series.made:
                for one in reads(made):
                    yield from self._metrics(selected_name(one.selector), depth - 1)


def _values(fleet: Fleet, label: str, beside: Collection[str], metric: str, ours: bool) -> int:
    """Our exporter gives no label more values than its cap."""
    number = fleet.values(label, beside, metric)
    return min(number, LABELS[label].size) if ours and label in LABELS else number
