"""Alerts on what users think of the answers."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import counted, moved, share
from alert_rules.agents import AGENT, DEPLOYMENTS
from alert_rules.model import Alert, AlertGroup, Also, Flow, Guard, Labels, MetricCheck, Severity, TableCheck
from alert_rules.stories import standard
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY
from contract.signals.conversations import SUCCESS_RATIO
from contract.signals.users import (
    FEEDBACK,
    FEEDBACK_NEGATIVE,
    FEEDBACK_NEGATIVE_RATIO,
    NPS,
    NPS_ANSWERS,
    NPS_LOST,
    NPS_WEEK_ANSWERS,
    RATINGS,
)

GROUP = AlertGroup("feedback_alerts", "1m")

_FEEDBACK_SQL = """\
SELECT c.environment, a.name AS agent, c.intent, f.category, count(*) FILTER (WHERE f.thumbs < 0) AS down,
       count(*) FILTER (WHERE f.thumbs > 0) AS up, count(*) FILTER (WHERE f.nps <= 6) AS detractors
FROM analytics.feedback f
JOIN analytics.conversations c ON c.id = f.conversation_id
JOIN analytics.agents a ON a.id = c.agent_id
WHERE f.created_at >= :'since'::timestamptz - interval '1 day'
GROUP BY c.environment, a.name, c.intent, f.category
ORDER BY down DESC
LIMIT 20;"""
_ABOUT_WHAT = TableCheck("About which agent, intent and category do users complain?", _FEEDBACK_SQL)


def _answers(about: Labels, number: float) -> tuple[Flow, ...]:
    return (Flow("platform_window_nps_answers", (*about, ("window", "7d")), number),)


NEGATIVE = Alert(
    name="NegativeFeedbackHigh",
    group=GROUP,
    concern="feedback",
    signal=FEEDBACK_NEGATIVE_RATIO,
    by=AGENT,
    window="1h",
    comparison=">",
    threshold="negative_feedback_ratio",
    hold="5m",
    keep_firing_for="15m",
    severity=Severity.WARNING,
    team="agents",
    summary="Users vote an agent's answers down.",
    description="{value} of the thumbs for agent {agent} in {environment} pointed down in the last {window}; {threshold} is "
    "the limit. It has been so for {hold}.",
    meaning="Among those who vote, more are unhappy with the answers than agreed.",
    impact="Users get answers that do not help them; those who do not vote think the same.",
    checks=(
        MetricCheck("Which agents are voted down?", FEEDBACK_NEGATIVE_RATIO, AGENT, "1h"),
        MetricCheck("How many votes are there?", FEEDBACK, (*AGENT, "sentiment"), "24h"),
        _ABOUT_WHAT,
        MetricCheck("Do its queries fail?", AGENT_ERROR_RATIO, AGENT),
        MetricCheck("Is it slow?", AGENT_LATENCY, AGENT),
        DEPLOYMENTS,
    ),
    next_steps=(
        "It fails or is slow: that is what they vote about; follow those alerts.",
        "One intent since a deployment: read five of its conversations, and roll the version back.",
        "Category `correctness`: a document is old or wrong; find the one that the answers quote.",
    ),
    scenarios=standard(
        share(
            (("agent", "billing"),),
            wrong=counted("platform_feedback_total", ("sentiment", "negative")),
            right=counted("platform_feedback_total", ("sentiment", "positive")),
        )
    ),
    guards=(Guard(FEEDBACK_NEGATIVE, "1h", "minimum_negative_feedback"),),
)
NPS_DROPPED = replace(
    NEGATIVE,
    name="NpsDropped",
    group=AlertGroup("nps_alerts", "2m"),
    concern="nps",
    signal=NPS_LOST,
    by=(),
    window="5m",
    threshold="nps_drop",
    hold="8m",
    keep_firing_for="1h",
    summary="The net promoter score has fallen within a week.",
    description="The net promoter score of the last seven days is {value} points below that of the seven days before; "
    "{threshold} is the limit.",
    meaning="Fewer users would recommend the product than a week ago. Both weeks have enough answers to say so.",
    impact="Users are on their way out; it shows in their number some weeks later.",
    checks=(
        MetricCheck("What is the score of each window?", NPS, ("window",)),
        MetricCheck("How many answers does it stand on?", NPS_ANSWERS, ("window",)),
        MetricCheck("Do fewer conversations reach their goal?", SUCCESS_RATIO, AGENT, "1h"),
        MetricCheck("Have the stars changed as well?", RATINGS, ("environment", "rating"), "24h"),
        _ABOUT_WHAT,
    ),
    next_steps=(
        "Read the comments of the detractors of this week, and count what they name.",
        "An outage lies within the week: the score comes back by itself; tell users what was done about it.",
        "Another group of users was asked than before (a new country, a new channel): the weeks cannot be compared.",
    ),
    scenarios=standard(moved("platform_nps_points", (), _answers)),
    guards=(),
    also=(
        Also(NPS_WEEK_ANSWERS, "5m", ">", "minimum_nps_answers"),
        Also(NPS_WEEK_ANSWERS.shifted("7d"), "5m", ">", "minimum_nps_answers"),
    ),
)

ALERTS = (NEGATIVE, NPS_DROPPED)
