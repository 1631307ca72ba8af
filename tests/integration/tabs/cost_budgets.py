"""Cost & usage: budgets, forecasts, and what trend and weekdays make of a day."""

from __future__ import annotations

import calendar
import math
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median, stdev

import pytest

from tests.integration.model_calls import Row, by, cost, ledger, midnight
from tests.integration.moment import Moment
from tests.integration.reckoning import close
from tests.integration.tabs import Fault
from tests.integration.tabs.cost import DAY, WEEK, since, table


def budget(moment: Moment) -> float:
    return moment.stack.value('max(platform_budget_limit_usd{scope="all"})', moment.at)


def spent_this_month(moment: Moment) -> float:
    first = midnight(moment.cost).replace(day=1)
    return cost(row for row in ledger(moment).rows if row.at >= first)


def weekdays(moment: Moment, amount: Callable[[list[Row]], float], environment: str | None) -> tuple[list[float], float]:
    """What a day of each weekday (from Monday) usually has, and how far days are from that: of the 28 whole days before."""
    today = midnight(ledger(moment).now)
    rows = [row for row in ledger(moment).rows if environment in (None, row.environment)]
    days = by([row for row in rows if row.at >= today - 28 * DAY], lambda row: row.day)
    history = {day: amount(days.get(day, [])) for n in range(28) if (day := today - (n + 1) * DAY) >= min(days)}
    usual = [median([value for day, value in history.items() if day.weekday() == n]) for n in range(7)]
    return usual, stdev(value - usual[day.weekday()] for day, value in history.items())


def expected_month(moment: Moment) -> list[tuple[int, float, float, float]]:
    """For today and the days to come of this month: number, cost to the end of the day, and its lower and upper end."""
    now = ledger(moment).now
    today, (usual, deviation) = midnight(now), weekdays(moment, cost, None)
    total, length = spent_this_month(moment), 0.0
    spent, found = total, []
    for number in range(today.day, calendar.monthrange(today.year, today.month)[1] + 1):
        day = today.replace(day=number)
        share = 1 - (now - today) / DAY if day == today else 1.0
        total, length = total + share * usual[day.weekday()], length + share
        margin = 1.96 * deviation * math.sqrt(length)
        found.append((number, total, max(total - margin, spent), total + margin))
    return found


def state(moment: Moment) -> None:
    limit, spent = budget(moment), spent_this_month(moment)
    ends = expected_month(moment)[-1][1]
    words = 3 if spent > limit else 2 if spent > 0.8 * limit else 1 if ends > limit else 0
    assert moment.panel("cost/state") == {"all": words}


def spent_share(moment: Moment) -> None:
    assert moment.panel("cost/spent_share") == {"all": close(spent_this_month(moment) / budget(moment))}


def month_end(moment: Moment) -> None:
    shown = moment.panel("cost/month_end")
    # The exporter's forecast is some seconds older than the moment; a day hardly changes within them.
    assert shown == {"all, expected": pytest.approx(expected_month(moment)[-1][1], rel=1e-3), "all, budget": budget(moment)}


def lasts(moment: Moment) -> None:
    limit = budget(moment)
    over = [number for number, total, _, _ in expected_month(moment) if total >= limit]
    [shown] = moment.panel("cost/lasts").values()
    if over:
        assert datetime.fromtimestamp(shown / 1000, UTC).day == over[0]
    else:
        assert shown == 0


def budgets(moment: Moment) -> None:
    shown = {key[0]: value for key, value in moment.labelled("cost/budgets").items()}
    spent, limit = spent_this_month(moment), budget(moment)
    at = ledger(moment).now
    minutes = (at.day - 1) * 1440 + at.hour * 60 + at.minute
    elapsed = minutes / 1440 / calendar.monthrange(at.year, at.month)[1]
    if not elapsed:  # in the first minute of a month there is no pace
        assert not math.isfinite(shown.pop("pace"))
    assert shown == {
        "budget": limit, "spent": close(spent), "left": close(limit - spent), "share": close(spent / limit),
        "expected": pytest.approx(expected_month(moment)[-1][1], rel=1e-3),
        **({"pace": close(spent / limit / elapsed)} if elapsed else {}),
    }  # fmt: skip


def course(moment: Moment) -> None:
    today = midnight(ledger(moment).now)
    days = by(ledger(moment).rows, lambda row: row.day)
    expected, total = {number: rest for number, *rest in expected_month(moment)}, 0.0
    shown = table(moment, "course")
    assert [row["day"] for row in shown] == list(range(1, calendar.monthrange(today.year, today.month)[1] + 1))
    for row in shown:
        if row["day"] <= today.day:
            total += cost(days.get(today.replace(day=row["day"]), []))
            assert row["spent"] == close(total)
        else:
            assert row["spent"] is None
        forecast = tuple(row[name] for name in ("expected", "low", "high"))
        assert forecast == (close(tuple(expected[row["day"]])) if row["day"] >= today.day else (None, None, None))


def cache_savings(moment: Moment) -> None:
    saved = {"claude-sonnet-4-5": 2.7, "gpt-4.1": 1.5, "gpt-4.1-mini": 0.3, "gemini-2.5-flash": 0.225}
    minute, hour = (moment.cost.replace(second=0, microsecond=0), moment.cost.replace(minute=0, second=0, microsecond=0))
    begins = {
        "24 hours": minute - DAY, "7 days": hour - 7 * DAY, "30 days": hour - 30 * DAY,
        "this month": midnight(hour).replace(day=1),
    }  # fmt: skip
    expected = {
        window: math.fsum(row.cached * saved.get(row.model, 0.0) / 1e6 for row in ledger(moment).rows if row.at >= begin)
        for window, begin in begins.items()
    }
    assert moment.panel("cost/cache_savings") == close(expected)


def usage(moment: Moment) -> None:
    today = midnight(ledger(moment).now)
    days = by([row for row in ledger(moment).rows if row.environment == "production"], lambda row: row.day)
    usual, deviation = weekdays(moment, len, "production")
    shown = {row["days"]: row for row in table(moment, "usage")}
    assert list(shown) == list(range(-28, 14))
    for number, row in shown.items():
        day = today + number * DAY
        if number < 0:
            assert row["calls"] == len(days.get(day, ())) and row["expected"] is None
        else:
            middle, margin = usual[day.weekday()], 1.96 * deviation
            figures = tuple(row[name] for name in ("expected", "low", "high"))
            assert figures == close((middle, max(middle - margin, 0), middle + margin)) and row["calls"] is None


def trend(moment: Moment) -> None:
    today, begin = midnight(ledger(moment).now), since(moment)
    days = by([row for row in ledger(moment).rows if row.environment == "production"], lambda row: row.day)
    shown = table(moment, "trend")
    assert [row["time"] for row in shown] == sorted(day for day in days if begin <= day < today)
    for row in shown:
        week = [cost(days[day]) for n in range(7) if (day := row["time"] - n * DAY) in days]
        assert row["a day"] == close(week[0])
        if len(week) == 7:
            assert row["mean of seven days"] == close(math.fsum(week) / 7)


def season(moment: Moment) -> None:
    today = midnight(ledger(moment).now)
    days = {d: cost(rows) for d, rows in by(ledger(moment).days(2 * WEEK), lambda row: row.day).items() if d < today}
    mean = math.fsum(days.values()) / len(days)
    shown = {row["weekday"]: row["of a mean day"] for row in table(moment, "season", 2 * WEEK)}
    weekday = by(days.items(), lambda item: item[0].strftime("%a"))
    assert shown == close({name: math.fsum(v for _, v in of) / len(of) / mean for name, of in weekday.items()})


FIGURES = {
    "cost/state": state,
    "cost/spent_share": spent_share,
    "cost/month_end": month_end,
    "cost/lasts": lasts,
    "cost/budgets": budgets,
    "cost/course": course,
    "cost/cache_savings": cache_savings,
    "cost/usage": usage,
    "cost/trend": trend,
    "cost/season": season,
}
FAULTS = (
    Fault("cost/course", "percentile_cont(0.5)", "percentile_cont(0.6)"),
    Fault("cost/trend", "6 PRECEDING", "5 PRECEDING"),
)
