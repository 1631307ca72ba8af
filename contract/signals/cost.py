"""Budgets for model calls."""

from __future__ import annotations

from contract.signals.model import Level, Quotient

BUDGET_SPENT = Level(
    "budget_spent",
    "Budget spent",
    "Spent of the current month / budget",
    "percentunit",
    "platform_budget_spent_ratio",
    operator="max",
)
BUDGET_FORECAST = Level(
    "budget_forecast",
    "Spend at month end",
    "Expected spend at the end of the month",
    "currencyUSD",
    "platform_budget_forecast_usd",
    operator="max",
)
BUDGET_LIMIT = Level(
    "budget_limit", "Budget", "Budget of the current month", "currencyUSD", "platform_budget_limit_usd", operator="max"
)
BUDGET_FORECAST_RATIO = Quotient(
    "budget_forecast_ratio",
    "Forecast against budget",
    "Expected spend at the end of the month / budget",
    "percentunit",
    BUDGET_FORECAST,
    BUDGET_LIMIT,
)
