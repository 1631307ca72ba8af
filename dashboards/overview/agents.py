"""Agents as the alerts see them: the alert's own signal at its own window, with its threshold drawn.

Of a large fleet each graph shows the agents that came nearest to the alert.
"""

from __future__ import annotations

from alert_rules.agents import ERROR_RATIO, RESPONSE_TIME
from alert_rules.conversations import SUCCESS_RATE
from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY
from contract.signals.conversations import SUCCESS_RATIO
from contract.signals.model import Signal, like
from contract.status import ERROR, TIMEOUT, WORDS
from dashboards.lib import colours
from dashboards.lib.executions import HAS_FAILED
from dashboards.lib.field import Word, lines, named, narrowing_link, words
from dashboards.lib.filters import chosen
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.judged import at_least
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask, leading
from dashboards.lib.requests import trace_links
from dashboards.lib.tables import COLOURED_TEXT, Table, columns, moment, shortened
from recording_rules import registry

BY = ("environment", "agent")
NO_TRAFFIC = "no traffic in range"
ONE_AGENT = narrowing_link("Only this agent", "overview", "agent", "${__field.labels.agent}", ("environment",))


MOST = 8


def _asked(signal: Signal, window: str, *, lowest: bool = False) -> PromQuery:
    return PromQuery(expr=leading(ask(signal, BY, window), BY, MOST, lowest=lowest), legend="{{agent}} · {{environment}}")


def success_ratio(settings: Settings) -> Panel:
    target = settings.thresholds.success_ratio
    return TimeSeries(
        name="success_ratio",
        title=f"Success by agent (alert below {target:.0%})",
        description=(
            "Ended conversations with the goal achieved / those with a known goal, over one hour, as the alert asks where "
            f"there were {at_least(SUCCESS_RATE, settings)}. Below the line: compare with the agent's newest version, its "
            "error ratio and the reasons of handoffs."
        ),
        targets=(_asked(SUCCESS_RATIO, "1h", lowest=True),),
        unit="percentunit",
        maximum=1,
        no_value=NO_TRAFFIC,
        limits=lines((target, colours.DOWN)),
        soft_minimum=min(0.7, target - 0.1),
        drawn="dashed",
        calculations=("lastNotNull", "min"),
        data_links=(ONE_AGENT,),
    )


def agent_errors(settings: Settings) -> Panel:
    limits = settings.thresholds
    return TimeSeries(
        name="agent_errors",
        title=f"Error ratio by agent (alert above {limits.error_ratio:.0%})",
        description=(
            f"{DEFINITIONS['error_ratio'].formula}, over five minutes, as the alert asks where there were "
            f"{at_least(ERROR_RATIO, settings)}. Lines: warning and critical. Above: see the kind of error in the latest "
            "failed executions; when one kind leads, look at that model, tool or service."
        ),
        targets=(_asked(AGENT_ERROR_RATIO, "5m"),),
        unit="percentunit",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limits.error_ratio, colours.DEGRADED), (limits.error_ratio_critical, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limits.error_ratio * 1.5,
        calculations=("lastNotNull", "max"),
        data_links=(ONE_AGENT,),
    )


def agent_latency(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    return TimeSeries(
        name="agent_latency",
        title=f"p95 by agent (alert above {limit:g} s)",
        description=(
            "95th percentile of the time from query to answer, over five minutes, as the alert asks where there were "
            f"{at_least(RESPONSE_TIME, settings)}. Too slow: see whether all agents are slow (a model or the database) or one "
            "(its tools, its newest version)."
        ),
        targets=(_asked(AGENT_LATENCY, "5m"),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "max"),
        data_links=(ONE_AGENT,),
    )


def errors_page(settings: Settings) -> Panel:
    limit = settings.thresholds.error_ratio_page
    return _page(
        "errors_page",
        f"Errors of all agents (page above {limit:.0%})",
        f"{DEFINITIONS['error_ratio'].formula}, of all agents of an environment together. Above the line somebody is woken: "
        "see "
        "which agents fail above, and the kind of error in the latest failed executions.",
        AGENT_ERROR_RATIO,
        "percentunit",
        limit,
    )


def latency_page(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds_page
    return _page(
        "latency_page",
        f"Median time of all agents (page above {limit:g} s)",
        "Half of all queries of an environment took longer than this. Above the line somebody is woken: a model's provider or "
        "the database is slow for everybody.",
        AGENT_LATENCY.at(0.5),
        "s",
        limit,
    )


def _page(name: str, title: str, description: str, signal: Signal, unit: str, limit: float) -> Panel:
    """What wakes somebody: all agents of an environment together, whichever are chosen. So short a window is not recorded."""
    expression = registry.query(signal, ("environment",), "1m", (like("environment", "$environment"),))
    return TimeSeries(
        name=name,
        title=title,
        description=f"{description} Over one minute, as the alert asks; the last quarter of an hour.",
        targets=(PromQuery(expr=expression, legend="{{environment}}", step="1m"),),
        unit=unit,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "max"),
        always_last="15m",
    )


FAILURES = f"""
SELECT e.start_time AS "time", e.agent_name AS agent, e.version, e.environment, e.status, e.error_type,
       e.duration_ms / 1000 AS seconds, e.retry_count AS retries, e.trace_id
FROM analytics.agent_executions e
WHERE $__timeFilter(e.start_time) AND {HAS_FAILED}
  AND {chosen("e.environment", "environment")} AND {chosen("e.agent_name", "agent")}
ORDER BY e.start_time DESC
LIMIT 100
""".strip()

WIDTHS = {"Version": 85, "Kind of error": 126, "Status": 90, "Duration": 80, "Retries": 70}
"""Of the table's narrow and wide columns, in pixels; the others share the rest."""


def latest_failures(settings: Settings) -> Panel:
    headings = {
        "time": "Time", "agent": "Agent", "version": "Version", "environment": "Environment", "status": "Status",
        "error_type": "Kind of error", "seconds": "Duration", "retries": "Retries", "trace_id": "Trace",
    }  # fmt: skip
    painted = {ERROR: colours.DOWN, TIMEOUT: colours.DEGRADED}
    status = {word: Word(meaning, painted[meaning]) for word, meaning in WORDS.items() if meaning in painted}
    return Table(
        name="latest_failures",
        title="Latest failed executions",
        description=(
            "The newest hundred failed executions of the chosen range, from the database. Look for what they share: one agent, "
            "one version, one kind of error. A click on a trace opens the request from inside or in Langfuse."
        ),
        targets=(SqlQuery(sql=FAILURES),),
        no_value="no failed execution in range",
        transformations=columns(headings),
        overrides=(
            *(named(column, custom_width=width) for column, width in WIDTHS.items()),
            moment("Time"),
            named("Duration", unit="s"),
            named("Status", custom_cellOptions=COLOURED_TEXT, mappings=words(status)),
            shortened("Trace", links=list(trace_links(settings, "${__value.raw}", ("environment", "agent")))),
        ),
        paged=True,
    )
