"""An estimate for people and for machines."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from provisioning.capacity.advice import advice
from provisioning.capacity.cost import BYTES_PER_SAMPLE, BYTES_PER_SERIES, SAMPLES_PER_CORE, SOURCES, Estimate

_LARGEST = 8
_DAY = 86400.0
_WIDTH = 110


def as_text(found: Estimate) -> str:
    return "\n".join(_lines(found))


def _lines(found: Estimate) -> Iterator[str]:
    fleet = found.fleet
    yield (
        f"{fleet.agents:,} agents, {fleet.models:,} models, {fleet.tools:,} tools, {fleet.users:,} users in "
        f"{fleet.environments} environments; {fleet.versions} versions of an agent at a time"
    )
    yield ""
    yield f"{'series':>14}  from"
    for source, words in SOURCES.items():
        yield f"{sum(one.series for one in found.by_source[source]):>14,}  {words}"
    yield f"{found.recorded:>14,}  recorded by rules"
    yield f"{found.series:>14,}  in all"
    yield ""
    yield f"{found.samples_per_second:>14,.0f}  samples a second, scraped every {found.interval:g} s"
    yield f"{_size(found.memory):>14}  memory of the Prometheus that holds them"
    of_recorded = f"{_size(found.recorded_disk)} of it recorded series"
    yield f"{_size(found.disk):>14}  disk for {found.retention / _DAY:g} days; {of_recorded}"
    yield f"{found.read:>14,.0f}  samples a second that rules read, about {found.rule_cores:.1f} cores"
    yield f"{0:>14}  series for users: persons are rows in PostgreSQL, never labels"
    yield ""
    yield "the largest"
    for metric, series in largest(found):
        yield f"{series:>14,}  {metric}"
    yield ""
    yield "what to do"
    for line in advice(found):
        yield from textwrap.wrap(line, _WIDTH, initial_indent="  - ", subsequent_indent="    ")
    yield ""
    processes = "process" if fleet.processes == 1 else "processes"
    assumed = (
        f"Assumed: {BYTES_PER_SERIES:,} bytes of memory a series, {BYTES_PER_SAMPLE} bytes of disk a sample, "
        f"{SAMPLES_PER_CORE:,} samples a second and core; an agent has {fleet.tools_of_agent} tools, {fleet.models_of_agent} "
        f"models and {fleet.dependencies_of_agent} dependencies; {fleet.processes} {processes} of the platform in each "
        f"environment, {fleet.exporters} exporters. docs/scale.md says what was measured."
    )
    yield from textwrap.wrap(assumed, _WIDTH)


def largest(found: Estimate) -> list[tuple[str, int]]:
    every = [one for counted in found.by_source.values() for one in counted]
    return [(one.metric.name, one.series) for one in sorted(every, key=lambda one: (-one.series, one.metric.name))[:_LARGEST]]


def as_json(found: Estimate) -> str:
    document: dict[str, Any] = {
        "fleet": found.fleet.__dict__,
        "scrape_interval_seconds": found.interval,
        "retention_seconds": found.retention,
        "series": {
            **{source.value: sum(one.series for one in counted) for source, counted in found.by_source.items()},
            "recorded": found.recorded,
            "all": found.series,
        },
        "samples_per_second": found.samples_per_second,
        "memory_bytes": found.memory,
        "disk_bytes": found.disk,
        "rule_samples_per_second": found.read,
        "largest": dict(largest(found)),
        "advice": list(advice(found)),
        "assumed": {
            "bytes_per_series": BYTES_PER_SERIES,
            "bytes_per_sample": BYTES_PER_SAMPLE,
            "samples_per_second_and_core": SAMPLES_PER_CORE,
        },
    }
    return json.dumps(document, indent=2)


def _size(amount: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:,.3g} {unit}" if amount < 1000 else f"{amount:,.0f} {unit}"
        amount /= 1000
    raise AssertionError("the last unit takes every amount")
