"""The tab of money: what model calls cost, for whom and for what, whether the budget lasts, and where to save."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.cost import budgets, course, forecast, headline, people, prices, saving, shares, unusual
from dashboards.lib.advised import advised
from dashboards.lib.ahead import trials
from dashboards.lib.layout import Row, line, row
from dashboards.lib.spending import BEFORE, GRANULARITY
from dashboards.lib.tab import Source, Tab
from dashboards.lib.variables import SwitchVariable, Variable


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "headline",
            "What does it cost, and will the money last?",
            line(
                4,
                headline.state(settings),
                headline.spent(settings),
                headline.month_end(settings),
                headline.lasts(),
            ),
            line(
                4,
                headline.per_query(),
                headline.per_conversation(),
                headline.per_success(),
                headline.token_efficiency(),
            ),
        ),
        row("month", "This month", line(4, budgets.month(settings)), line(8, forecast.course(settings), course.spend())),
        row(
            "traffic",
            "Tokens, what one of everything costs, and what the spend follows",
            line(9, course.tokens(), course.unit_costs(), course.volume()),
        ),
        row(
            "shares",
            "Where does the money go?",
            line(7, shares.by_model(), shares.by_agent()),
            line(7, shares.by_role(), shares.by_department(), headline.unattributed()),
            line(9, shares.agents()),
        ),
        row(
            "saving",
            "Where can money be saved?",
            line(10, advised("currencyUSD", "Saves")),
            line(9, saving.avoidable()),
            collapsed=True,
        ),
        row(
            "efficiency",
            "Caches, failed calls and token efficiency",
            line(8, saving.cached_share(), saving.cache_savings(), saving.failed()),
            line(8, course.efficiency()),
            collapsed=True,
        ),
        row(
            "unusual",
            "Is anything unusual?",
            line(8, unusual.cost_band(), unusual.traffic_band()),
            line(6, unusual.firing()),
            collapsed=True,
        ),
        row(
            "forecast",
            "How much will it be?",
            line(9, forecast.usage(), forecast.trend()),
            line(9, forecast.season(), forecast.spend()),
            line(6, trials(("spend", "queries"))),
            collapsed=True,
        ),
        row(
            "people",
            "Who uses it?",
            line(9, people.queries_per_user(), people.tools()),
            collapsed=True,
        ),
        row(
            "prices",
            "Prices, and how exact all this is",
            line(10, prices.listed(), prices.unpriced()),
            line(5, prices.recorded(), prices.reconciled()),
            collapsed=True,
        ),
    )


def choices(_settings: Settings) -> tuple[Variable, ...]:
    split = {"model": "model", "agent": "agent", "department": "department", "role": "role", "environment": "environment"}
    return (
        GRANULARITY,
        BEFORE,
        SwitchVariable(name="split", label="Spend by", values=split, description="What the graph of the spend is split by."),
    )


TAB = Tab(
    key="cost",
    title="Cost & usage",
    folder="Administration",
    description="What do model calls cost, and for whom, does the budget last, and where can money be saved?",
    owner="finance team",
    sources=(
        Source("Langfuse", "every model call, read into the ledger at least every five minutes"),
        Source("PostgreSQL", "the ledger, by UTC day"),
        Source("Prometheus", "budgets and bands"),
    ),
    rows=rows,
    refresh="1m",
    time_from="now-14d",
    filters=("environment", "department", "agent", "model"),
    choices=choices,
    empty_is_fine=frozenset({"cost/unusual_firing", "cost/unpriced", "cost/avoidable", "cost/advised", "cost/forecast_trials"}),
)
