"""The figures that a person asks for first: success, speed, errors, money."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_TIME
from contract.signals.conversations import SUCCESS_RATIO
from contract.signals.cost import BUDGET_SPENT
from contract.signals.model import Level, equal, like
from dashboards.lib import colours
from dashboards.lib.field import PLAIN, Thresholds, at_least, at_most
from dashboards.lib.figures import RISE_IS_GOOD, Gauge, Stat
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask, series

HOUR = "1h"
NO_TRAFFIC = "no traffic in range"

COST = Level(
    "cost_month",
    "Cost",
    "Model cost of the month to date",
    "currencyUSD",
    "platform_cost_usd",
    (equal("window", "mtd"),),
    "max",
)
ALL = "all"
"""By scope: this one, and each environment."""


def success(settings: Settings) -> Panel:
    target = settings.thresholds.success_ratio
    return Stat(
        name="success_now",
        title="Success rate",
        description=(
            f"{DEFINITIONS['success_ratio'].formula}, over the last hour; target {target:.0%}. The small figure is the change "
            "over the chosen range. Below target: see which agent fell in 'Success by agent', then its newest version."
        ),
        targets=(series(SUCCESS_RATIO, window=HOUR, step="5m"),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value=NO_TRAFFIC,
        limits=at_least(target),
        sparkline=True,
        up_to_now=True,
        change=RISE_IS_GOOD,
    )


def response(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    parts = {signal.title: ask(signal, (), HOUR) for signal in (AGENT_LATENCY, AGENT_TIME)}
    return Stat(
        name="response_now",
        title="Response time",
        description=(
            f"Time from query to an agent's answer over the last hour: 95th percentile and mean; {limit:g} s is where the "
            "alert begins. Too slow: see 'p95 by agent', then the models' and tools' times."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", step="5m"),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limit),
        sparkline=True,
        direction="vertical",
        shown="value_and_name",
        value_size=22,
    )


def errors(settings: Settings) -> Panel:
    limits = settings.thresholds
    return Stat(
        name="errors_now",
        title="Error ratio",
        description=(
            f"{DEFINITIONS['error_ratio'].formula}, over the last hour; the alert begins at {limits.error_ratio:.0%}, the "
            f"critical one at {limits.error_ratio_critical:.0%}. Queries that users cancelled count as neither. Too high: see "
            "'Error ratio by agent' and the latest failed executions."
        ),
        targets=(series(AGENT_ERROR_RATIO, window=HOUR, step="5m"),),
        unit="percentunit",
        decimals=2,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limits.error_ratio, limits.error_ratio_critical),
        sparkline=True,
        up_to_now=True,
    )


def cost(settings: Settings) -> Panel:
    limits = ", ".join(f"{budget.scope} {budget.monthly_usd:,.0f} USD" for budget in settings.budgets) or "none"
    scopes = like("scope", "|".join(budget.scope for budget in settings.budgets) or ALL)
    return Stat(
        name="cost_month",
        title="Cost this month",
        description=(
            f"Cost of model calls since the month began (UTC), by what a budget covers. Budgets: {limits}. The month's end is "
            "forecast under 'Sources in detail'."
        ),
        targets=(series(COST, ("scope",), where=(scopes,), legend="{{scope}}"),),
        unit="currencyUSD",
        decimals=2,
        minimum=0,
        no_value="no cost known",
        limits=PLAIN,
        sparkline=True,
    )


def budget(settings: Settings) -> Panel:
    warning = settings.thresholds.budget_warning
    return Gauge(
        name="budget",
        title="Budget spent",
        description=(
            f"Cost of the current month / budget. Alerts begin at {warning:.0%} and at 100 %. Too high: see which model and "
            "agent costs most, and whether a prompt or a model changed."
        ),
        targets=(series(BUDGET_SPENT, ("scope",), instant=True),),
        unit="percentunit",
        decimals=0,
        minimum=0,
        maximum=1.2,
        no_value="no budget known",
        limits=Thresholds(colours.OK, ((warning, colours.DEGRADED), (1.0, colours.DOWN))),
    )
