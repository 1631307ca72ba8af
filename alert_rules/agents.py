"""Alerts on what agents do with queries: how many fail, and how long answers take.

Each concern has an alert proper, which looks at one agent over five minutes and waits five more, and a page, which looks at a
whole environment over one minute and waits for nothing. One minute holds few queries, so the pages are built to bear small
numbers. The error page wants a least number of failures beside the share: among four queries a minute with an error ratio of
2 %, chance alone puts two failures into one minute four times a day, but five only once in months. The latency page reads the
median instead of the 95th percentile, because with five queries a minute the latter is the slowest one of them; a median
beyond a bucket bound says that more than half of the queries took longer, which one or two slow ones never bring about.
"""

from __future__ import annotations

from alert_rules.model import Alert, AlertGroup, Flow, Guard, Labels, MetricCheck, Severity, TableCheck
from alert_rules.stories import Story, bucket_after, durations, standard
from contract.settings import Settings
from contract.signals.agents import (
    AGENT_ERROR_RATIO,
    AGENT_ERRORS,
    AGENT_FAILURES,
    AGENT_LATENCY,
    AGENT_QUERIES,
    DEPENDENCY_LATENCY,
    PHASE_LATENCY,
)
from contract.signals.model import Quantile
from contract.status import sql_may_have_failed
from contract.values import duration_seconds

AGENT = ("environment", "agent")
ENVIRONMENT = ("environment",)
GROUP = AlertGroup("agent_alerts", "30s")
PAGES = AlertGroup("agent_pages", "15s")
MEDIAN = AGENT_LATENCY.at(0.5)

_ON_MODELS = (("depends", "ModelProviderDown"),)
_ENOUGH = (Guard(AGENT_QUERIES, "5m", "minimum_queries"),)
_ENOUGH_FOR_P95 = (Guard(AGENT_QUERIES, "5m", "minimum_queries_percentile"),)
_ENOUGH_FAILURES = (Guard(AGENT_FAILURES, "5m", "minimum_failures"),)
_ENOUGH_TO_WAKE = (Guard(AGENT_QUERIES, "1m", "minimum_queries_page"),)
_FAILURES_TO_WAKE = (Guard(AGENT_FAILURES, "1m", "minimum_failures_page"),)

_FAILURES_SQL = f"""\
SELECT environment, agent_name, version, error_type, count(*) AS failed, min(start_time) AS first, max(start_time) AS last
FROM analytics.agent_executions
WHERE start_time >= :'since' AND duration_ms IS NOT NULL AND {sql_may_have_failed("lower(status)")}
GROUP BY environment, agent_name, version, error_type
ORDER BY failed DESC
LIMIT 20;"""  # noqa: S608 — words of the contract, for a person to run
_SLOWEST_SQL = """\
SELECT start_time, environment, agent_name, version, duration_ms, tool_count, retry_count, trace_id
FROM analytics.agent_executions
WHERE start_time >= :'since' AND duration_ms IS NOT NULL
ORDER BY duration_ms DESC
LIMIT 20;"""
DEPLOYMENTS_SQL = """\
SELECT a.name, d.version, d.environment, d.deployed_at, d.commit_ref
FROM analytics.deployments d
JOIN analytics.agents a ON a.id = d.agent_id
WHERE d.deployed_at >= :'since'::timestamptz - interval '1 day'
ORDER BY d.deployed_at DESC
LIMIT 20;"""
DEPLOYMENTS = TableCheck("Was a version deployed shortly before?", DEPLOYMENTS_SQL)


def about(alert: Alert, settings: Settings) -> Labels:
    """Whom the scenarios are about: an agent of the environment that may page."""
    environment = (*settings.notifications.paging_environments, *settings.environments)[0]
    return tuple((label, {"environment": environment, "agent": _agent(alert)}[label]) for label in alert.by)


def flow_labels(alert: Alert, settings: Settings) -> Labels:
    """The labels of the series that the scenarios are told with."""
    return tuple(sorted({"agent": _agent(alert), "version": "1.4.0", **dict(about(alert, settings))}.items()))


def _agent(alert: Alert) -> str:
    return (*alert.only, "billing")[0]


def _busy(alert: Alert, settings: Settings) -> float:
    """Queries per minute: ten times what the guards ask for comes with every scrape."""
    scrapes = 60 / duration_seconds(settings.sources.prometheus.scrape_interval)
    return 10.0 * scrapes * sum(guard.count(settings) for guard in alert.guards)


def _sparse(alert: Alert, settings: Settings) -> float:
    """Queries per minute: half of what the first guard asks for."""
    return alert.guards[0].count(settings) / 2 / (duration_seconds(alert.guards[0].window) / 60)


def _errors(alert: Alert, settings: Settings) -> Story:
    limit, labels = alert.limit(settings), flow_labels(alert, settings)

    def queries(per_minute: float, failing: float) -> tuple[Flow, ...]:
        return tuple(
            Flow("agent_queries_total", (*labels, ("status", status)), per_minute * share)
            for status, share in (("success", 1 - failing), ("error", failing / 2), ("timeout", failing / 2))
        )

    bad, busy = (1 + limit) / 2, _busy(alert, settings)
    good, sparse = queries(busy, limit / 2), queries(_sparse(alert, settings), 1.0)
    enough, most = (float(guard.count(settings)) for guard in alert.guards)
    # Somewhat more queries than there have to be, and of these somewhat more than may fail.
    part, many = min(1.0, 1.2 * limit), 1.2 * enough
    rare = queries(many / (alert.window_seconds / 60), part) if part > limit and many * part < 0.9 * most else ()
    return Story(about(alert, settings), queries(busy, bad), good, bad, sparse, rare)


def _slow(alert: Alert, settings: Settings) -> Story:
    labels, signal = flow_labels(alert, settings), alert.signal
    assert isinstance(signal, Quantile)
    lower, upper = bucket_after(signal.metric_name, alert.limit(settings))

    def queries(per_minute: float, seconds: float) -> tuple[Flow, ...]:
        took = durations(signal.metric_name, (*labels, ("status", "success")), seconds, per_minute)
        return (*took, Flow("agent_queries_total", (*labels, ("status", "success")), per_minute))

    busy, shows = _busy(alert, settings), lower + (upper - lower) * signal.quantile
    good, sparse = queries(busy, lower), queries(_sparse(alert, settings), upper)
    return Story(about(alert, settings), queries(busy, upper), good, shows, sparse)


_ERROR_CHECKS = (
    MetricCheck("Which agents fail, and how often?", AGENT_ERROR_RATIO, AGENT),
    MetricCheck("What kind of errors are they?", AGENT_ERRORS, ("environment", "agent", "error_type"), "15m"),
    TableCheck("Which version, and since when exactly?", _FAILURES_SQL),
    DEPLOYMENTS,
)
_ERROR_STEPS = (
    "One agent, one version, and a deployment just before: roll that version back.",
    "Errors of kind `llm` or `rate_limit` across agents: look at the model provider's status page, then switch the agents to "
    "their fallback model or lower their rate.",
    "Errors of kind `tool`: find the tool among the failed calls, and take it away from the agent when it can do without.",
    "Errors of kind `timeout`: treat it as slow answers; see AgentResponseTimeHigh.",
    "None of these: take a `trace_id` of a failed execution and read that trace from its first failed step.",
)
_LATENCY_CHECKS = (
    MetricCheck("Which agents are slow?", AGENT_LATENCY, AGENT),
    MetricCheck("What do they wait for?", DEPENDENCY_LATENCY, ("environment", "dependency")),
    MetricCheck("Or which step of their own takes long?", PHASE_LATENCY, ("environment", "phase")),
    TableCheck("Which queries were the slowest?", _SLOWEST_SQL),
    DEPLOYMENTS,
)
_LATENCY_STEPS = (
    "One dependency is slow for all agents: look at that dependency; for a model provider switch to the fallback model.",
    "One agent is slow after a deployment: roll that version back.",
    "Many retries in the slowest queries: lower the number of retries, so that users hear of a failure sooner.",
    "More queries than usual: add capacity, or limit the rate of the heaviest users.",
)

ERROR_RATIO = Alert(
    name="AgentErrorRatioHigh",
    group=GROUP,
    concern="agent-errors",
    signal=AGENT_ERROR_RATIO,
    by=AGENT,
    window="5m",
    comparison=">",
    threshold="error_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="agents",
    summary="An agent fails more often than it may.",
    description="{value} of the queries to agent {agent} in {environment} failed or timed out in the last {window}; "
    "{threshold} is the limit. It has been so for {hold}.",
    meaning="More of the agent's queries end in an error or a timeout than agreed. Queries that users cancelled do not count.",
    impact="Some users get no answer and ask again or give up. The conversations of this agent will miss their goals.",
    checks=_ERROR_CHECKS,
    next_steps=_ERROR_STEPS,
    panel="overview/agent_errors",
    scenarios=standard(_errors),
    guards=_ENOUGH + _ENOUGH_FAILURES,
    labels=_ON_MODELS,
)
ERROR_RATIO_CRITICAL = Alert(
    name="AgentErrorRatioCritical",
    group=GROUP,
    concern="agent-errors",
    signal=AGENT_ERROR_RATIO,
    by=AGENT,
    window="5m",
    comparison=">",
    threshold="error_ratio_critical",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.CRITICAL,
    team="agents",
    summary="An agent fails so often that it is of little use.",
    description="{value} of the queries to agent {agent} in {environment} failed or timed out in the last {window}; "
    "{threshold} is what is bearable. It has been so for {hold}.",
    meaning="A large part of the agent's queries ends in an error or a timeout. It mutes AgentErrorRatioHigh of this agent.",
    impact="Most users of this agent meet a failure within one conversation, and many turn to people instead.",
    checks=_ERROR_CHECKS,
    next_steps=_ERROR_STEPS,
    panel="overview/agent_errors",
    scenarios=standard(_errors),
    guards=_ENOUGH + _ENOUGH_FAILURES,
)
ERRORS_PAGE = Alert(
    name="AgentErrorsPage",
    group=PAGES,
    concern="agent-errors",
    signal=AGENT_ERROR_RATIO,
    by=ENVIRONMENT,
    window="1m",
    comparison=">",
    threshold="error_ratio_page",
    hold="0s",
    keep_firing_for="1m",
    severity=Severity.CRITICAL,
    team="agents",
    paging=True,
    summary="Agents are failing right now.",
    description="{value} of all agent queries in {environment} failed or timed out in the last {window}; "
    "more than {threshold} wakes people, without waiting.",
    meaning="Within a single minute a large share of all agent queries of an environment failed, and not just two or three of "
    "them. It mutes AgentErrorRatioHigh of that environment.",
    impact="The platform fails for its users now, whichever agent they talk to.",
    checks=_ERROR_CHECKS,
    next_steps=_ERROR_STEPS,
    panel="overview/errors_page",
    scenarios=standard(_errors),
    guards=_ENOUGH_TO_WAKE + _FAILURES_TO_WAKE,
)
RESPONSE_TIME = Alert(
    name="AgentResponseTimeHigh",
    group=GROUP,
    concern="agent-latency",
    signal=AGENT_LATENCY,
    by=AGENT,
    window="5m",
    comparison=">",
    threshold="response_seconds",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="agents",
    summary="An agent answers too slowly.",
    description="The slowest 5% of the queries to agent {agent} in {environment} took longer than {value} in the last "
    "{window}; {threshold} is the limit. It has been so for {hold}.",
    meaning="The 95th percentile of the time from query to answer is beyond what was agreed: one user in twenty waits longer.",
    impact="Users wait, ask again, or leave before the answer comes; repeated queries make it slower still.",
    checks=_LATENCY_CHECKS,
    next_steps=_LATENCY_STEPS,
    panel="overview/agent_latency",
    scenarios=standard(_slow),
    guards=_ENOUGH_FOR_P95,
    labels=_ON_MODELS,
)
RESPONSE_TIME_PAGE = Alert(
    name="AgentResponseTimePage",
    group=PAGES,
    concern="agent-latency",
    signal=MEDIAN,
    by=ENVIRONMENT,
    window="1m",
    comparison=">",
    threshold="response_seconds_page",
    hold="0s",
    keep_firing_for="1m",
    severity=Severity.CRITICAL,
    team="agents",
    paging=True,
    summary="Agents hardly answer right now.",
    description="Half of all agent queries in {environment} took longer than {value} in the last {window}; "
    "more than {threshold} wakes people, without waiting.",
    meaning="Within a single minute more than half of all agent queries of an environment took longer than anybody waits. It "
    "mutes AgentResponseTimeHigh of that environment.",
    impact="To its users the platform looks as if it had stopped.",
    checks=_LATENCY_CHECKS,
    next_steps=_LATENCY_STEPS,
    panel="overview/latency_page",
    scenarios=standard(_slow),
    guards=_ENOUGH_TO_WAKE,
)

ALERTS = (ERROR_RATIO, ERROR_RATIO_CRITICAL, ERRORS_PAGE, RESPONSE_TIME, RESPONSE_TIME_PAGE)
