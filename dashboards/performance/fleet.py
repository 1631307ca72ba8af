"""All agents of the chosen environments at a glance: how quick, how reliable, how full, and whether that is as it should be.

Only the environment chooses here, so that the figures are those of everybody; the rows below are filtered further.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from alert_rules import slo as alerts
from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.agents import AGENT_CAPACITY, AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_QUERIES, CAPACITY_USED
from contract.signals.model import Rate, Ratio, like
from dashboards.lib import colours
from dashboards.lib.field import PLAIN, Thresholds, Word, at_most, named, words
from dashboards.lib.figures import NEITHER, RISE_IS_GOOD, Gauge, Stat
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union, worst
from dashboards.lib.queries import PromQuery, ask, series
from dashboards.performance.places import here
from dashboards.performance.service_levels import WELL, levels, names
from recording_rules.slo import LABELS

BY, BY_AGENTS = ("environment",), ("environment", "agent")
HOUR, NOW = "1h", "5m"
NO_TRAFFIC = "no traffic in range"
PERCENTILES = tuple(AGENT_LATENCY.at(share) for share in (0.5, 0.95, 0.99))

OK, UNKNOWN, WATCH, BAD = 0, 1, 2, 3
STATES = {
    OK: Word("within target", colours.OK),
    UNKNOWN: Word("too little to tell", colours.UNKNOWN),
    WATCH: Word("beyond target", colours.DEGRADED),
    BAD: Word("far beyond target", colours.DOWN),
}
BUDGET_STATES = {**STATES, OK: Word("some left", colours.OK), BAD: Word("one is spent", colours.DOWN)}
STATE_COLOURS = Thresholds(colours.OK, ((UNKNOWN, colours.UNKNOWN), (WATCH, colours.DEGRADED), (BAD, colours.DOWN)))


def in_time(settings: Settings) -> Ratio:
    """Share of queries that were answered within the limit of the alert, whatever came of them."""
    limit = settings.thresholds.response_seconds
    quick = Rate(
        "agent_queries_in_time", "In time", f"Agent queries finished within {limit:g} s, per second", "reqps",
        "agent_query_duration_seconds", at_most=limit,
    )  # fmt: skip
    every = replace(quick, key="agent_queries_timed", at_most=inf)
    about = f"Agent queries finished within {limit:g} s / agent queries"
    return Ratio("agent_in_time_ratio", "Answered in time", about, "percentunit", quick, every)


def capacity() -> str:
    """PromQL of what all agents of an environment may take together, in queries per second."""
    return f"sum by (environment) ({ask(AGENT_CAPACITY, BY_AGENTS)})"


def state(settings: Settings) -> Panel:
    limits = settings.thresholds
    slow = ask(AGENT_LATENCY, BY, HOUR)
    failing, used = ask(AGENT_ERROR_RATIO, BY, HOUR), ask(CAPACITY_USED, BY_AGENTS, NOW)
    left = ask(alerts.REMAINING, LABELS, "", (like("slo", names(settings)),))
    states = {
        "Latency": f"max({_graded(slow, limits.response_seconds, limits.response_seconds_page)})",
        "Errors": f"max({_graded(failing, limits.error_ratio, limits.error_ratio_critical)})",
        "Capacity": f"max({_graded(used, limits.capacity_ratio, limits.capacity_ratio_critical)})",
        **({"Error budgets": f"3 * (min({left}) < bool 0)"} if levels(settings) else {}),
    }
    known = {name: f"(({found}) or vector({UNKNOWN}))" for name, found in states.items()}
    known = {"Overall": worst(*known.values()), **known}
    return Stat(
        name="state",
        title="Is the fleet within its targets?",
        description=(
            f"The worst of the chosen environments. Latency: p95 of the last hour against {limits.response_seconds:g} s (far "
            f"beyond: {limits.response_seconds_page:g} s). Errors: failed queries of the last hour against "
            f"{limits.error_ratio:.0%} ({limits.error_ratio_critical:.0%}). Capacity: the fullest agent now against "
            f"{limits.capacity_ratio:.0%} ({limits.capacity_ratio_critical:.0%}). Error budgets: whether any agent's is spent. "
            "Begin with the concern that is beyond its target; its row is below."
        ),
        targets=(PromQuery(expr=union("concern", known), legend="{{concern}}", instant=True),),
        unit="short",
        mappings=tuple(words(STATES)),
        limits=STATE_COLOURS,
        filled=True,
        shown="value_and_name",
        direction="vertical",
        value_size=18,
        overrides=(named("Error budgets", mappings=words(BUDGET_STATES)),),
    )  # fmt: skip


def _graded(figure: str, watch: float, bad: float) -> str:
    """A figure against two limits. What is no number is neither."""
    return f"2 * (({figure}) > bool {watch:g}) + (({figure}) > bool {bad:g}) and ({figure}) >= 0"


def percentiles(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    parts = {signal.title: ask(signal, BY, HOUR) for signal in PERCENTILES}
    return Stat(
        name="fleet_percentiles",
        width=10,
        title="Response time, last hour",
        description=(
            f"Half, 95 % and 99 % of all queries were answered within these times, over one hour; red from {limit:g} s, where "
            "the alert begins. Only p99 is high: a few queries wait for something, see the slow requests; all three: every "
            "agent, or a model, is slow. A click leads to the distribution."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}} {{environment}}"),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limit),
        sparkline=True,
        shown="value_and_name",
        value_size=22,
        data_links=(here("How the times are spread", "distribution"),),
    )


def in_time_now(settings: Settings) -> Panel:
    signal = in_time(settings)
    return Stat(
        name="fleet_in_time",
        width=7,
        title=f"Within {settings.thresholds.response_seconds:g} s, last hour",
        description=(
            f"{signal.description}, over one hour: the share of compliance with the limit at which the alert begins. The small "
            "figure is the change over the chosen range. Falling: see which agent's p95 rises."
        ),
        targets=(series(signal, BY, window=HOUR),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value=NO_TRAFFIC,
        limits=WELL,
        sparkline=True,
        change=RISE_IS_GOOD,
        value_size=28,
    )


def errors(settings: Settings) -> Panel:
    limits = settings.thresholds
    return Stat(
        name="fleet_errors",
        width=7,
        title="Error ratio, last hour",
        description=(
            f"{DEFINITIONS['error_ratio'].formula}, over one hour; the alert begins at {limits.error_ratio:.0%}, the critical "
            f"one at {limits.error_ratio_critical:.0%}. Too high: the row 'Errors' says which kind, and which agent and "
            "version."
        ),
        targets=(series(AGENT_ERROR_RATIO, BY, window=HOUR),),
        unit="percentunit",
        decimals=2,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limits.error_ratio, limits.error_ratio_critical),
        sparkline=True,
        value_size=28,
        data_links=(here("Who fails", "failing"),),
    )


def throughput_now() -> Panel:
    return Stat(
        name="fleet_throughput",
        title="Queries per minute, last hour",
        description=(
            "Queries that all agents finished per minute, over one hour, and their course. Far below the same hour of other "
            "days: look upstream, at login and network; far above: at clients that repeat."
        ),
        targets=(PromQuery(expr=f"60 * {ask(AGENT_QUERIES, BY, HOUR)}", legend="{{environment}}"),),
        unit="none",
        decimals=2,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=PLAIN,
        sparkline=True,
        change=NEITHER,
        value_size=28,
    )


def capacity_now(settings: Settings) -> Panel:
    limits = settings.thresholds
    used = f"{ask(AGENT_QUERIES, BY, NOW)} / ({capacity()} > 0)"
    return Gauge(
        name="fleet_capacity",
        title="Capacity used now",
        description=(
            "Queries per second over five minutes / the configured limits of all agents together. Alerts look at each agent "
            f"alone, from {limits.capacity_ratio:.0%} and {limits.capacity_ratio_critical:.0%}. High: see 'Capacity used by "
            "agent', then the capacity planner for when it ends."
        ),
        targets=(PromQuery(expr=used, legend="{{environment}}", instant=True),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value="no limit configured",
        limits=at_most(limits.capacity_ratio, limits.capacity_ratio_critical),
    )  # fmt: skip


def agents_within(settings: Settings) -> Panel:
    limits = settings.thresholds
    busy = f"{ask(AGENT_LATENCY, BY_AGENTS, HOUR)} >= 0"
    quick, sound = (
        f"{busy} <= {limits.response_seconds:g}",
        f"{ask(AGENT_ERROR_RATIO, BY_AGENTS, HOUR)} <= {limits.error_ratio:g}",
    )
    every = f"count({busy})"
    within = f"(count(({quick}) and on (environment, agent) ({sound})) or 0 * {every})"
    return Stat(
        name="agents_within",
        title="Agents within targets, last hour",
        description=(
            f"Agents whose p95 is at most {limits.response_seconds:g} s and whose error ratio is at most "
            f"{limits.error_ratio:.0%}, among those with traffic in the last hour, each environment counted apart. The table "
            "'How the agents compare' names the others."
        ),
        targets=(
            PromQuery(
                expr=union("figure", {"share": f"{within} / {every}", "within": within, "with traffic": every}),
                legend="{{figure}}",
                instant=True,
            ),
        ),
        unit="none",
        decimals=0,
        no_value=NO_TRAFFIC,
        limits=PLAIN,
        shown="value_and_name",
        value_size=20,
        direction="vertical",
        overrides=(named("share", unit="percentunit", thresholds=WELL.to_json_data()),),
    )
