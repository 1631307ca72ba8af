"""Forecasts and advice, wherever they are shown: the past against rows, the trials worked out again, the advice looked into."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.conftest import PATIENCE, eventually
from tests.integration.model_calls import by, cost, ledger, midnight
from tests.integration.moment import Moment

DAY = timedelta(days=1)
LEAST, AHEAD, BACK = 28, 30, 56
BOUNDS = (
    0.05, 0.07, 0.1, 0.136, 0.185, 0.25, 0.35, 0.5, 0.66, 0.87, 1.15, 1.52, 2.0, 2.7, 3.7, 5.0, 6.8, 9.2, 12.5, 17.0, 23.0,
    31.0, 43.0, 60.0, 80.0, 160.0, 320.0,
)  # fmt: skip
"""Seconds at which buckets of executions end."""
BY_DAY = {
    "queries": "SELECT end_time FROM app.agent_executions WHERE end_time IS NOT NULL AND status <> 'in_progress'",
    "new_users": "SELECT created_at FROM app.users",
    "tickets": "SELECT created_at FROM app.tickets",
}
Values = dict[datetime, float]
Past = Callable[[Moment, datetime], Values]
"""What whole days before a midnight held."""


def made(moment: Moment) -> datetime:
    """When forecasts were made last; the first come some minutes after the exporter's start."""

    def last() -> datetime | None:
        [(at,)] = moment.sql("SELECT max(made_at) FROM analytics.outlook_runs")
        return at and at.astimezone(UTC)

    at = eventually(last, PATIENCE, "a forecast is made")
    assert at is not None
    return at


def counted(subject: str) -> Past:
    """Every whole day of half a year, from the first one on that something happened on."""

    def values(moment: Moment, today: datetime) -> Values:
        days = [midnight(at.astimezone(UTC)) for (at,) in moment.sql(BY_DAY[subject])]
        first = min(day for day in days if day >= today - 182 * DAY)
        found = {first + n * DAY: 0.0 for n in range((today - first).days)}
        for day in days:
            if day in found:
                found[day] += 1
        return found

    return values


def active(moment: Moment, today: datetime) -> Values:
    rows = moment.sql(
        "SELECT date_trunc('day', created_at, 'UTC'), count(DISTINCT user_id) FROM app.messages WHERE role = 'user' GROUP BY 1"
    )
    return {day.astimezone(UTC): float(n) for day, n in rows if day < today}


def spent(moment: Moment, today: datetime) -> Values:
    return {day: cost(rows) for day, rows in by(ledger(moment).rows, lambda row: row.day).items() if day < today}


def _today(moment: Moment) -> datetime:
    return midnight(datetime.fromtimestamp(moment.at, UTC))


def _ahead(panel: str, past: Past) -> Callable[[Moment], None]:
    def check(moment: Moment) -> None:
        learnt, today = midnight(made(moment)), _today(moment)
        rows = moment.panel_table(panel)
        shown = {today + row["days"] * DAY: row["known"] for row in rows if row["known"] is not None}
        expected = {day: value for day, value in past(moment, today).items() if day >= today - BACK * DAY}
        assert shown == pytest.approx(expected), panel
        _ordered(rows, (today - learnt).days)

    return check


def _ordered(rows: list[dict[str, Any]], passed: int) -> None:
    """`passed`: days that ended since the forecast was made, which is a few hours old at most."""
    ahead = [row for row in rows if row["expected"] is not None]
    assert len(ahead) in (0, AHEAD) and all(0 <= row["low"] <= row["expected"] <= row["high"] for row in ahead)
    assert all(row["days"] >= -passed for row in ahead)


def latency_ahead(moment: Moment) -> None:
    """A percentile of counts lies in the bucket of the exact one."""
    learnt, today = midnight(made(moment)), _today(moment)
    exact = dict(
        moment.sql(
            "SELECT date_trunc('day', end_time, 'UTC'), percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) / 1000"
            " FROM app.agent_executions WHERE end_time IS NOT NULL AND duration_ms IS NOT NULL AND status <> 'in_progress'"
            " GROUP BY 1"
        )
    )
    rows = moment.panel_table("performance/latency_ahead")
    shown = {today + row["days"] * DAY: row["known"] for row in rows if row["known"] is not None}
    assert shown
    for day, value in shown.items():
        places = [bisect_left(BOUNDS, seconds) for seconds in (value, exact[day])]
        assert abs(places[0] - places[1]) <= 1, (day, value, exact[day])
    _ordered(rows, (today - learnt).days)


def _naive_error(values: list[float]) -> float | None:
    """Of saying last week again, from up to six points a week apart: sum of errors / sum of what happened."""
    ahead = 14 if len(values) >= 56 else 7
    points = [point for n in range(6) if (point := len(values) - ahead - 7 * n) >= 21]
    pairs = [(values[point + n], values[point - 7 + n % 7]) for point in points for n in range(ahead)]
    happened = sum(value for value, _ in pairs)
    return sum(abs(value - said) for value, said in pairs) / happened if happened else None


def _trials(panel: str, titles: dict[str, Past]) -> Callable[[Moment], None]:
    """`titles`: of those subjects that can be worked out again to the last digit."""

    def check(moment: Moment) -> None:
        learnt = midnight(made(moment))
        rows = {row["title"]: row for row in moment.panel_table(panel)}
        assert len(rows) >= len(titles)
        for title, past in titles.items():
            values, row = list(past(moment, learnt).values()), rows[title]
            assert row["days"] == len(values), (title, row["days"], len(values))
            if len(values) < LEAST:
                assert row["method"] == "none" and row["share"] is None
                continue
            assert row["naive"] == pytest.approx(_naive_error(values))
            assert row["share"] <= row["naive"] and row["relative"] == pytest.approx(row["share"] / row["naive"] - 1)
            assert 0 <= row["covered"] <= 1

    return check


def busiest_ahead(moment: Moment) -> None:
    made(moment)
    limits = dict(
        moment.sql("SELECT DISTINCT ON (scope) scope, rps FROM analytics.capacity_limits ORDER BY scope, valid_from DESC")
    )
    rows = moment.panel_table("performance/busiest_ahead")
    assert rows and len(rows) <= 10
    for row in rows:
        assert row["limit"] == limits[row["agent"]]
        if row["expected"] is not None:
            assert row["expected"] <= row["high"] and row["used"] == pytest.approx(row["expected"] / row["limit"])
    used = [row["used"] for row in rows if row["used"] is not None]
    assert used == sorted(used, reverse=True)


def _advised(panel: str, unit: str) -> Callable[[Moment], None]:
    def check(moment: Moment) -> None:
        made(moment)
        shown = moment.panel_table(panel)
        stands = moment.sql(f"SELECT what, agent FROM analytics.advice WHERE unit = '{unit}' ORDER BY place LIMIT 50")
        assert [(row["what"], row["agent"]) for row in shown] == stands
        agents = {name for (name,) in moment.sql("SELECT name FROM app.agents")}
        for row in shown:
            assert row["low"] <= row["effect"] <= row["high"] and row["low"] > 0 and row["agent"] in agents
        lows = [row["low"] for row in shown]
        assert lows == sorted(lows, reverse=True)

    return check


FIGURES = {
    "cost/spend_ahead": _ahead("cost/spend_ahead", spent),
    "cost/forecast_trials": _trials("cost/forecast_trials", {"Queries": counted("queries")}),
    "cost/advised": _advised("cost/advised", "currencyUSD"),
    "users/active_users_ahead": _ahead("users/active_users_ahead", active),
    "users/new_users_ahead": _ahead("users/new_users_ahead", counted("new_users")),
    "users/forecast_trials": _trials("users/forecast_trials", {"New users": counted("new_users")}),
    "tickets/tickets_ahead": _ahead("tickets/tickets_ahead", counted("tickets")),
    "tickets/forecast_trials": _trials("tickets/forecast_trials", {"Tickets opened": counted("tickets")}),
    "performance/queries_ahead": _ahead("performance/queries_ahead", counted("queries")),
    "performance/latency_ahead": latency_ahead,
    "performance/busiest_ahead": busiest_ahead,
    "performance/forecast_trials": _trials("performance/forecast_trials", {"Queries": counted("queries")}),
    "performance/advised": _advised("performance/advised", "s"),
}
FAULTS = ()
