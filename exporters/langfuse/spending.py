"""Costs held against budgets. Pure; money is USD, scopes are `all` and the environments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

from exporters.langfuse.month_end import exhaustion, forecast
from exporters.snapshot import Sample, sample

if TYPE_CHECKING:
    from contract.settings import Budget


def limit_samples(budgets: Iterable[Budget]) -> Iterator[Sample]:
    """The limits: they are known without asking anybody."""
    for budget in budgets:
        yield sample("platform_budget_limit_usd", budget.scope, value=budget.monthly_usd)


def cost_samples(costs: Mapping[str, float], window: str) -> Iterator[Sample]:
    for scope, cost in costs.items():
        yield sample("platform_cost_usd", scope, window, value=cost)


def budget_samples(
    budgets: Iterable[Budget],
    spent: Mapping[str, float],
    daily: Mapping[str, Mapping[date, float]] | None,
    at: datetime,
) -> Iterator[Sample]:
    """How far each budget is spent in the month of `at`, and how far it will be. `daily` has the costs of whole days."""
    for budget in budgets:
        cost, limit = spent.get(budget.scope, 0.0), budget.monthly_usd
        yield sample("platform_budget_spent_usd", budget.scope, value=cost)
        yield sample("platform_budget_spent_ratio", budget.scope, value=cost / limit)
        history = (daily or {}).get(budget.scope, {})
        if (expected := forecast(cost, history, at)) is not None:
            yield sample("platform_budget_forecast_usd", budget.scope, value=expected)
        if (used_up := exhaustion(cost, limit, history, at)) is not None:
            yield sample("platform_budget_exhaustion_timestamp_seconds", budget.scope, value=used_up.timestamp())
