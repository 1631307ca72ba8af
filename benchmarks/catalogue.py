"""The benchmarks by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import (
    answers,
    api,
    backfill,
    build,
    capacity,
    cycle,
    exactness,
    footprint,
    forecast,
    plan,
    render,
    replicas,
    rules,
    scrape,
    tabs,
    writers,
)
from benchmarks.measure import Measure
from benchmarks.run import Run


@dataclass(frozen=True)
class Benchmark:
    title: str
    measure: Callable[[Run], Iterator[Measure]]


BENCHMARKS = {
    "render": Benchmark("Printing a page", render.measure),
    "cycle": Benchmark("A cycle of 25 answers", cycle.measure),
    "answers": Benchmark("Answers equal to plain SQL", answers.measure),
    "backfill": Benchmark("Counting what was there before", backfill.measure),
    "exactness": Benchmark("Late commits, roll-backs and skewed clocks", exactness.measure),
    "replicas": Benchmark("Several exporters, killed at random", replicas.measure),
    "writers": Benchmark("What capture costs writers", writers.measure),
    "footprint": Benchmark("The exporter while it lives", footprint.measure),
    "scrape": Benchmark("Scraping", scrape.measure),
    "rules": Benchmark("Evaluating the rules, 200 agents x 3 environments x 4 versions, one core", rules.measure),
    "capacity": Benchmark("What observatory capacity says, beside what is there", capacity.measure),
    "forecast": Benchmark("Forecasts, beside the same weekday of last week", forecast.measure),
    "plan": Benchmark("A plan of every dashboard, rule and route", plan.measure),
    "build": Benchmark("Building and checking everything", build.measure),
    "tabs": Benchmark("Opening a tab, 200 agents, a million calls", tabs.measure),
    "api": Benchmark("The query API, 50 clients, a million calls", api.measure),
}
