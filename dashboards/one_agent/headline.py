"""How the agent does now: target, trend and state of what is promised of it."""

from __future__ import annotations

from alert_rules import slo as levels
from alert_rules.agents import ERROR_RATIO, RESPONSE_TIME
from alert_rules.behaviour import RETRIES
from alert_rules.capacity import AGENT_BUSY
from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_QUERIES, CAPACITY_USED, VERSION_AGE
from contract.signals.model import equal
from dashboards.lib.field import at_least, at_most, tab_link
from dashboards.lib.figures import FALL_IS_GOOD, NEITHER, Stat
from dashboards.lib.filters import matched
from dashboards.lib.judged import lights
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery
from dashboards.one_agent.asking import NO_TRAFFIC, course, of_agent
from recording_rules import registry

_SIZE = 26
LEAST_LEFT = 0.2
"""Below this share of an error budget, it is used up soon."""


def state(settings: Settings) -> Panel:
    return lights(
        "state",
        "In words, now",
        "Whether it answers, in time, without repeating itself, and has room for more. Anything but OK: the row on it says "
        "since when, and the slow requests why.",
        {
            "Answers": (ERROR_RATIO, "fails"),
            "Speed": (RESPONSE_TIME, "slow"),
            "Attempts": (RETRIES, "repeats"),
            "Capacity": (AGENT_BUSY, "nearly full"),
        },
        settings,
    )


def response(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    return Stat(
        name="response_now",
        title=f"p95, last hour (at most {limit:g} s)",
        description=(
            "95 % of its queries were answered within this time, over one hour, with its course and its change over the range. "
            "Above the limit: see below which part of a request grew, then the slow requests."
        ),
        targets=(course(AGENT_LATENCY, window="1h"),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limit),
        sparkline=True,
        value_size=_SIZE,
        change=FALL_IS_GOOD,
    )


def errors(settings: Settings) -> Panel:
    limits = settings.thresholds
    return Stat(
        name="errors_now",
        title=f"Errors, last hour (at most {limits.error_ratio:.0%})",
        description=(
            f"{DEFINITIONS['error_ratio'].formula}, over one hour, with its course. Above the limit: see the kinds of errors, "
            "and whether they began with a version."
        ),
        targets=(course(AGENT_ERROR_RATIO, window="1h"),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limits.error_ratio, limits.error_ratio_critical),
        sparkline=True,
        value_size=_SIZE,
    )


def traffic() -> Panel:
    return Stat(
        name="queries_now",
        title="Queries, last hour",
        description=(
            "Queries that it finished per second, over one hour. Far below the same hour of other days: nobody gets through to "
            "it, or it is not asked any more."
        ),
        targets=(course(AGENT_QUERIES, window="1h"),),
        unit="reqps",
        minimum=0,
        no_value=NO_TRAFFIC,
        sparkline=True,
        value_size=_SIZE,
        change=NEITHER,
    )


def capacity(settings: Settings) -> Panel:
    limits = settings.thresholds
    return Stat(
        name="capacity_now",
        title=f"Capacity used (at most {limits.capacity_ratio:.0%})",
        description=(
            "Queries finished per second over five minutes / the limit that the agent reports, in the fullest environment. "
            "Above the limit queries wait or are refused: add processes, or raise the provider's limit and then the agent's."
        ),
        targets=(PromQuery(expr=f"max({of_agent(CAPACITY_USED, ('environment', 'agent'))})", legend="used"),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        no_value="it reports no limit",
        limits=at_most(limits.capacity_ratio, limits.capacity_ratio_critical),
        sparkline=True,
        value_size=_SIZE,
    )


def budget() -> Panel:
    left = registry.query(levels.REMAINING, ("slo",), "", (matched("environment"), equal("scope", "$agent")))
    return Stat(
        name="budget_left",
        title="Error budget left",
        description=(
            "Share of what may go wrong that is left, in the period of each service level that is about this agent alone. "
            f"Below {LEAST_LEFT:.0%}: no risky deployments until it has recovered; below zero the promise is broken."
        ),
        targets=(PromQuery(expr=left, legend="{{slo}}", instant=True),),
        unit="percentunit",
        decimals=0,
        no_value="no service level is about it",
        limits=at_least(LEAST_LEFT),
        shown="value_and_name",
        value_size=24,
        data_links=(tab_link("SLOs & alerts", "alerts"),),
    )


def version() -> Panel:
    return Stat(
        name="version_now",
        title="Version in service",
        description=(
            "The version that runs in each chosen environment, and the time since it went into service. What began to be bad "
            "at that moment is likely its doing: see the regression timeline."
        ),
        targets=(
            PromQuery(
                expr=of_agent(VERSION_AGE, ("environment", "version"), ""), legend="{{version}} · {{environment}}", instant=True
            ),
        ),
        unit="dtdurations",
        decimals=0,
        no_value="it reports no version",
        shown="value_and_name",
        value_size=20,
    )
