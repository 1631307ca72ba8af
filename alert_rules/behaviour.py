"""Alerts on how agents behave: attempts that they repeat, guardrails that step in, versions and load tests that do badly."""

from __future__ import annotations

from alert_rules.accounts import counted, share
from alert_rules.agents import AGENT, DEPLOYMENTS
from alert_rules.model import Alert, AlertGroup, Flow, Guard, Labels, MetricCheck, Severity, TableCheck
from alert_rules.stories import Story, level, standard
from contract.settings import Settings
from contract.signals.agents import (
    AGENT_ERROR_RATIO,
    AGENT_ERRORS,
    AGENT_LATENCY,
    AGENT_QUERIES,
    AGENT_RETRIES,
    DEPENDENCY_LATENCY,
    GUARDRAIL_BLOCK_RATIO,
    GUARDRAIL_BLOCKS,
    GUARDRAIL_DECISIONS,
    RETRIES_PER_QUERY,
)
from contract.signals.executions import LOAD_TEST_LEVELS_BROKEN
from contract.signals.models import LLM_ERROR_RATIO
from contract.signals.tools import TOOL_ERROR_RATIO
from recording_rules.versions import VERSION_REGRESSION

GROUP = AlertGroup("behaviour_alerts", "30s")
VERSIONS = AlertGroup("version_alerts", "1m")
"""As often as versions are compared, and tests looked at."""
GUARDRAIL = ("environment", "guardrail")
_VERSION = ("environment", "agent", "version", "measure")

_REGRESSIONS_SQL = """\
SELECT agent, environment, version, metric, before, after, p_value, detected_at, source, state
FROM analytics.regressions
WHERE detected_at >= :'since'::timestamptz - interval '7 days'
ORDER BY detected_at DESC
LIMIT 20;"""
_LOAD_TESTS_SQL = """\
SELECT t.scope AS agent, t.params->>'environment' AS environment, t.ended_at, t.params->>'per_second' AS per_second,
       t.result->>'requests' AS requests, t.result->>'errors' AS errors, t.result->>'not_sent' AS not_sent,
       t.result->>'p95' AS p95, level->>'name' AS service_level, level->>'good_percent' AS good_percent,
       level->>'objective' AS objective, level->>'kept' AS kept
FROM analytics.load_tests t, jsonb_array_elements(t.result->'service_levels') AS level
WHERE t.ended_at >= :'since'::timestamptz - interval '7 days'
ORDER BY t.ended_at DESC, service_level
LIMIT 30;"""
_BLOCKED = "agent_guardrail_decisions_total"


def _storm(alert: Alert, settings: Settings) -> Story:
    """Queries are repeated more than once each, or hardly ever."""
    about: Labels = (("agent", "billing"), ("environment", settings.environments[0]))
    limit, least = alert.limit(settings), alert.guards[0].count(settings)

    def flows(queries: float, per_query: float) -> tuple[Flow, ...]:
        return (
            Flow("agent_retries_total", (*about, ("reason", "llm")), queries * per_query),
            Flow("agent_queries_total", (*about, ("status", "success"), ("version", "1.4.0")), queries),
        )

    busy, worse = 40.0 * least / limit, 2 * limit
    few = least / 2 / (alert.window_seconds / 60) / worse
    return Story(tuple(sorted(about, reverse=True)), flows(busy, worse), flows(busy, limit / 2), worse, flows(few, worse))


def _worse(alert: Alert, settings: Settings) -> Story:
    """The newest version is recorded as worse, and is."""
    pair = (("agent", "billing"), ("environment", settings.environments[0]))
    what = (*pair, ("measure", "errors"))
    ratio = alert.limit(settings) * 1.5

    def flows(is_open: float, times: float) -> tuple[Flow, ...]:
        return (
            Flow("platform_regressions_open", what, is_open),
            Flow("platform_version_regression_ratio", what, times),
            Flow("platform_version_sample", (*pair, ("side", "new"), ("version", "1.5.0")), 400.0),
            Flow("platform_version_sample", (*pair, ("side", "previous"), ("version", "1.4.0")), 400.0),
        )

    about = dict((*what, ("version", "1.5.0")))
    named = tuple((label, about[label]) for label in alert.by)
    return Story(named, flows(1.0, ratio), flows(0.0, ratio), ratio, still=flows(0.0, 1.0))


RETRIES = Alert(
    name="AgentRetriesHigh",
    group=GROUP,
    concern="agent-retries",
    signal=RETRIES_PER_QUERY,
    by=AGENT,
    window="5m",
    comparison=">",
    threshold="retries_per_query",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="agents",
    summary="An agent repeats its attempts far too often.",
    description="Agent {agent} in {environment} made {value} further attempts for each query in the last {window}; {threshold} "
    "is the limit. It has been so for {hold}.",
    meaning="Steps fail and are tried again, which hides the failures at first, and then multiplies the load that causes them.",
    impact="Answers come late and cost more. What the agent calls gets several times the requests just when it is weak.",
    checks=(
        MetricCheck("Why are attempts repeated?", AGENT_RETRIES, (*AGENT, "reason"), "15m"),
        MetricCheck("Which models fail?", LLM_ERROR_RATIO, ("environment", "gen_ai_request_model")),
        MetricCheck("Which tools fail?", TOOL_ERROR_RATIO, ("environment", "tool")),
        MetricCheck("Do its queries fail in the end?", AGENT_ERROR_RATIO, AGENT),
        DEPLOYMENTS,
    ),
    next_steps=(
        "A model or tool fails: follow its alert, and lower the agent's number of attempts until it is well.",
        "Attempts follow each other without a pause: let them wait longer each time, with some chance in it.",
        "Only one agent and a new version: it does not accept answers that are right; roll it back.",
    ),
    scenarios=standard(_storm),
    guards=(Guard(AGENT_RETRIES, "5m", "minimum_retries"),),
    labels=(("depends", "ModelProviderDown"),),
)
BLOCKS = Alert(
    name="GuardrailBlocksHigh",
    group=GROUP,
    concern="guardrails",
    signal=GUARDRAIL_BLOCK_RATIO,
    by=GUARDRAIL,
    window="15m",
    comparison=">",
    threshold="guardrail_block_ratio",
    hold="5m",
    keep_firing_for="10m",
    severity=Severity.WARNING,
    team="agents",
    summary="A guardrail blocks unusually much.",
    description="Guardrail {guardrail} in {environment} blocked {value} of what it looked at in the last {window}; {threshold} "
    "is the limit. It has been so for {hold}.",
    meaning="Somebody tries to misuse the agents, or the guardrail has become too strict.",
    impact="Users whose questions are harmless are turned away, or an attack is under way that is held off so far.",
    checks=(
        MetricCheck("Which guardrails step in, and how?", GUARDRAIL_DECISIONS, (*GUARDRAIL, "decision"), "1h"),
        MetricCheck("How large is the share of each?", GUARDRAIL_BLOCK_RATIO, GUARDRAIL, "15m"),
        MetricCheck("Are there more queries than usual?", AGENT_QUERIES, AGENT, "1h", "1d"),
        DEPLOYMENTS,
    ),
    next_steps=(
        "Its rules or its model were changed shortly before: read ten blocked queries; harmless ones say to take that back.",
        "More queries than usual, many from few users: an attack; limit these users, and tell security.",
        "One agent only: its new prompt or tool brings about answers that the guardrail must block; roll it back.",
    ),
    scenarios=standard(
        share(
            (("guardrail", "prompt_injection"),),
            wrong=counted(_BLOCKED, ("decision", "block")),
            right=counted(_BLOCKED, ("decision", "allow")),
        )
    ),
    guards=(Guard(GUARDRAIL_BLOCKS, "15m", "minimum_blocks"),),
)
REGRESSION = Alert(
    name="AgentVersionWorse",
    group=VERSIONS,
    concern="agent-version",
    signal=VERSION_REGRESSION,
    by=_VERSION,
    window="1m",
    comparison=">",
    threshold="regression_ratio",
    hold="1m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="agents",
    summary="The newest version of an agent is worse than the one before it.",
    description="Version {version} of agent {agent} in {environment}: {measure} are {value} those of the version before; more "
    "than {threshold}, and chance does not explain it.",
    meaning="The exporter compares equal times before and after the deployment. It says so only with enough executions on both "
    "sides and a small probability that the difference is chance (`regression_` under `thresholds`).",
    impact="Since the deployment more queries fail, or answers take longer, for every user of the agent.",
    checks=(
        MetricCheck("How much worse, and in what?", VERSION_REGRESSION, _VERSION),
        MetricCheck("Which errors does the version make?", AGENT_ERRORS, (*AGENT, "error_type"), "1h"),
        MetricCheck("How slow is each version?", AGENT_LATENCY, (*AGENT, "version")),
        TableCheck("What was recorded, and with which certainty?", _REGRESSIONS_SQL),
        DEPLOYMENTS,
    ),
    next_steps=(
        "Roll the version back, unless it was made slower or stricter on purpose.",
        "It was on purpose: dismiss the regression in its table, and the alert ends.",
        "The provider was in trouble at the same time: wait for the next comparison, which covers twice the time.",
    ),
    scenarios=standard(_worse),
)
LOAD_TEST = Alert(
    name="LoadTestLevelBroken",
    group=VERSIONS,
    concern="load-test",
    signal=LOAD_TEST_LEVELS_BROKEN,
    by=AGENT,
    window="1m",
    comparison=">",
    threshold=0.0,
    hold="1m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="agents",
    summary="An agent does not keep its service levels under load.",
    description="The newest load test of agent {agent} in {environment} did not keep {value} of its service levels.",
    meaning="So many requests at a time made answers slower, or more of them fail, than a service level allows. An incident is "
    "open until a test keeps them.",
    impact="None yet: it was a test. Users will meet it once as many of them come, or once this version is in production.",
    checks=(
        MetricCheck("Which agents, and how many service levels?", LOAD_TEST_LEVELS_BROKEN, AGENT),
        TableCheck("Which service levels, and what did the test find?", _LOAD_TESTS_SQL),
        MetricCheck("What do slow answers wait for?", DEPENDENCY_LATENCY, ("environment", "dependency")),
        DEPLOYMENTS,
    ),
    next_steps=(
        "`not_sent` is large: all answers that may be waited for were waited for; the agent needs more capacity, or a limit.",
        "A version was deployed since a test that kept them: schedule the same test against the version before.",
        "The load was more than the agent is meant for: schedule a test with less, and the alert ends when that keeps them.",
    ),
    scenarios=standard(
        level("platform_load_test_levels_broken", (("environment", "staging"), ("agent", "billing")), bad=2.0, good=0.0)
    ),
)

ALERTS = (RETRIES, BLOCKS, REGRESSION, LOAD_TEST)
