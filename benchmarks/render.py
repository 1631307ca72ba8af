"""How long it takes to print a page anew when every value has changed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from functools import partial

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from benchmarks import series
from benchmarks.measure import Bar, Measure, median, timed
from benchmarks.run import Run
from exporters.exposition import Renderer, exposition
from exporters.negotiation import OPENMETRICS, TEXT
from exporters.publication import Publication

_BARS = {10_000: Bar(5.0)}
_RUNS = 15


def measure(run: Run) -> Iterator[Measure]:
    """Milliseconds to print the text, beside prometheus-client's generate_latest."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    for number in run.scale.series:
        registry, renderer = series.registry(number, 1.5), Renderer()
        _compare(renderer, number, registry)
        theirs = timed(partial(generate_latest, registry), run.scale.repeat)
        ours = []
        for value in range(_RUNS):
            changed = series.samples(number, value + 0.5)
            ours += timed(lambda: exposition(renderer.families(changed), TEXT), 1)  # noqa: B023  called at once
        peer = statistics.median(theirs)
        yield median(f"{number:,} changed series", ours, bar=_BARS.get(number), peer=peer, against="prometheus-client")
        yield median(f"{number:,} changed series, the page in all forms that are asked for", list(_whole(number)))


def _compare(renderer: Renderer, number: int, registry: CollectorRegistry) -> None:
    """What is compared must be the same, byte for byte."""
    families = renderer.families(series.samples(number, 1.5))
    text, openmetrics = exposition(families, TEXT), exposition(families, OPENMETRICS)
    if text != generate_latest(registry) or openmetrics + b"# EOF\n" != generate_openmetrics(registry):  # type: ignore[no-untyped-call]
        raise AssertionError("our page is not prometheus-client's")


def _whole(number: int) -> Iterator[float]:
    collector = series.SeriesCollector(number)
    publication = Publication((collector,))
    for _ in range(_RUNS):
        collector.collect(time.time())
        yield from timed(publication.refresh, 1)
