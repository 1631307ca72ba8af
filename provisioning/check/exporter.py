"""Do exporter and contract name the same metrics? Held against what every part of the exporter says that it gives.

Names, types, units, help and labels stand in the contract alone, and a sample takes them from there. What is left to go wrong:
a metric that nobody gives, one that two give, and a fact that gives something of another kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from contract.catalogue import catalogue, of_source
from contract.metrics import Metric, MetricType, Source
from exporters import gathering, journal, scheduler
from exporters.business import collectors, from_rollups, read_only, regressions, rollups, tables
from exporters.business.figures import FIGURES
from exporters.langfuse import cost, ledger_collector, windows
from exporters.outlook import collector as outlook
from exporters.rollups.model import Fact, Stock
from exporters.rollups.sources import FACTS, STOCKS
from provisioning.findings import Finding, closest, error

Given = Mapping[str, Iterable[str]]
"""The names of metrics by the part of the exporter that gives them."""


def _queries(yields: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in yields.values() for name in names))


_ITSELF = {
    "journal": journal.YIELDS,
    "scheduler": scheduler.YIELDS,
    "server": gathering.YIELDS,
    "connections": collectors.ABOUT,
    "tables": _queries(tables.YIELDS),
}
WITH_ROLLUPS: Given = {
    **_ITSELF,
    "rollups": _queries(rollups.YIELDS),
    "figures": _queries(from_rollups.YIELDS),
    "versions": _queries(regressions.YIELDS),
    "ledger": (*_queries(ledger_collector.YIELDS), *ledger_collector.ABOUT),
    "cost": (*_queries(cost.YIELDS), *cost.ABOUT),
    "outlook": _queries(outlook.YIELDS),
}
READ_ONLY: Given = {
    **_ITSELF,
    "figures": _queries(read_only.YIELDS),
    "langfuse": tuple(dict.fromkeys((*_queries(windows.YIELDS), *windows.ABOUT))),
}
"""The two forms of the exporter: one that may write schema `analytics`, and one that only reads."""

_IN_NAMES = {"seconds": "_seconds", "bytes": "_bytes", "usd": "_usd", "ratio": "_ratio", "tokens": "_tokens"}


def exporter_findings(
    whole: Given = WITH_ROLLUPS, part: Given = READ_ONLY, declared: Iterable[Fact | Stock] = (*FACTS.values(), *STOCKS.values())
) -> Iterator[Finding]:
    """`whole` gives everything that the contract wants of the exporter, `part` some of it; both give nothing twice."""
    wanted = {metric.name: metric for metric in of_source(Source.POSTGRES, Source.LANGFUSE, Source.EXPORTER)}
    given = {name for names in whole.values() for name in names}
    for name in sorted(wanted.keys() - given):
        yield error(
            f"contract/exporter_metrics.py: {name}", "no collector gives it", "count it, or take it out of the contract"
        )
    for form in (whole, part):
        yield from _unknown_or_twice(form, wanted)
    yield from _kinds(declared)
    for figure in FIGURES:
        if catalogue()[figure.metric].type is not MetricType.GAUGE:
            yield error(f"exporters/business/figures.py: {figure.metric}", "a figure of windows that is no gauge")
    for metric in wanted.values():
        yield from _wording(metric)


def _unknown_or_twice(form: Given, wanted: Mapping[str, Metric]) -> Iterator[Finding]:
    found: dict[str, str] = {}
    for part, names in form.items():
        for name in names:
            if name not in wanted:
                yield error(
                    f"exporter, {part}: {name}", "the contract has no such metric of the exporter", closest(name, wanted)
                )
            if name in found:
                yield error(f"exporter, {part}: {name}", f"given by {found[name]} as well; one of them is enough")
            found[name] = part


def _kinds(declared: Iterable[Fact | Stock]) -> Iterator[Finding]:
    """A stock can fall and is a gauge, what happened is a counter or a histogram, and units are those that were counted."""
    for one in declared:
        for wanted in one.yields:
            place, metric = f"exporters/rollups/sources: {one.name}", catalogue()[wanted.metric]
            kind = MetricType.COUNTER if wanted.of != "histogram" else MetricType.HISTOGRAM
            if isinstance(one, Stock):
                kind = MetricType.GAUGE
            if metric.type is not kind:
                yield error(place, f"gives {metric.name} as a {kind}, which the contract calls a {metric.type}")
            if missing := sorted(set(metric.labels) - one.labels.keys()):
                yield error(place, f"gives {metric.name}, but has no label {', '.join(missing)}")
            unit = "seconds" if wanted.of in ("histogram", "duration_us") else "tokens" if wanted.of == "tokens" else ""
            if metric.unit != unit:
                yield error(place, f"gives {metric.name} in {unit or 'numbers'}; the contract says {metric.unit or 'numbers'}")
            if unit == "seconds" and wanted.scale != 1e-6:
                yield error(place, f"gives {metric.name} of microseconds by the factor {wanted.scale:g}", "want 1e-6")


def _wording(metric: Metric) -> Iterator[Finding]:
    place = f"contract/exporter_metrics.py: {metric.name}"
    if not metric.help:
        yield error(place, "has no help", "say in a few words what it is")
    if metric.unit and _IN_NAMES.get(metric.unit, "") not in metric.name:
        yield error(
            place, f"is in {metric.unit}, which its name does not say", f"want {_IN_NAMES.get(metric.unit, metric.unit)}"
        )
