"""The answer first: each component as its alerts see it, and the five figures that people look for."""

from __future__ import annotations

from alert_rules import capacity, services, stores
from alert_rules.model import Alert
from contract.settings import Settings
from contract.signals.http import HTTP_LATENCY, HTTP_SERVER_ERROR_RATIO
from contract.signals.stores import CACHE_HIT_RATIO, POOL_USED, QUEUE_AGE
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, Word, at_most, words
from dashboards.lib.figures import FALL_IS_GOOD, RISE_IS_GOOD, Stat
from dashboards.lib.firing import alerts
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask, series

OK, UNKNOWN, WATCH, BAD = 0, 1, 2, 3
STATES = {
    OK: Word("well", colours.OK),
    UNKNOWN: Word("not seen", colours.UNKNOWN),
    WATCH: Word("warning", colours.DEGRADED),
    BAD: Word("critical", colours.DOWN),
}
STATE_COLOURS = Thresholds(colours.OK, ((UNKNOWN, colours.UNKNOWN), (WATCH, colours.DEGRADED), (BAD, colours.DOWN)))
NO_TRAFFIC = "no traffic in range"
_COMPONENTS: dict[str, tuple[str, ...]] = {
    "HTTP interface": ("Http", "Login"),
    "Database": ("DatabasePool", "Postgres"),
    "Caches": ("Cache", "Redis"),
    "Vector stores": ("VectorStore",),
    "Edge functions": ("EdgeFunction",),
    "Queues": ("Queue",),
}
"""What the names of a component's alerts begin with."""
_ALERTS: tuple[Alert, ...] = (*services.ALERTS, *stores.ALERTS, *capacity.ALERTS)


def names(beginnings: tuple[str, ...]) -> str:
    """The alerts of a component, as a pattern."""
    return "|".join(sorted(alert.name for alert in _ALERTS if alert.name.startswith(beginnings)))


def components(settings: Settings) -> Panel:
    seen = 'max(up{job="platform",environment=~"$environment"}) == 1'
    parts = {}
    for component, beginnings in _COMPONENTS.items():
        fired = f'alertname=~"{names(beginnings)}"'
        firing = (
            f"max({BAD} * {alerts('firing', fired, 'severity=' + chr(34) + 'critical' + chr(34))}"
            f" or {WATCH} * {alerts('firing', fired)})"
        )
        parts[component] = f"((({firing}) or vector({OK})) and on () ({seen}) or vector({UNKNOWN}))"
    return Stat(
        name="components",
        title="Components, as their alerts see them",
        description=(
            "Well: none of the component's alerts fires. Warning and critical: the worst that fires; the tab SLOs & alerts "
            f"says which, since when, and what to do. Not seen: no target of the platform was scraped for "
            f"{settings.sources.prometheus.scrape_interval} or more, so nobody knows."
        ),
        targets=(PromQuery(expr=union("component", parts), legend="{{component}}", instant=True),),
        unit="short",
        mappings=tuple(words(STATES)),
        limits=STATE_COLOURS,
        filled=True,
        shown="value_and_name",
        value_size=18,
        direction="vertical",
    )


def availability(settings: Settings) -> Panel:
    limits = settings.thresholds
    return Stat(
        name="server_errors_now",
        title="Server errors",
        description=(
            f"{HTTP_SERVER_ERROR_RATIO.description}, over five minutes, and its course. The alert begins at "
            f"{limits.http_error_ratio:.0%} of a route. A few routes fail: a dependency of theirs; all fail: the platform "
            "itself."
        ),
        targets=(series(HTTP_SERVER_ERROR_RATIO, window="5m"),),
        unit="percentunit",
        decimals=2,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limits.http_error_ratio, limits.http_error_ratio_page),
        sparkline=True,
        value_size=28,
    )


def response(settings: Settings) -> Panel:
    limit = settings.thresholds.http_seconds
    return Stat(
        name="response_now",
        title="API p95",
        description=(
            f"{HTTP_LATENCY.description}, over five minutes, and its course. The alert begins at {limit:g} s of a route: the "
            "table below says which, and whether database or caches are slow too."
        ),
        targets=(series(HTTP_LATENCY, window="5m"),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limit),
        sparkline=True,
        change=FALL_IS_GOOD,
        value_size=28,
    )


def pools(settings: Settings) -> Panel:
    limits = settings.thresholds
    return Stat(
        name="pool_now",
        title="Fullest pool",
        description=(
            f"{POOL_USED.description}; the fullest, and its course. From {limits.pool_ratio_critical:.0%} on requests wait: "
            "find what holds connections (slow operations, transactions left open) before the pool is enlarged."
        ),
        targets=(PromQuery(expr=f"max({ask(POOL_USED, ('environment', 'pool'), '')})", legend="fullest"),),
        unit="percentunit",
        decimals=0,
        minimum=0,
        maximum=1,
        no_value="no pool seen",
        limits=at_most(limits.pool_ratio, limits.pool_ratio_critical),
        sparkline=True,
        value_size=28,
    )


def hits() -> Panel:
    return Stat(
        name="hits_now",
        title="Cache hits",
        description=(
            f"{CACHE_HIT_RATIO.description}, of all caches over five minutes, and its course. It drops after a restart and "
            "after a deployment that changes keys; what misses goes to database and models, and costs time and money."
        ),
        targets=(series(CACHE_HIT_RATIO, window="5m"),),
        unit="percentunit",
        decimals=0,
        minimum=0,
        maximum=1,
        no_value="nothing was looked up",
        sparkline=True,
        change=RISE_IS_GOOD,
        value_size=28,
    )


def queues(settings: Settings) -> Panel:
    limit = settings.thresholds.queue_age_seconds
    return Stat(
        name="queue_now",
        title="Queue age",
        description=(
            f"{QUEUE_AGE.description}, of all queues, and its course. The alert begins at {limit / 60:g} minutes: nobody takes "
            "messages any more, or one of them fails again and again."
        ),
        targets=(series(QUEUE_AGE),),
        unit="s",
        decimals=0,
        minimum=0,
        no_value="no queue seen",
        limits=at_most(limit),
        sparkline=True,
        value_size=28,
    )
