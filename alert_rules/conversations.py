"""Alerts on what conversations achieve, and on those that people have to take over."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import changed, counted
from alert_rules.agents import AGENT, DEPLOYMENTS
from alert_rules.model import Alert, AlertGroup, Flow, Guard, MetricCheck, Severity, TableCheck
from alert_rules.stories import Story, standard
from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO
from contract.signals.conversations import (
    CONVERSATIONS_CLOSED,
    CONVERSATIONS_ENDED,
    CONVERSATIONS_MISSED,
    HANDOFF_CHANGE,
    HANDOFF_CHANGE_WEEK,
    HANDOFF_RATIO,
    HANDOFFS,
    SUCCESS_RATIO,
)
from contract.values import duration_seconds

GROUP = AlertGroup("conversation_alerts", "1m")
CHANGES = AlertGroup("conversation_changes", "1m")

_MISSED_SQL = """\
SELECT c.environment, a.name AS agent, c.intent, c.outcome, count(*) AS missed
FROM analytics.conversations c
JOIN analytics.agents a ON a.id = c.agent_id
WHERE c.ended_at >= :'since' AND c.goal_achieved IS FALSE
GROUP BY c.environment, a.name, c.intent, c.outcome
ORDER BY missed DESC
LIMIT 20;"""


def _goals(alert: Alert, settings: Settings) -> Story:
    limit, least = alert.limit(settings), max(guard.count(settings) for guard in alert.guards)
    about = (("agent", "billing"), ("environment", settings.environments[0]))

    def ended(per_minute: float, achieved: float) -> tuple[Flow, ...]:
        """Conversations with a known goal, and as many without, which do not count."""
        shares = {"achieved": achieved, "missed": 1 - achieved, "unknown": 1.0}
        return tuple(
            Flow("platform_conversations_ended_total", (*about, ("goal", goal)), per_minute * share)
            for goal, share in shares.items()
        )

    busy = 10.0 * least * 60 / duration_seconds(settings.sources.prometheus.scrape_interval)
    few = least / 2 / (duration_seconds(alert.guards[0].window) / 60)
    return Story(about, ended(busy, limit / 2), ended(busy, (1 + limit) / 2), limit / 2, ended(few, 0.0))


SUCCESS_RATE = Alert(
    name="AgentSuccessRateLow",
    group=GROUP,
    concern="agent-success",
    signal=SUCCESS_RATIO,
    by=AGENT,
    window="1h",
    comparison="<",
    threshold="success_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="agents",
    summary="Too few conversations of an agent reach their goal.",
    description="{value} of the conversations with agent {agent} in {environment} that ended in the last {window} reached "
    "their goal; at least {threshold} should. It has been so for {hold}.",
    meaning="Of the conversations whose goal is known, fewer than agreed were ended with the goal achieved.",
    impact="Users leave without what they came for; more of them open tickets or ask for a person.",
    checks=(
        MetricCheck("Is it one agent or all of them?", SUCCESS_RATIO, AGENT, "1h"),
        MetricCheck("Do its queries fail?", AGENT_ERROR_RATIO, AGENT),
        MetricCheck("Are conversations handed over, and why?", HANDOFFS, ("environment", "agent", "reason"), "1h"),
        TableCheck("Which intents miss their goal, and how do they end?", _MISSED_SQL),
        DEPLOYMENTS,
    ),
    next_steps=(
        "Its queries fail too: follow AgentErrorRatioHigh first; the success rate follows.",
        "One intent misses: read three of its conversations, and look for a changed prompt, tool or document.",
        "A deployment just before: roll that version back and watch the rate for an hour, which is its window.",
        "Many handoffs for one reason: tell the people who take them what is going on.",
    ),
    panel="overview/success_ratio",
    scenarios=standard(_goals),
    guards=(Guard(CONVERSATIONS_ENDED, "1h", "minimum_conversations"), Guard(CONVERSATIONS_MISSED, "1h", "minimum_missed")),
)


def _enough_handoffs(ago: str) -> tuple[Guard, ...]:
    """Handoffs now, and conversations then: of a handful, the share that was handed over is chance."""
    return (
        Guard(HANDOFFS, "1h", "minimum_handoffs"),
        Guard(CONVERSATIONS_CLOSED.shifted(ago), "1h", "minimum_conversations"),
    )


HANDOFFS_JUMP = replace(
    SUCCESS_RATE,
    name="AgentHandoffsJumped",
    group=CHANGES,
    concern="agent-handoffs",
    signal=HANDOFF_CHANGE,
    comparison=">",
    threshold="handoff_change",
    hold="8m",
    keep_firing_for="20m",
    summary="Far more conversations of an agent go to people than yesterday.",
    description="The share of conversations that agent {agent} in {environment} handed over to people is {value} that of this "
    "time yesterday; {threshold} is the limit. It has been so for {hold}.",
    meaning="The agent gives up conversations that it would have finished before, or users ask for a person.",
    impact="The people who take them get a multiple of their usual work, and users wait for them.",
    checks=(
        MetricCheck("Which agents hand over more?", HANDOFF_CHANGE, AGENT, "1h"),
        MetricCheck("For which reasons?", HANDOFFS, ("environment", "agent", "reason"), "1h"),
        MetricCheck("How large is the share now?", HANDOFF_RATIO, AGENT, "1h"),
        MetricCheck("Do its queries fail?", AGENT_ERROR_RATIO, AGENT),
        DEPLOYMENTS,
    ),
    next_steps=(
        "Reason `low_confidence` or `repeated_failure`: a tool or a document is missing; see its failures, and the tools'.",
        "Reason `user_request`: read three of them; users do not get what they came for, or learned a phrase.",
        "Reason `policy`: a rule was made stricter; ask whether it was meant so.",
        "Tell the people who take them what is going on, and for how long.",
    ),
    panel="",
    scenarios=standard(
        changed(
            (("agent", "billing"),),
            counted("platform_handoffs_total", ("reason", "low_confidence")),
            counted("platform_conversations_ended_total", ("goal", "achieved")),
        )
    ),
    guards=_enough_handoffs("1d"),
)
HANDOFFS_WEEK = replace(
    HANDOFFS_JUMP,
    name="AgentHandoffsAboveLastWeek",
    group=AlertGroup("conversation_weeks", "1m"),
    signal=HANDOFF_CHANGE_WEEK,
    severity=Severity.INFO,
    summary="Far more conversations of an agent go to people than a week ago.",
    description="The share of conversations that agent {agent} in {environment} handed over to people is {value} that of this "
    "time a week ago; {threshold} is the limit. It has been so for {hold}.",
    meaning="The same weekday and hour are compared, so habits of the week do not explain it. It may have grown over days.",
    impact="More work for people, day after day, without a moment at which it began.",
    checks=(MetricCheck("Which agents are it?", HANDOFF_CHANGE_WEEK, AGENT, "1h"), *HANDOFFS_JUMP.checks[1:]),
    guards=_enough_handoffs("7d"),
)

ALERTS = (SUCCESS_RATE, HANDOFFS_JUMP, HANDOFFS_WEEK)
