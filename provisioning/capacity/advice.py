"""What to run at a size, and where a limit of ours comes before that of a machine."""

from __future__ import annotations

from collections.abc import Iterator

from contract.labels import LABELS, OVERFLOW
from contract.metrics import Source
from provisioning.capacity.cost import Estimate

SMALL, LARGE = 1_000_000, 8_000_000
"""Series up to which one ordinary Prometheus does, and up to which a large one does."""
_BUSY_CORES = 2.0


def advice(found: Estimate) -> Iterator[str]:
    """In sentences, the weightiest first."""
    series = found.series
    if series <= SMALL:
        yield "one Prometheus does, with a second one beside it where alerts must not miss its restart"
    elif series <= LARGE:
        yield (
            "one large Prometheus for each environment, remote write to a store for everything older than a few days, and "
            "scraped series dropped there: long ranges read recorded series only"
        )
    else:
        yield (
            "a distributed engine (VictoriaMetrics cluster or Mimir): agents that scrape a share each and write remotely, "
            "rules evaluated by its ruler; docs/scale.md has the whole picture"
        )
    yield from _caps(found)
    if found.rule_cores > _BUSY_CORES:
        yield (
            f"rules read {found.read:,.0f} samples a second, about {found.rule_cores:,.0f} cores: shard the groups over "
            "several rulers, or scrape less often: sources.prometheus.scrape_interval is also that of the quickest rules"
        )
    largest = max((one for counted in found.by_source.values() for one in counted), key=lambda one: one.series)
    if largest.series > series / 4 and series > SMALL // 10:
        yield (
            f"{largest.metric.name} alone is {100 * largest.series / series:.0f} % of all series: fewer versions at a time, or "
            "fewer bounds of its histogram, save most"
        )
    if found.interval < 60 and series > SMALL:
        yield f"scraping every {found.interval:g} s instead of every 60 s costs {60 / found.interval:g} times the disk"


def _caps(found: Estimate) -> Iterator[str]:
    """Labels of our exporter of which a fleet has more values than it gives."""
    fleet = found.fleet
    beyond = {"agent": fleet.agents, "tool": fleet.tools, "model": fleet.models}
    capped = [
        f"{LABELS[name].cap:,} of {number:,} values of {name}" for name, number in beyond.items() if number > LABELS[name].cap
    ]
    if capped:
        yield (
            f"our exporter shows at most {', '.join(capped)}, and counts the rest as `{OVERFLOW}`: raise the cap in "
            "contract/labels.py, or run one exporter for each part of the fleet"
        )
    exported = sum(
        one.series for source, counted in found.by_source.items() if source is not Source.PLATFORM for one in counted
    )
    if exported > 200_000:
        yield f"each replica of the exporter serves {exported // max(1, fleet.exporters):,} series: give it memory for its page"
