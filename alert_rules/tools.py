"""Alerts on what agents call: tools, external interfaces, and the workflows that they are part of.

A single tool is called a few times a minute, so its calls are judged over a quarter of an hour, and never by fewer than a
handful of failures.
"""

from __future__ import annotations

from alert_rules.accounts import counted, share
from alert_rules.agents import DEPLOYMENTS
from alert_rules.model import Alert, AlertGroup, Guard, MetricCheck, Severity, TableCheck
from alert_rules.stories import standard
from contract.signals.tools import (
    API_ERROR_RATIO,
    API_FAILURES,
    API_LATENCY,
    API_REQUESTS,
    TOOL_CALLS,
    TOOL_ERROR_RATIO,
    TOOL_FAILURES,
    TOOL_LATENCY,
    WORKFLOW_ERROR_RATIO,
    WORKFLOW_FAILURES,
    WORKFLOW_LATENCY,
)

GROUP = AlertGroup("tool_alerts", "1m")
TOOL, API, WORKFLOW = ("environment", "tool"), ("environment", "api"), ("environment", "workflow_type")

_TOOLS_SQL = """\
SELECT tool_name, status, external_api_called, api_status_code, count(*) AS calls, max(start_time) AS last
FROM analytics.tool_usage_metrics
WHERE start_time >= :'since'
GROUP BY tool_name, status, external_api_called, api_status_code
ORDER BY calls DESC
LIMIT 40;"""
_WORKFLOWS_SQL = """\
SELECT environment, workflow_type, status, count(*) AS runs, max(end_time) AS last
FROM analytics.workflow_metrics
WHERE start_time >= :'since'
GROUP BY environment, workflow_type, status
ORDER BY runs DESC
LIMIT 40;"""
_TOOLS = MetricCheck("Which tools fail, and how often?", TOOL_ERROR_RATIO, TOOL, "15m")
_APIS = MetricCheck("Which external interfaces fail?", API_ERROR_RATIO, API, "15m")
_ENDS = TableCheck("How did the calls end, and what did the other side answer?", _TOOLS_SQL)

TOOL_ERRORS = Alert(
    name="ToolErrorRatioHigh",
    group=GROUP,
    concern="tool-errors",
    signal=TOOL_ERROR_RATIO,
    by=TOOL,
    window="15m",
    comparison=">",
    threshold="tool_error_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="agents",
    summary="A tool fails more often than it may.",
    description="{value} of the calls of tool {tool} in {environment} failed or timed out in the last {window}; {threshold} is "
    "the limit. It has been so for {hold}.",
    meaning="Calls of one tool end in errors or timeouts, whichever agent makes them.",
    impact="Agents try again, then answer without the tool: users get vaguer answers, and orders or refunds are not made.",
    checks=(
        _TOOLS,
        MetricCheck("Which agents call it?", TOOL_CALLS, ("environment", "tool", "agent"), "15m"),
        MetricCheck("Does it take longer than usual?", TOOL_LATENCY, TOOL, "15m", "1d"),
        _ENDS,
    ),
    next_steps=(
        "The interface behind it answers 5xx or not at all: see ExternalApiErrorRatioHigh, and tell whoever runs it.",
        "It answers 4xx: a token has expired or a field was renamed; try one call by hand with the tool's own login.",
        "It began with a release of one agent: the new version calls the tool with wrong arguments; roll it back.",
        "Users suffer and the cause is not found: switch the tool off for the agents that can do without.",
    ),
    scenarios=standard(
        share(
            (("tool", "lookup_invoice"),),
            wrong=counted("agent_tool_calls_total", ("agent", "billing"), ("status", "timeout")),
            right=counted("agent_tool_calls_total", ("agent", "billing"), ("status", "success")),
        )
    ),
    guards=(Guard(TOOL_FAILURES, "15m", "minimum_failures"),),
)
API_ERRORS = Alert(
    name="ExternalApiErrorRatioHigh",
    group=GROUP,
    concern="api-errors",
    signal=API_ERROR_RATIO,
    by=API,
    window="15m",
    comparison=">",
    threshold="tool_error_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="An external interface does not serve its callers.",
    description="{value} of the requests to {api} from {environment} got a server error or no answer in the last {window}; "
    "{threshold} is the limit. It has been so for {hold}.",
    meaning="The other side answers with 5xx or runs into a time limit. Requests that it refuses as wrong (4xx) do not count.",
    impact="Every tool that stands on this interface fails with it.",
    checks=(
        _APIS,
        MetricCheck("With which answers?", API_REQUESTS, ("environment", "api", "status"), "15m"),
        MetricCheck("How slow are its answers?", API_LATENCY, API, "15m"),
        _TOOLS,
        _ENDS,
    ),
    next_steps=(
        "Look at the interface's status page or ask its owner; give them the first moment and the status codes from above.",
        "Only timeouts, and slow before that: the other side is overloaded; lower the number of calls at a time.",
        "Only from one environment: compare the network's way out, proxies and certificates with the others.",
        "It will take long: switch off the tools that need it, so that agents say so at once rather than after a timeout.",
    ),
    scenarios=standard(
        share(
            (("api", "crm-api"),),
            wrong=counted("agent_external_api_requests_total", ("status", "504")),
            right=counted("agent_external_api_requests_total", ("status", "200")),
        )
    ),
    guards=(Guard(API_FAILURES, "15m", "minimum_failures"),),
)
WORKFLOW_ERRORS = Alert(
    name="WorkflowFailureRatioHigh",
    group=GROUP,
    concern="workflow-errors",
    signal=WORKFLOW_ERROR_RATIO,
    by=WORKFLOW,
    window="1h",
    comparison=">",
    threshold="workflow_error_ratio",
    hold="5m",
    keep_firing_for="10m",
    severity=Severity.WARNING,
    team="agents",
    summary="Workflows of one kind fail more often than they may.",
    description="{value} of the workflows of kind {workflow_type} in {environment} failed or timed out in the last {window}; "
    "{threshold} is the limit. It has been so for {hold}.",
    meaning="A chain of several agents breaks somewhere. One failing step fails the whole run.",
    impact="What the workflow was to bring about stays undone until somebody starts it again or does it by hand.",
    checks=(
        MetricCheck("Which kinds of workflow fail?", WORKFLOW_ERROR_RATIO, WORKFLOW, "1h"),
        MetricCheck("Do they run into their time limit?", WORKFLOW_LATENCY, WORKFLOW, "1h"),
        TableCheck("How did the runs end?", _WORKFLOWS_SQL),
        _TOOLS,
        DEPLOYMENTS,
    ),
    next_steps=(
        "Runs last as long as their limit: find the slow agent of the chain; see AgentResponseTimeHigh.",
        "A tool fails at the same time: follow ToolErrorRatioHigh, and start the failed runs again afterwards.",
        "One of its agents has a new version: roll that one back, then start one run and watch it to its end.",
    ),
    scenarios=standard(
        share(
            (("workflow_type", "quote_to_order"),),
            wrong=counted("agent_workflow_runs_total", ("status", "error")),
            right=counted("agent_workflow_runs_total", ("status", "success")),
        )
    ),
    guards=(Guard(WORKFLOW_FAILURES, "1h", "minimum_failures"),),
)

ALERTS = (TOOL_ERRORS, API_ERRORS, WORKFLOW_ERRORS)
