"""The budgets of the month, one row each."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.cost import BUDGET_FORECAST, BUDGET_LIMIT, BUDGET_SPENT, BUDGET_SPENT_USD
from dashboards.lib.field import at_most, named
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, NARROW, Table, columns

ELAPSED = "((day_of_month() - 1 + hour() / 24 + minute() / 1440) / days_in_month())"
"""How much of the month (UTC) is over, from 0 to 1."""


def month(settings: Settings) -> Panel:
    by = ("scope",)
    limit, spent, share, expected = (
        ask(signal, by) for signal in (BUDGET_LIMIT, BUDGET_SPENT_USD, BUDGET_SPENT, BUDGET_FORECAST)
    )
    figures = {
        "budget": limit, "spent": spent, "left": f"{limit} - {spent}", "share": share, "expected": expected,
        "pace": f"{share} / on () group_left () {ELAPSED}",
    }  # fmt: skip
    headings = {
        "scope\\figure": "Budget", "budget": "Limit", "spent": "Spent", "left": "Left", "share": "Share",
        "pace": "Pace", "expected": "Month's end",
    }  # fmt: skip
    warning = settings.thresholds.budget_warning
    return Table(
        name="budgets",
        title="Budgets of the month",
        description=(
            "Each budget of this calendar month (UTC). Pace is the share that is spent / the share of the month that is "
            f"over: above 1, the money goes faster than the month. The share is amber from {warning:.0%}, where the alert "
            "begins. Budgets stand in `observatory.yaml` under `budgets`."
        ),
        targets=(PromQuery(expr=union("figure", figures), format="table", instant=True),),
        no_value="no budget known",
        transformations=(
            {"id": "groupingToMatrix", "options": {"columnField": "figure", "rowField": "scope", "valueField": "Value"}},
            *columns(headings),
        ),
        overrides=(
            NARROW,
            *(named(column, unit="currencyUSD", decimals=2) for column in ("Limit", "Spent", "Left", "Month's end")),
            named(
                "Share", unit="percentunit", decimals=0, min=0, max=1, custom_cellOptions=BAR_CELL,
                thresholds=at_most(warning, 1.0).to_json_data(),
            ),
            named(
                "Pace", unit="none", decimals=2, custom_cellOptions=COLOURED_TEXT, thresholds=at_most(1.0, 1.25).to_json_data()
            ),
        ),
    )  # fmt: skip
