"""Live counters: what goes on at this moment, and how the last hour went."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import (
    AGENT_ERROR_RATIO,
    AGENT_LATENCY,
    AGENT_QUERIES,
    AGENT_SESSIONS,
    AGENT_TIME,
    QUERIES_IN_PROGRESS,
)
from dashboards.lib.field import at_least, at_most
from dashboards.lib.figures import NEITHER, RISE_IS_GOOD, Stat
from dashboards.lib.filters import acting
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask, series

NO_TRAFFIC = "no traffic in range"
HOUR = "1h"
_SIZE = 28
_OF_ALL_VERSIONS = ("environment", "agent")
"""The filters that act on an hour of an agent: it is recorded for all versions together."""


def sessions() -> Panel:
    return Stat(
        name="sessions_now",
        title="Open sessions",
        description=f"{AGENT_SESSIONS.description} now, and their course. None in working hours: users cannot log in.",
        targets=(series(AGENT_SESSIONS),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no session seen",
        sparkline=True,
        value_size=_SIZE,
    )


def in_progress() -> Panel:
    return Stat(
        name="in_progress",
        title="Running queries",
        description=(
            f"{QUERIES_IN_PROGRESS.description} now, and their course. It rises while the rate of queries does not: answers "
            "take longer, or hang; see the response time beside it."
        ),
        targets=(series(QUERIES_IN_PROGRESS),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no agent seen",
        sparkline=True,
        value_size=_SIZE,
    )


def queries() -> Panel:
    with acting(_OF_ALL_VERSIONS):
        hourly = f"3600 * {ask(AGENT_QUERIES, (), HOUR)}"
    return Stat(
        name="queries_per_hour",
        title="Queries per hour",
        description=(
            "Queries that agents finished in the last hour, and how that went: from counters, of which Prometheus estimates "
            "what lies between two scrapes, so a few more or fewer than the rows below. Compare with the same hour of "
            "yesterday: people have a rhythm."
        ),
        targets=(PromQuery(expr=hourly, legend="queries per hour", step="5m"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_TRAFFIC,
        sparkline=True,
        up_to_now=True,
        change=NEITHER,
        value_size=_SIZE,
    )


def response(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    with acting(_OF_ALL_VERSIONS):
        parts = {"mean": ask(AGENT_TIME, (), HOUR), "p95": ask(AGENT_LATENCY, (), HOUR)}
    return Stat(
        name="response",
        title="Response time",
        description=(
            f"Mean and 95th percentile of the time from query to answer, over the last hour; the alert begins at a p95 of "
            f"{limit:g} s. A mean far below p95: most are quick, some very slow; the tab Performance shows which."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", instant=True),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limit),
        shown="value_and_name",
        value_size=20,
    )


def success(settings: Settings) -> Panel:
    target = 1 - settings.thresholds.error_ratio
    with acting(_OF_ALL_VERSIONS):
        failing = ask(AGENT_ERROR_RATIO, (), HOUR)
    return Stat(
        name="success",
        title="Success rate",
        description=(
            "1 - agent queries that failed or timed out / agent queries, over the last hour, and its course; the alert begins "
            f"below {target:.0%}. What fails is below, under Errors."
        ),
        targets=(PromQuery(expr=f"1 - {failing}", legend="success", step="5m"),),
        unit="percentunit",
        decimals=1,
        maximum=1,
        no_value=NO_TRAFFIC,
        limits=at_least(target),
        sparkline=True,
        up_to_now=True,
        change=RISE_IS_GOOD,
        value_size=_SIZE,
    )
