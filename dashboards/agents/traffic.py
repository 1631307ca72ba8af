"""How many queries there are, how they end, how long they take, how often they are tried again."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_QUERIES, RETRIES_PER_QUERY
from contract.status import ERROR, SUCCESS, TIMEOUT
from dashboards.agents.headline import NO_TRAFFIC
from dashboards.agents.most import LATELY, MOST, most
from dashboards.lib import colours
from dashboards.lib.distributions import Heatmap
from dashboards.lib.field import lines, painted, tab_link
from dashboards.lib.filters import filtered
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask
from recording_rules import registry

_STATUSES = {SUCCESS: colours.GREEN, ERROR: colours.RED, TIMEOUT: colours.AMBER, "cancelled": colours.GREY}


def queries() -> Panel:
    return TimeSeries(
        name="query_rate",
        title="Queries per minute",
        description=(
            "Queries that agents finished, per minute over five minutes, by how they ended. Timeouts grow: what agents wait "
            "for is slow; errors grow: a model, a tool or a release; nothing in working hours: nobody gets through."
        ),
        targets=(PromQuery(expr=f"60 * {ask(AGENT_QUERIES, ('status',), '5m')}", legend="{{status}}"),),
        unit="none",
        minimum=0,
        no_value=NO_TRAFFIC,
        style="bars",
        stacked=True,
        always_last=LATELY,
        calculations=("lastNotNull", "max"),
        overrides=painted(_STATUSES),
        links=(tab_link("Performance of the fleet", "performance"),),
    )


def percentiles(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    parts = {AGENT_LATENCY.at(share).title: ask(AGENT_LATENCY.at(share), (), "1h") for share in (0.5, 0.95, 0.99)}
    return TimeSeries(
        name="response_now",
        title=f"Response time (alert: p95 {limit:g} s)",
        description=(
            "Half, 95 % and 99 % of the queries of an hour took at most so long, from query to answer. Only p99 rises: look "
            "at single requests; all rise: a model, the database or too much traffic."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}"),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        always_last=LATELY,
        calculations=("lastNotNull", "max"),
        overrides=painted({"p50": colours.LOW, "p95": colours.MIDDLE, "p99": colours.HIGH}),
    )


def spread() -> Panel:
    buckets = registry.resolve(AGENT_LATENCY.leaf, ("le",), "1h", filtered(AGENT_LATENCY))
    return Heatmap(
        name="response_spread",
        title="How response times are spread",
        description=(
            "Queries per second over an hour by how long they took: the brighter, the more. A second band above the first: "
            "retries, a timeout, or one slow dependency; a band that moves up: something that all need has become slower."
        ),
        targets=(PromQuery(expr=buckets, legend="{{le}}", format="heatmap", step="30m"),),
        unit="reqps",
        no_value=NO_TRAFFIC,
        always_last=LATELY,
    )


def errors(settings: Settings) -> Panel:
    limits = settings.thresholds
    return most(
        AGENT_ERROR_RATIO,
        "1h",
        name="error_ratio",
        title="Errors by agent",
        description=(
            f"{DEFINITIONS['error_ratio'].formula}, over an hour, of the {MOST} agents that fail most at each moment. Lines: "
            "warning and critical, at which alerts over five minutes begin. One agent: its newest version, its tools; several: "
            "the model that they share."
        ),
        unit="percentunit",
        no_value=NO_TRAFFIC,
        limits=lines((limits.error_ratio, colours.DEGRADED), (limits.error_ratio_critical, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limits.error_ratio * 1.5,
    )


def retries(settings: Settings) -> Panel:
    limit = settings.thresholds.retries_per_query
    return most(
        RETRIES_PER_QUERY,
        "5m",
        name="retries",
        title="Retries per query",
        description=(
            f"{RETRIES_PER_QUERY.description}, over five minutes, of the {MOST} agents with most at each moment. Retries hide "
            "failures and cost time and money: see what is tried again, a model or a tool."
        ),
        unit="none",
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit,
    )
