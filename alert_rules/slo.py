"""Alerts on service levels: an error budget that burns too fast, traffic that stopped, and measurements that ended.

One alert watches every service level at once. It fires when a window has taken more than its share of the whole budget, and a
short window says that it is still so: 2 % in an hour is a burn rate of 14.4 where the budget is for 30 days, and of 3.36 where
it is for 7. The share that a window may take is a setting; the burn rate follows from it and from the length of the service
level's own period. A service level that may miss much can never spend that fast: with 90 % of goals, an hour of nothing but
misses takes 1.4 %.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from alert_rules.model import Alert, AlertGroup, Also, MetricCheck, Severity, TableCheck
from alert_rules.slo_stories import all_kinds, stopped, subject, unmeasured
from alert_rules.stories import standard
from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_QUERIES
from contract.signals.http import HTTP_REQUESTS, HTTP_SERVER_ERROR_RATIO
from contract.signals.model import Leaf
from contract.signals.models import LLM_FIRST_CHUNK
from contract.signals.sources import TARGETS_UP
from recording_rules import slo as recorded
from recording_rules.model import Recorded

PAGES = AlertGroup("slo_pages", "15s")
TICKETS = AlertGroup("slo_alerts", "1m")
_READ: tuple[Leaf, ...] = (AGENT_QUERIES.leaf, HTTP_REQUESTS.leaf)


def _series(
    key: str, title: str, description: str, unit: str, record: str, labels: tuple[str, ...] = recorded.LABELS
) -> Recorded:
    return Recorded(key, title, description, unit, record, _READ, labels)


def spent(long: str, pace: str) -> Recorded:
    words = f"Share of the whole error budget that goes within {long}"
    text = words if pace == long else f"{words} at the pace of the last {pace}"
    return _series(f"slo_spent_{long}_{pace}", f"Budget spent in {long}", text, "percentunit", recorded.spent(long, pace))


def burn(window: str) -> Recorded:
    text = f"How many times faster than evenly the error budget was spent within {window}"
    return _series(f"slo_burn_{window}", f"Burn rate {window}", text, "times", recorded.burn(window))


def counted(window: str) -> Recorded:
    text = f"What a service level counted within {window}: queries, conversations, calls, seconds"
    return _series(f"slo_traffic_{window}", f"Events in {window}", text, "events", recorded.counted(window))


REMAINING = _series(
    "slo_remaining", "Budget left", "Share of the error budget that is left; below zero it is overdrawn", "percentunit",
    recorded.REMAINING,
)  # fmt: skip
PERIOD_BURN = _series(
    "slo_period_burn", "Burn rate", "Burn rate over the service level's own period", "times", recorded.PERIOD_BURN
)
_USUAL = _series(
    "slo_traffic_usual", "Usual events", "Events of half an hour as usual at this time: the lesser of yesterday and a week ago",
    "events", recorded.USUAL,
)  # fmt: skip
_MISSING = _series(
    "slo_missing", "No longer measured", "1 where a service level was measured within a day and is not now", "none",
    recorded.MISSING, ("environment", "slo", "team"),
)  # fmt: skip
_FAILED_SQL = """\
SELECT environment, agent_name, version, error_type, count(*) AS failed, min(start_time) AS first
FROM analytics.agent_executions
WHERE start_time >= :'since' AND error_type IS NOT NULL
GROUP BY environment, agent_name, version, error_type
ORDER BY failed DESC
LIMIT 20;"""
_BURNS = MetricCheck("Which service levels burn now, and how fast?", burn("5m"), recorded.LABELS)
_LEFT = MetricCheck("How much of each budget is left?", REMAINING, recorded.LABELS)
_TRAFFIC = MetricCheck("How much happened in the last hour?", counted("1h"), recorded.LABELS)
_AGENTS = MetricCheck("Which agents fail?", AGENT_ERROR_RATIO, ("environment", "agent"))
_SLOW = MetricCheck("Which agents are slow?", AGENT_LATENCY, ("environment", "agent"))
_FIRST = MetricCheck("Which models begin late?", LLM_FIRST_CHUNK, ("environment", "gen_ai_request_model"))
_HTTP = MetricCheck("Does the platform itself fail?", HTTP_SERVER_ERROR_RATIO, ("environment", "handler"))
_TARGETS = MetricCheck("Does the platform answer when it is scraped?", TARGETS_UP, ("environment", "job"))
_ERRORS = TableCheck("Which errors, of which version?", _FAILED_SQL)


def _can_burn(share: str, window: str, paging: bool) -> Callable[[Settings], bool]:
    def can(settings: Settings) -> bool:
        return subject(settings, getattr(settings.thresholds, share), window, paging) is not None

    return can


def _some(settings: Settings) -> bool:
    return bool(settings.slo)


def _counts(settings: Settings) -> bool:
    """Whether anything is counted that can stop: time goes on."""
    return any(slo.sli != "availability" for slo in settings.slo)


_CHECKS = (_BURNS, _LEFT, _TRAFFIC, _AGENTS, _SLOW, _FIRST, _HTTP, _ERRORS)
_STEPS = (
    "`queries-answered` or another level of kind `errors`: the table of errors names agent and version; follow "
    "AgentErrorRatioHigh.",
    "A level of kind `latency` or `first_token`: compare agents and models; one model alone is its provider, one agent alone "
    "its version.",
    "A level of kind `requests`, `responses` or `availability`: the platform itself; look at its processes before its agents.",
    "A level of kind `cost`: see CostForecastOverBudget for what spends, and lower that first.",
    "It is over already, and the short window falls: find out what it was, and write down what it took from the budget.",
)

HOUR = Alert(
    name="SloBudgetBurnHour",
    group=PAGES,
    concern="slo-burn",
    signal=spent("1h", "1h"),
    by=recorded.LABELS,
    window="1h",
    comparison=">",
    threshold="budget_share_hour",
    hold="2m",
    keep_firing_for="5m",
    severity=Severity.CRITICAL,
    team="",
    paging=True,
    summary="An error budget goes within days at this pace.",
    description="{slo} ({scope}, {environment}): the last {window} took {value} of the whole error budget, which team {team} "
    "has for weeks; {threshold} wakes people. It goes on.",
    meaning="So much goes wrong that at this pace the error budget of the whole period is gone in about two days. The last "
    "five minutes were as bad, so it is not over.",
    impact="Users notice it now. What was promised for the period cannot be kept if it lasts.",
    checks=_CHECKS,
    next_steps=_STEPS,
    scenarios=all_kinds,
    also=(Also(spent("1h", "5m"), "1h", ">", "budget_share_hour"), Also(counted("1h"), "1h", ">", "minimum_slo_events")),
    needed=_can_burn("budget_share_hour", "1h", paging=True),
)
SIX_HOURS = replace(
    HOUR,
    name="SloBudgetBurn6Hours",
    signal=spent("6h", "6h"),
    window="6h",
    threshold="budget_share_6_hours",
    hold="6m",
    keep_firing_for="15m",
    summary="An error budget goes within the week at this pace.",
    description="{slo} ({scope}, {environment}): {value} of the whole error budget of team {team} went in the last {window}, "
    "and the last half hour was no better; {threshold} wakes people.",
    meaning="It is not as steep as SloBudgetBurnHour, but it has gone on for hours, and at this pace nothing is left in five "
    "days.",
    impact="Some users have met it for hours. Every further day like this costs a fifth of what the period allows.",
    also=(Also(spent("6h", "30m"), "6h", ">", "budget_share_6_hours"), Also(counted("6h"), "6h", ">", "minimum_slo_events")),
    needed=_can_burn("budget_share_6_hours", "6h", paging=True),
)
DAY = replace(
    SIX_HOURS,
    name="SloBudgetBurnDay",
    group=TICKETS,
    paging=False,
    severity=Severity.WARNING,
    signal=spent("1d", "1d"),
    window="1d",
    threshold="budget_share_day",
    hold="24m",
    keep_firing_for="30m",
    summary="A day took far more than its part of an error budget.",
    description="{slo} ({scope}, {environment}): within one {window} {value} of the whole error budget of team {team} went, "
    "and the last two hours were no better; {threshold} is the most that one may take.",
    meaning="More goes wrong than the budget bears, for a day already: about three times the even pace.",
    impact="Few users complain, but at this pace the budget is gone after a third of the period.",
    also=(Also(spent("1d", "2h"), "1d", ">", "budget_share_day"), Also(counted("1d"), "1d", ">", "minimum_slo_events")),
    needed=_can_burn("budget_share_day", "1d", paging=False),
)
THREE_DAYS = replace(
    DAY,
    name="SloBudgetBurn3Days",
    signal=spent("3d", "3d"),
    window="3d",
    threshold="budget_share_3_days",
    hold="72m",
    keep_firing_for="1h",
    summary="An error budget will not last for its period.",
    description="{slo} ({scope}, {environment}): {value} of the whole error budget of team {team} went in {window}, and the "
    "last six hours went on like that; {threshold} is an even pace.",
    meaning="Slightly too much goes wrong, and has for days: nothing breaks, and the budget is still gone before the period "
    "is.",
    impact="None that anybody reports. Releases that need some of the budget will find none.",
    also=(Also(spent("3d", "6h"), "3d", ">", "budget_share_3_days"), Also(counted("3d"), "3d", ">", "minimum_slo_events")),
    needed=_can_burn("budget_share_3_days", "3d", paging=False),
)
STOPPED = Alert(
    name="SloTrafficStopped",
    group=TICKETS,
    concern="slo-traffic",
    signal=_USUAL,
    by=recorded.LABELS,
    window="30m",
    comparison=">",
    threshold="minimum_slo_events",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="",
    summary="What a service level counts has stopped happening.",
    description="{slo} ({scope}, {environment}): usually {value} events come in {window} at this time of the day, and now "
    "there are none, for {hold} so far. Team {team} is asked to look.",
    meaning="No event at all in five minutes, while yesterday and a week ago there were many at this hour (a service level "
    "that is younger than a day is held against the hour before). Without events nothing can go wrong, so no other alert "
    "speaks.",
    impact="Users may not reach the platform at all, or one agent gets no queries. The budget looks well and means nothing.",
    checks=(_TRAFFIC, _TARGETS, MetricCheck("Do requests still arrive?", HTTP_REQUESTS, ("environment", "handler")), _LEFT),
    next_steps=(
        "No request arrives either: the way to the platform is broken; look at name service, certificate, load balancer, "
        "login.",
        "Requests arrive and one agent has none: its routing or its rollout; look at what was deployed in this hour.",
        "A holiday, or an agent that was switched off: nothing to do; it ends by itself within a day.",
    ),
    scenarios=standard(stopped),
    also=(Also(counted("5m"), "5m", "<", 1.0),),
    needed=_counts,
)
UNMEASURED = replace(
    STOPPED,
    name="SloSeriesMissing",
    signal=_MISSING,
    by=("environment", "slo", "team"),
    window="5m",
    threshold=0.0,
    hold="10m",
    summary="A service level is no longer measured.",
    description="The series of {slo} in {environment} ended within the last day and have been gone for {hold}: {value} "
    "service level of team {team} is blind.",
    meaning="What the service level is made of is not scraped any more, or has another name. This is no silence of users: then "
    "the series would be there and stand still.",
    impact="Its alerts cannot fire, and its panels show what was.",
    checks=(_TARGETS, _TRAFFIC, _BURNS),
    next_steps=(
        "AllTargetsDown or SourceDown fires too: follow that one.",
        "A deployment of the platform renamed a metric or a label: `observatory doctor --suggest` finds the new name.",
        "Agents or models of the level are gone for good: change `slo:` in `observatory.yaml` and build.",
    ),
    scenarios=unmeasured,
    also=(),
    needed=_some,
)

BURNS = (HOUR, SIX_HOURS, DAY, THREE_DAYS)
ALERTS = (*BURNS, STOPPED, UNMEASURED)
