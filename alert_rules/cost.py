"""Alerts on the budgets for model calls. Budgets are per calendar month (UTC) and per scope: everything, or one environment."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import changed, counted, moved
from alert_rules.agents import AGENT, DEPLOYMENTS
from alert_rules.model import Alert, AlertGroup, Flow, Guard, MetricCheck, Severity, TableCheck
from alert_rules.stories import Story, standard
from contract.settings import Settings
from contract.signals.conversations import CONVERSATIONS_ACHIEVED, SUCCESS_RATIO
from contract.signals.cost import BUDGET_FORECAST_RATIO, BUDGET_SPENT, COST_PER_SUCCESS, COST_PER_SUCCESS_CHANGE
from contract.signals.models import (
    COST_CHANGE,
    COST_CHANGE_WEEK,
    LLM_CALLS,
    LLM_COST,
    LLM_TOKENS_PER_CALL,
    MODEL_CALLS,
    MODEL_COST,
    MODEL_TOKENS,
)

GROUP = AlertGroup("cost_alerts", "1m")
SCOPE = ("scope",)

_TOKENS_SQL = """\
SELECT environment, agent_name, version, count(*) AS queries, sum(tokens_used) AS tokens
FROM analytics.agent_executions
WHERE start_time >= :'since'
GROUP BY environment, agent_name, version
ORDER BY tokens DESC NULLS LAST
LIMIT 20;"""
_ABOUT = (("scope", "all"),)


def _spent(alert: Alert, settings: Settings) -> Story:
    limit = alert.limit(settings)
    bad, good = (Flow("platform_budget_spent_ratio", _ABOUT, limit * factor) for factor in (1.1, 0.9))
    return Story(_ABOUT, (bad,), (good,), bad.amount)


def _forecast(alert: Alert, settings: Settings) -> Story:
    budget = settings.budgets[0].monthly_usd if settings.budgets else 1000.0
    limit = Flow("platform_budget_limit_usd", _ABOUT, budget)
    bad, good = (Flow("platform_budget_forecast_usd", _ABOUT, budget * alert.limit(settings) * pace) for pace in (1.25, 0.75))
    return Story(_ABOUT, (bad, limit), (good, limit), bad.amount / budget)


NEARLY_SPENT = Alert(
    name="CostBudgetNearlySpent",
    group=GROUP,
    concern="cost",
    signal=BUDGET_SPENT,
    by=SCOPE,
    window="5m",
    comparison=">",
    threshold="budget_warning",
    hold="5m",
    keep_firing_for="15m",
    severity=Severity.WARNING,
    team="finance",
    summary="A month's budget for model calls is nearly spent.",
    description="{value} of this month's budget {scope} is spent; the warning begins at {threshold}.",
    meaning="The calls of models in this calendar month (UTC) have cost most of what was set aside for the scope.",
    impact="Nothing yet. At the present pace the budget may be gone before the month is.",
    checks=(
        MetricCheck("Which budgets, and how far gone?", BUDGET_SPENT, SCOPE),
        MetricCheck("Which models cost the most today?", MODEL_COST, ("environment", "model"), "24h"),
        MetricCheck("Are there more calls than a week ago?", MODEL_CALLS, ("environment", "model"), "24h", "7d"),
        MetricCheck("Which kind of tokens grew since then?", MODEL_TOKENS, ("model", "type"), "24h", "7d"),
        TableCheck("Which agents and versions use the tokens?", _TOKENS_SQL),
    ),
    next_steps=(
        "Compare with the same day of last week: steady growth needs a larger budget, a jump has a cause.",
        "A version that uses far more tokens a query than the one before: roll it back, or shorten its prompt and its context.",
        "A dear model where a cheaper one would do: move the simple intents to the cheaper one.",
        "The spending is right: agree on a larger budget, and change `budgets` in `observatory.yaml`.",
    ),
    panel="overview/budget",
    scenarios=standard(_spent),
)
EXCEEDED = replace(
    NEARLY_SPENT,
    name="CostBudgetExceeded",
    threshold=1.0,
    severity=Severity.CRITICAL,
    summary="A month's budget for model calls is spent.",
    description="{value} of this month's budget {scope} is spent; from here on every call is over budget.",
    meaning="The calls of models in this calendar month (UTC) have cost more than was set aside for the scope. It mutes the "
    "other cost alerts of the scope.",
    impact="Every further call of a model in this month costs money that nobody has agreed to.",
)
FORECAST = replace(
    NEARLY_SPENT,
    name="CostForecastOverBudget",
    signal=BUDGET_FORECAST_RATIO,
    threshold=1.0,
    hold="30m",
    keep_firing_for="1h",
    summary="Model calls will cost more this month than the budget allows.",
    description="At the present pace, {value} of this month's budget {scope} will be spent when the month ends; it has looked "
    "so for {hold}.",
    meaning="What is spent so far, and what the remaining days usually cost by weekday, add up to more than the budget.",
    impact="Nothing yet. Acting now is cheaper than acting when the budget is gone.",
    checks=(MetricCheck("Which budgets will not last?", BUDGET_FORECAST_RATIO, SCOPE), *NEARLY_SPENT.checks[1:]),
    scenarios=standard(_forecast),
)

JUMP = replace(
    NEARLY_SPENT,
    name="CostJumped",
    group=AlertGroup("cost_changes", "1m"),
    concern="cost-change",
    signal=COST_CHANGE,
    by=("environment",),
    window="1h",
    threshold="cost_change",
    hold="8m",
    keep_firing_for="20m",
    summary="Model calls cost far more than yesterday.",
    description="Model calls in {environment} cost {value} what they did at this time yesterday; {threshold} is the limit. It "
    "has been so for {hold}.",
    meaning="The money that calls of models cost within an hour has multiplied. A Monday is dearer than a Sunday; the limit "
    "leaves room for that.",
    impact="At this pace the budget of the month is gone early. No user notices anything.",
    checks=(
        MetricCheck(
            "Which agent and model does the money go to?", LLM_COST, ("environment", "agent", "gen_ai_request_model"), "1h"
        ),
        MetricCheck("Which model costs more than yesterday?", LLM_COST, ("environment", "gen_ai_request_model"), "1h", "1d"),
        MetricCheck("More calls than yesterday?", LLM_CALLS, ("environment", "gen_ai_request_model"), "5m", "1d"),
        MetricCheck("Or more tokens in each?", LLM_TOKENS_PER_CALL, ("environment", "gen_ai_request_model"), "5m", "1d"),
        TableCheck("Which agents and versions use the tokens?", _TOKENS_SQL),
        DEPLOYMENTS,
    ),
    next_steps=(
        "More tokens in each call: see ModelTokensPerCallJumped; roll back the version that began it.",
        "More calls, as many users: an agent runs in circles, or a job calls models by the thousand; stop it.",
        "More calls, more users: real demand; check the budget's forecast, and tell those who own the budget.",
        "Another model than yesterday: somebody switched to a dearer one; was it meant to be for all?",
    ),
    panel="",
    scenarios=standard(
        changed(
            (),
            counted(
                "gen_ai_usage_cost_usd_total",
                ("agent", "billing"),
                ("gen_ai_operation_name", "chat"),
                ("gen_ai_provider_name", "openai"),
                ("gen_ai_request_model", "gpt-4.1"),
            ),
        )
    ),
    guards=(Guard(LLM_COST, "1h", "minimum_cost_usd"),),
)
JUMP_WEEK = replace(
    JUMP,
    name="CostAboveLastWeek",
    group=AlertGroup("cost_weeks", "1m"),
    signal=COST_CHANGE_WEEK,
    threshold="cost_change_week",
    summary="Model calls cost far more than a week ago.",
    description="Model calls in {environment} cost {value} what they did at this time a week ago; {threshold} is the limit. It "
    "has been so for {hold}.",
    meaning="The same weekday and hour are compared, so the rhythm of the week does not explain it.",
)
PER_SUCCESS = replace(
    JUMP,
    name="CostPerSuccessJumped",
    group=AlertGroup("cost_success_changes", "2m"),
    concern="cost-per-success",
    signal=COST_PER_SUCCESS_CHANGE,
    by=AGENT,
    threshold="cost_per_success_change",
    keep_firing_for="1h",
    summary="What an agent achieves costs far more than the day before.",
    description="A conversation that reached its goal with agent {agent} in {environment} cost {value} what it did the day "
    "before; {threshold} is the limit. It has been so for {hold}.",
    meaning="Either calls cost more, or fewer conversations reach their goal for the same money. Both are over 24 hours.",
    impact="The agent pays off less, or no more at all.",
    checks=(
        MetricCheck("What does a success cost, agent by agent?", COST_PER_SUCCESS, AGENT),
        MetricCheck("Do fewer conversations reach their goal?", SUCCESS_RATIO, AGENT, "1h"),
        MetricCheck("Is more spent on it than yesterday?", LLM_COST, ("environment", "agent"), "1h", "1d"),
        TableCheck("Which agents and versions use the tokens?", _TOKENS_SQL),
        DEPLOYMENTS,
    ),
    next_steps=(
        "The success rate fell: follow AgentSuccessRateLow; the cost follows.",
        "Calls cost more: look at the version, its model and its prompt; see CostJumped for where the money goes.",
        "Long conversations without an end: look whether they should have been handed over earlier.",
    ),
    scenarios=standard(
        moved(
            "platform_cost_per_success_usd",
            (("agent", "billing"),),
            counted("platform_conversations_ended_total", ("goal", "achieved")),
        )
    ),
    guards=(Guard(CONVERSATIONS_ACHIEVED, "1h", "minimum_conversations"),),
)

ALERTS = (NEARLY_SPENT, EXCEEDED, FORECAST, JUMP, JUMP_WEEK, PER_SUCCESS)
