"""The answer: how the budget stands in words, what the month will cost, and what one query, conversation and success costs."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.cost import BUDGET_EXHAUSTION, BUDGET_FORECAST, BUDGET_FORECAST_RATIO, BUDGET_LIMIT, BUDGET_SPENT
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, Word, named, words
from dashboards.lib.figures import Gauge, Stat
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, SqlQuery, ask, series
from dashboards.lib.spending import DAYS, DAYS_BEFORE

NO_BUDGET = "no budget known"
NO_CALLS = "no model calls in range"
SCOPE = ("scope",)
STATES = {
    0: Word("within budget", colours.OK),
    1: Word("forecast over budget", colours.DEGRADED),
    2: Word("nearly spent", colours.DEGRADED),
    3: Word("spent", colours.DOWN),
}


def state(settings: Settings) -> Panel:
    warning, spent_ = settings.thresholds.budget_warning, ask(BUDGET_SPENT, SCOPE)
    # Every state is true beside those before it, so that the worst one is their maximum.
    over = f"(({ask(BUDGET_FORECAST_RATIO, SCOPE)}) > bool 1 or 0 * {spent_})"
    parts = {"1": over, "2": f"2 * ({spent_} > bool {warning:g})", "3": f"3 * ({spent_} > bool 1)"}
    return Stat(
        name="state",
        title="Budget of the month",
        description=(
            f"Each budget in words. Nearly spent from {warning:.0%}, where the alert begins; forecast over budget when the "
            "month would end above it. What to do is under 'Where can money be saved?'."
        ),
        targets=(PromQuery(expr=f"max by (scope) ({union('state', parts)})", legend="{{scope}}", instant=True),),
        unit="short",
        no_value=NO_BUDGET,
        mappings=tuple(words(STATES)),
        limits=Thresholds(colours.OK, ((1, colours.DEGRADED), (3, colours.DOWN))),
        shown="value_and_name",
        value_size=22,
    )


def spent(settings: Settings) -> Panel:
    warning = settings.thresholds.budget_warning
    return Gauge(
        name="spent_share",
        title="Budget spent",
        description=(
            f"Cost of the current month (UTC) / budget. Alerts begin at {warning:.0%} and at 100 %. Compare with how much of "
            "the month is over in 'Budgets of the month'."
        ),
        targets=(series(BUDGET_SPENT, SCOPE, instant=True),),
        width=5,
        unit="percentunit",
        decimals=0,
        minimum=0,
        maximum=1.2,
        no_value=NO_BUDGET,
        limits=Thresholds(colours.OK, ((warning, colours.DEGRADED), (1.0, colours.DOWN))),
    )


def month_end(settings: Settings) -> Panel:
    parts = {"expected": ask(BUDGET_FORECAST, SCOPE), "budget": ask(BUDGET_LIMIT, SCOPE)}
    limits = ", ".join(f"{budget.scope} {budget.monthly_usd:,.0f} USD" for budget in settings.budgets) or "none"
    return Stat(
        name="month_end",
        title="Month's end",
        description=(
            "What the month will have cost: spent so far, and for each day to come the median of that weekday in the last "
            f"four weeks. Budgets: {limits}. Between which figures it lies is in 'Spend of this month, day by day'."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{scope}}, {{figure}}", instant=True),),
        unit="currencyUSD",
        decimals=2,
        minimum=0,
        no_value="no whole day of history yet",
        shown="value_and_name",
        value_size=18,
    )


def lasts() -> Panel:
    expr = f"1000 * {ask(BUDGET_EXHAUSTION, SCOPE)} or on (scope) 0 * {ask(BUDGET_LIMIT, SCOPE)}"
    return Stat(
        name="lasts",
        title="Budget lasts until",
        description=(
            "When the budget is used up if weekdays cost what they usually do. Before the month ends: save now, or agree on "
            "a larger budget; every call after that day costs money that nobody agreed to."
        ),
        targets=(PromQuery(expr=expr, legend="{{scope}}", instant=True),),
        width=6,
        unit="dateTimeAsIso",
        no_value=NO_BUDGET,
        mappings=tuple(words({0: Word("the month's end", colours.OK)})),
        limits=Thresholds(colours.OK, ((1, colours.DEGRADED),)),
        value_size=20,
    )


CHANGE = "change"
"""The small figure beside a figure of the range: against the days that a reader chooses."""


def _compared(part: str, whole: str, view: str, filters_: str) -> str:
    """One row: part / whole of the range's days, and its change against the same number of days before.

    Days of which the ledger knows no call are left out: queries are older than it. Without most of the days before, no change.
    """

    def added(days: str) -> str:
        return (
            f"SELECT sum(part) / nullif(sum(whole), 0) AS figure, count(*) AS days FROM (\n"
            f"    SELECT day, sum({part})::float8 AS part, sum({whole})::float8 AS whole FROM analytics.{view}\n"
            f"    WHERE {days} AND {filters_} GROUP BY day HAVING sum(calls) > 0) daily"
        )

    return f"""
SELECT now.figure AS "this range",
       CASE WHEN before.days >= now.days - 1 THEN now.figure / nullif(before.figure, 0) - 1 END AS "{CHANGE}"
FROM ({added(DAYS)}) now, ({added(DAYS_BEFORE)}) before
""".strip()


def _unit_cost(part: str, whole: str) -> str:
    return _compared(part, whole, "cost_analysis_summary", chosen_all(environment="environment", agent="agent"))


def _figure(name: str, title: str, description: str, sql: str, unit: str, decimals: int) -> Stat:
    tail = " The small figure is the change against the days chosen above."
    return Stat(
        name=name,
        title=title,
        description=description + tail,
        targets=(SqlQuery(sql=sql),),
        unit=unit,
        decimals=decimals,
        no_value=NO_CALLS,
        shown="value_and_name",
        value_size=18,
        overrides=(named(CHANGE, unit="percentunit", decimals=1, noValue="not known"),),
    )


def per_query() -> Panel:
    description = (
        "Cost of model calls / queries to agents that ended. It rises without a release: conversations grow longer, or "
        "caches hit less; with a release: a longer prompt or a dearer model."
    )
    sql = _unit_cost("cost_usd", "executions")
    return _figure("per_query", "Cost per query", description, sql, "currencyUSD", 4)


def per_conversation() -> Panel:
    definition = DEFINITIONS["cost_per_conversation"].formula
    description = (
        f"{definition[0].upper()}{definition[1:]}, by the days on which they began. Calls without a conversation are in "
        "'Unattributed'. More queries in each, or dearer ones? See 'Unit costs'."
    )
    sql = _unit_cost("conversation_cost_usd", "conversations")
    return _figure("per_conversation", "Cost per conversation", description, sql, "currencyUSD", 4)


def per_success() -> Panel:
    description = (
        "Cost of model calls with a conversation / conversations that reached their goal. What a helped user costs: a "
        "cheaper model that fails more often shows here."
    )
    sql = _unit_cost("conversation_cost_usd", "goals_achieved")
    return _figure("per_success", "Cost per success", description, sql, "currencyUSD", 4)


def token_efficiency() -> Panel:
    filters_ = chosen_all(environment="environment", model="model")
    sql = _compared("output_tokens", "input_tokens", "model_usage_statistics", filters_)
    description = (
        f"{DEFINITIONS['token_efficiency'].formula[0].upper()}{DEFINITIONS['token_efficiency'].formula[1:]}. It falls when "
        "prompts and histories grow and answers do not: cut the context, or cache it."
    )
    return _figure("token_efficiency", "Token efficiency", description, sql, "percentunit", 2)


def unattributed() -> Panel:
    filters_ = chosen_all(environment="environment", agent="agent")
    cost = "sum(cost_usd - conversation_cost_usd)"
    sql = f"""
SELECT {cost} AS "cost", {cost} / nullif(sum(cost_usd), 0) AS "share" FROM analytics.cost_analysis_summary
WHERE {DAYS} AND {filters_}
HAVING count(*) > 0
""".strip()
    return Stat(
        name="unattributed",
        title="Unattributed",
        description=(
            "Cost of model calls that belong to no conversation the platform knows, and its share of all cost: jobs, tests, "
            "or traces that the platform did not record. A share that grows makes the cost per conversation look too small."
        ),
        targets=(SqlQuery(sql=sql),),
        width=4,
        unit="currencyUSD",
        decimals=2,
        minimum=0,
        no_value=NO_CALLS,
        shown="value_and_name",
        value_size=18,
        overrides=(named("share", unit="percentunit", decimals=1),),
    )
