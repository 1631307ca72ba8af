"""The benchmarks by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import render, scrape
from benchmarks.measure import Measure
from benchmarks.run import Run


@dataclass(frozen=True)
class Benchmark:
    title: str
    measure: Callable[[Run], Iterator[Measure]]


BENCHMARKS = {
    "render": Benchmark("Printing a page", render.measure),
    "scrape": Benchmark("Scraping", scrape.measure),
}
