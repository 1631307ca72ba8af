"""What is forecast: a figure of every whole day (UTC), how far ahead, by which methods, and how much has to be known for it.

Exporter, panels and command read the past by the same text, so that what is drawn is what was learnt from.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

from dataclasses import dataclass

from contract.buckets import AGENT

HORIZON_DAYS = 30
LEAST_DAYS = 28
"""With fewer whole days nothing is forecast: three weeks to learn from, and one to be tried on."""
MOST_DAYS = 182
"""Older days say little of the next month, and cost time."""
LONG_TRIAL_DAYS, SHORT_TRIAL_DAYS = 14, 7
"""How far ahead a method is tried: the longer way where `LEAST_FOR_LONG` days are known."""
LEAST_FOR_LONG = 56
MOST_TRIALS = 6
"""Starting points in the past from which each method is tried, a week apart."""
CERTAINTY = 0.95
"""Share of days that are to lie between low and high."""
MOST_AGENTS = 10
"""Agents whose busiest hour is forecast: those that come nearest to their limit."""

METHODS = {
    "naive": "the same weekday of last week",
    "weekday": "a weekday's median, 4 weeks",
    "ets": "smoothed trend and week",
}
"""From the simplest on. The first is what others have to beat."""
NAIVE, NONE = "naive", "none"
"""`NONE` is the method of a series of which too few days are known."""


@dataclass(frozen=True)
class Subject:
    """A figure by day. `sql` gives `day` and `amount` and is limited to `{since} <= day < {until}`, both SQL.

    Of what is `counted`, a day without a row is a day on which nothing happened; else it is like the one before.
    """

    key: str
    title: str
    unit: str
    sql: str
    counted: bool = True


def _sums(view: str, column: str) -> str:
    return (
        f"SELECT day, sum({column})::float8 AS amount FROM analytics.{view}\n"
        "WHERE day >= {since} AND day < {until} GROUP BY day"
    )


_BOUNDS = ", ".join(f"{bound:g}" for bound in AGENT)
_P95 = f"""
SELECT day, analytics.quantile(0.95, array_agg(n ORDER BY place), ARRAY[{_BOUNDS}]::float8[]) AS amount
FROM (SELECT day, place, sum(c)::bigint AS n FROM analytics.agent_daily, unnest(histogram) WITH ORDINALITY AS h (c, place)
      WHERE day >= {{since}} AND day < {{until}} GROUP BY day, place) AS places
GROUP BY day HAVING sum(n) > 0
""".strip()

_ALL = (
    Subject("queries", "Queries", "short", _sums("usage_analytics_daily", "executions")),
    Subject("active_users", "Active users", "short", _sums("active_users_daily", "users")),
    Subject("new_users", "New users", "short", _sums("user_activity_metrics", "users_created")),
    Subject("spend", "Spend", "currencyUSD", _sums("model_usage_statistics", "cost_usd")),
    Subject("tickets", "Tickets opened", "short", _sums("ticket_daily", "created")),
    Subject("latency", "95th percentile of a query", "s", _P95, counted=False),
)
SUBJECTS: dict[str, Subject] = {subject.key: subject for subject in _ALL}

CAPACITY = "capacity:"
"""Begins the name of an agent's series: executions per second in the busiest hour of a day; the agent's name follows."""

BUSIEST_HOURS = """
SELECT agent, date_trunc('day', hour, 'UTC') AS day, max(rate)::float8 AS amount
FROM (SELECT agent, hour, sum(executions) / 3600.0 AS rate FROM analytics.trace_metrics_hourly
      WHERE hour >= {since} AND hour < {until} GROUP BY agent, hour) AS hours
GROUP BY agent, date_trunc('day', hour, 'UTC')
""".strip()
"""The busiest hour of each day, by agent; columns `agent`, `day`, `amount`."""
