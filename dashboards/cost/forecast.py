"""What is to come: the month's spend day by day, usage of the next two weeks, and what trend and weekdays make of a day.

A day to come is expected to be the median of its weekday in the last 28 whole days, as the exporter's forecast has it. How far
days usually are from that (their standard deviation) gives the interval: 95 of 100 sums of k such days lie within
1.96 x sqrt(k) of it, when days do not depend on each other.
"""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.ahead import ahead
from dashboards.lib.field import fixed, lines, named
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries, Trend
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart
from dashboards.lib.spending import DAYS, FIRST_DAY, TO, whole_days

NO_CALLS = "no model calls in the last weeks"
HISTORY_DAYS, AHEAD_DAYS = 28, 14
CERTAIN = 1.96
"""Standard deviations on each side that hold 95 of 100 normal values."""

_TODAY, _DAY = f"date_trunc('day', {TO}, 'UTC')", whole_days(1)
_EARLIEST = f"{_TODAY} - {whole_days(HISTORY_DAYS)}"
_BAND = (
    named("low", color=fixed(colours.SKY), custom_lineWidth=1, custom_lineStyle={"fill": "dash", "dash": [4, 4]}),
    named(
        "high", color=fixed(colours.SKY), custom_lineWidth=1, custom_lineStyle={"fill": "dash", "dash": [4, 4]},
        custom_fillBelowTo="low", custom_fillOpacity=15,
    ),
)  # fmt: skip


def _usual(measure: str, filters_: str, since: str) -> str:
    """CTEs: `daily` amounts from `since` on; `usual` by weekday; `spread`, the deviation of a day; and `rest` of today."""
    return f"""
daily AS (
  SELECT day, sum({measure})::float8 AS amount FROM analytics.model_usage_statistics
  WHERE day >= {since} AND day < {TO} AND {filters_} GROUP BY day
), history AS (
  SELECT d AS day, extract(isodow FROM d AT TIME ZONE 'UTC') AS weekday, coalesce(amount, 0) AS amount
  FROM generate_series({_EARLIEST}, {_TODAY} - {_DAY}, {_DAY}) d
  LEFT JOIN daily ON daily.day = d
  WHERE d >= (SELECT min(day) FROM daily WHERE day >= {_EARLIEST})
), usual AS (
  SELECT weekday, coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY amount),
                           (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM history)) AS amount
  FROM generate_series(1, 7) weekday LEFT JOIN history USING (weekday) GROUP BY weekday
), spread AS (
  SELECT coalesce(stddev_samp(history.amount - usual.amount), 0) AS deviation FROM history JOIN usual USING (weekday)
), rest AS (
  SELECT 1 - extract(epoch FROM {TO} - {_TODAY})::float8 / 86400 AS share
)""".strip()


def course(settings: Settings) -> Panel:
    limit = next((budget.monthly_usd for budget in settings.budgets if budget.scope == "all"), None)
    begin = f"date_trunc('month', {TO}, 'UTC')"
    end = f"({begin} AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'"
    since = f"least({begin}, {_EARLIEST})"
    sql = f"""
WITH {_usual("cost_usd", "true", since)}, days AS (
  SELECT d AS day, extract(day FROM d AT TIME ZONE 'UTC')::int AS number,
         CASE WHEN d <= {TO} THEN coalesce(daily.amount, 0) END AS spent,
         CASE WHEN d > {TO} THEN 1 WHEN d = {_TODAY} THEN rest.share ELSE 0 END AS share, usual.amount AS usual
  FROM generate_series({begin}, {end} - {_DAY}, {_DAY}) d
  CROSS JOIN rest LEFT JOIN daily ON daily.day = d
  JOIN usual ON usual.weekday = extract(isodow FROM d AT TIME ZONE 'UTC')
), added AS (
  SELECT day, number, sum(spent) OVER past AS spent, sum(share * usual) OVER past AS expected, sum(share) OVER past AS days
  FROM days WINDOW past AS (ORDER BY day)
)
SELECT number AS day, CASE WHEN day <= {TO} THEN spent END AS spent,
       CASE WHEN days > 0 THEN spent + expected END AS expected,
       CASE WHEN days > 0 THEN spent + greatest(expected - {CERTAIN} * deviation * sqrt(days), 0) END AS low,
       CASE WHEN days > 0 THEN spent + expected + {CERTAIN} * deviation * sqrt(days) END AS high
FROM added CROSS JOIN spread
ORDER BY day
""".strip()
    return Trend(
        name="course",
        title="Spend of this month, day by day",
        description=(
            "Cost since the month began, of all environments and models, to the end of each day; from today on what it is "
            "expected to be, between low and high in 95 of 100 months. A day to come is expected to be the median of its "
            "weekday in the last 28 whole days; how far days usually are from that gives the interval. The line is the "
            "budget for everything. It lies within the band: the month may end above it; below the band: it will."
        ),
        targets=(SqlQuery(sql=sql),),
        width=12,
        x="day",
        unit="currencyUSD",
        minimum=0,
        no_value=NO_CALLS,
        limits=lines(*([(limit, colours.DOWN)] if limit else [])),
        drawn="dashed" if limit else "off",
        soft_maximum=limit,
        overrides=(
            named("day", unit="none", min=1, custom_axisLabel="day of the month"),
            named("spent", color=fixed(colours.BLUE), custom_lineWidth=3),
            named("expected", color=fixed(colours.BLUE), custom_lineStyle={"fill": "dash", "dash": [8, 6]}),
            *_BAND,
        ),
    )


def usage() -> Panel:
    filters_ = chosen_all(environment="environment", model="model")
    sql = f"""
WITH {_usual("calls", filters_, _EARLIEST)}
SELECT extract(day FROM d - {_TODAY})::int AS days, CASE WHEN d < {_TODAY} THEN history.amount END AS calls,
       CASE WHEN d >= {_TODAY} THEN usual.amount END AS expected,
       CASE WHEN d >= {_TODAY} THEN greatest(usual.amount - {CERTAIN} * deviation, 0) END AS low,
       CASE WHEN d >= {_TODAY} THEN usual.amount + {CERTAIN} * deviation END AS high
FROM generate_series({_EARLIEST}, {_TODAY} + {whole_days(AHEAD_DAYS - 1)}, {_DAY}) d
CROSS JOIN spread
JOIN usual ON usual.weekday = extract(isodow FROM d AT TIME ZONE 'UTC')
LEFT JOIN history ON history.day = d
ORDER BY 1
""".strip()
    return Trend(
        name="usage",
        title="Model calls: the last four weeks, and the next two",
        description=(
            "Calls of each whole day (UTC), counted from today, and what the next days usually have. Low and high hold 95 of "
            "100 days. Days that were above or below the band of their weekday: see 'Is anything unusual?'."
        ),
        targets=(SqlQuery(sql=sql),),
        width=12,
        x="days",
        unit="short",
        minimum=0,
        no_value=NO_CALLS,
        overrides=(
            named("days", unit="none", min=-HISTORY_DAYS, custom_axisLabel="days from today"),
            named("calls", color=fixed(colours.BLUE)),
            named("expected", color=fixed(colours.BLUE), custom_lineStyle={"fill": "dash", "dash": [8, 6]}),
            *_BAND,
        ),
    )


def trend() -> Panel:
    filters_ = chosen_all(environment="environment", model="model")
    sql = f"""
WITH daily AS (
  SELECT day, sum(cost_usd) AS cost FROM analytics.model_usage_statistics
  WHERE day >= {FIRST_DAY} - {whole_days(6)} AND day < {_TODAY} AND {filters_} GROUP BY day
)
SELECT day AS "time", cost AS "a day", mean AS "mean of seven days"
FROM (SELECT day, cost, CASE WHEN count(*) OVER week = 7 THEN avg(cost) OVER week END AS mean FROM daily
      WINDOW week AS (ORDER BY day ROWS 6 PRECEDING)) smoothed
WHERE day >= {FIRST_DAY}
ORDER BY 1
""".strip()
    return TimeSeries(
        name="trend",
        title="Spend by day, and its trend",
        description=(
            "Cost of each whole day, and the mean of it and the six before, in which every weekday counts once: the trend "
            "without the week. It climbs slowly: growth, plan for it. It steps up: a release or a job, look for it."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        width=12,
        unit="currencyUSD",
        minimum=0,
        no_value="no whole day in range",
        calculations=("lastNotNull", "mean", "max"),
        overrides=(
            named("a day", color=fixed(colours.SKY), custom_drawStyle="bars", custom_fillOpacity=50),
            named("mean of seven days", color=fixed(colours.RED), custom_lineWidth=3),
        ),
    )


def season() -> Panel:
    filters_ = chosen_all(environment="environment", model="model")
    sql = f"""
WITH daily AS (
  SELECT day, sum(cost_usd) AS cost FROM analytics.model_usage_statistics
  WHERE {DAYS} AND day < {_TODAY} AND {filters_} GROUP BY day
)
SELECT to_char(day AT TIME ZONE 'UTC', 'Dy') AS weekday, avg(cost) / nullif((SELECT avg(cost) FROM daily), 0) AS "of a mean day"
FROM daily
GROUP BY 1
ORDER BY min(extract(isodow FROM day AT TIME ZONE 'UTC'))
""".strip()
    return BarChart(
        name="season",
        title="What weekdays cost, against a mean day",
        description=(
            "Mean cost of each weekday (UTC) in the range / mean cost of all its whole days: the week without the trend. 100 "
            "% is a mean day. Weekends near 100 % in a company that does not work then are jobs: do they have to run?"
        ),
        targets=(SqlQuery(sql=sql),),
        x="weekday",
        unit="percentunit",
        decimals=0,
        minimum=0,
        no_value="no whole day in range",
        with_legend=False,
        colour=fixed(colours.BLUE),
    )


def spend() -> Panel:
    return ahead(
        "spend",
        "spend_ahead",
        "Spend by day, and in the next 30 days",
        "Cost of each whole day, of all environments and models, and what days to come are expected to cost. The month's end "
        "above ('Spend of this month') goes by medians of weekdays alone, for which few days are enough.",
        width=14,
    )
