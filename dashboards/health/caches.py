"""The platform's caches: how often they have what is asked for, how much they do, how long that takes."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.stores import CACHE_HIT_RATIO, CACHE_LATENCY, CACHE_OPERATIONS
from dashboards.health.headline import NO_TRAFFIC
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import series, slowest


def hit_ratio(settings: Settings) -> Panel:
    left = settings.thresholds.cache_hits_left
    return TimeSeries(
        name="cache_hit_ratio",
        title="Hit ratio by cache",
        description=(
            f"{CACHE_HIT_RATIO.description}, over five minutes. The alert begins where less than {left:.0%} of yesterday's "
            "ratio at the same time is left. Look for a restart of the cache, changed keys, or a flood of questions that are "
            "all new."
        ),
        targets=(series(CACHE_HIT_RATIO, ("cache",), window="5m"),),
        unit="percentunit",
        minimum=0,
        maximum=1,
        no_value="nothing was looked up",
        calculations=("lastNotNull", "mean", "min"),
    )


def operations() -> Panel:
    return TimeSeries(
        name="cache_operations",
        title="Operations of the caches",
        description=(
            f"{CACHE_OPERATIONS.description}, by kind, over five minutes. Many sets with few gets: what is stored is never "
            "asked for. Many deletes: something invalidates more than it should."
        ),
        targets=(series(CACHE_OPERATIONS, ("operation",), window="5m"),),
        unit="ops",
        minimum=0,
        no_value=NO_TRAFFIC,
        calculations=("lastNotNull", "mean"),
    )


def latency() -> Panel:
    return TimeSeries(
        name="cache_latency",
        title="p95 of cache operations",
        description=(
            f"{CACHE_LATENCY.description}, over five minutes, in the environment where it is longest. "
            "A cache should answer within milliseconds; when it does not, it is short of memory or "
            "connections, or the network is slow."
        ),
        targets=(slowest(CACHE_LATENCY, ("cache", "operation")),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        calculations=("lastNotNull", "max"),
    )
