"""How much the agent gets, what of it fails, and how near its limit it is."""

from __future__ import annotations

from alert_rules.agents import ERROR_RATIO
from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.agents import (
    AGENT_ERROR_RATIO,
    AGENT_ERRORS,
    AGENT_QUERIES,
    AGENT_RETRIES,
    CAPACITY_USED,
    QUERIES_IN_PROGRESS,
)
from dashboards.lib import colours
from dashboards.lib.field import lines, painted
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.judged import at_least
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery
from dashboards.one_agent.asking import NO_TRAFFIC, course, of_agent

_STATUSES = {
    "success": colours.GREEN, "error": colours.RED, "timeout": colours.AMBER, "cancelled": colours.GREY,
}  # fmt: skip


def queries() -> Panel:
    return TimeSeries(
        name="queries",
        title="Queries by how they ended",
        description=(
            "Queries finished per second over five minutes, stacked by their end. Mostly timeouts: what it waits for is slow; "
            "mostly errors: see their kinds; nothing in working hours: nobody gets through to it."
        ),
        targets=(course(AGENT_QUERIES, ("status",)),),
        unit="reqps",
        minimum=0,
        no_value=NO_TRAFFIC,
        stacked=True,
        calculations=("lastNotNull", "max"),
        overrides=painted(_STATUSES),
    )


def errors_by_type() -> Panel:
    return TimeSeries(
        name="errors_by_type",
        title="Which errors does it have?",
        description=(
            "Errors per second over five minutes, by kind. Timeouts and llm: look at its model; tool: at its tools; "
            "validation: at the newest clients; rate limit: ask the provider for more; internal: read its log."
        ),
        targets=(PromQuery(expr=f"{of_agent(AGENT_ERRORS, ('error_type',))} > 0", legend="{{error_type}}"),),
        unit="ops",
        minimum=0,
        no_value="no errors in range",
        style="bars",
        stacked=True,
        calculations=("lastNotNull", "max"),
    )


def error_share(settings: Settings) -> Panel:
    limits = settings.thresholds
    return TimeSeries(
        name="error_share",
        title=f"Error ratio (alert above {limits.error_ratio:.0%})",
        description=(
            f"{DEFINITIONS['error_ratio'].formula}, over five minutes, for each chosen environment, as the alert asks where "
            f"there were {at_least(ERROR_RATIO, settings)}. Lines: warning and critical."
        ),
        targets=(course(AGENT_ERROR_RATIO, ("environment", "agent"), legend="{{environment}}"),),
        unit="percentunit",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limits.error_ratio, colours.DEGRADED), (limits.error_ratio_critical, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limits.error_ratio_critical * 1.2,
        calculations=("lastNotNull", "max"),
    )


def fullness(settings: Settings) -> Panel:
    limits = settings.thresholds
    return TimeSeries(
        name="fullness",
        title=f"How full is it? (alert above {limits.capacity_ratio:.0%})",
        description=(
            "Queries finished per second / the limit that the agent reports, over five minutes, for each chosen environment. "
            "Above the lower line plan for more; above the upper one queries wait or are refused."
        ),
        targets=(course(CAPACITY_USED, ("environment", "agent"), legend="{{environment}}"),),
        unit="percentunit",
        minimum=0,
        no_value="it reports no limit, or had no queries",
        limits=lines((limits.capacity_ratio, colours.DEGRADED), (limits.capacity_ratio_critical, colours.DOWN)),
        drawn="dashed",
        soft_maximum=1,
        calculations=("lastNotNull", "max"),
    )


def in_progress() -> Panel:
    return TimeSeries(
        name="in_progress",
        title="Queries in progress",
        description=(
            "Queries that it works on at the same time. It climbs while the rate of finished queries does not: something that "
            "it waits for has become slow."
        ),
        targets=(course(QUERIES_IN_PROGRESS, ("environment",), window=""),),
        unit="short",
        decimals=0,
        minimum=0,
        soft_maximum=4,
        no_value="it was never scraped",
        calculations=("lastNotNull", "max"),
    )


def retries() -> Panel:
    return TimeSeries(
        name="retries",
        title="Repeated attempts",
        description=(
            "Attempts per second that the agent repeated, over five minutes. They hide errors from users and cost time and "
            "money; when they grow, look at what is called, not at the agent."
        ),
        targets=(course(AGENT_RETRIES, ("environment",)),),
        unit="ops",
        minimum=0,
        soft_maximum=0.01,
        no_value="no attempt was repeated",
        calculations=("lastNotNull", "max"),
    )
