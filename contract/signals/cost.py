"""Budgets for model calls."""

from __future__ import annotations

from contract.signals.model import Change, Level, Quotient, equal

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
COST_PER_SUCCESS = Level(
    "cost_per_success",
    "Cost per success",
    "Model cost of a day / conversations of that day with the goal achieved",
    "currencyUSD",
    "platform_cost_per_success_usd",
    (equal("window", "24h"),),
    operator="max",
)
COST_PER_SUCCESS_CHANGE = Change(
    "cost_per_success_change",
    "Cost per success against the day before",
    "Model cost of a success in the last 24 hours / in the 24 hours before",
    "times",
    COST_PER_SUCCESS,
    "1d",
)
BUDGET_EXHAUSTION = Level(
    "budget_exhaustion",
    "Budget used up",
    "When a month's budget will be used up, in seconds since 1970",
    "none",
    "platform_budget_exhaustion_timestamp_seconds",
    operator="min",
)
BUDGET_SPENT_USD = Level(
    "budget_spent_usd", "Spent", "Spent of the current month", "currencyUSD", "platform_budget_spent_usd", operator="max"
)
CACHE_SAVINGS = Level(
    "cache_savings",
    "Saved by caches",
    "What prompt caches saved: tokens read from them x (input price - cache price)",
    "currencyUSD",
    "platform_cache_savings_usd",
    operator="max",
)
