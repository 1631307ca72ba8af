"""SQL about money and models that several tabs ask: the range in days, the granularity, prices, merged percentiles, quality.

Roll-ups count by UTC day. A range means the days that it touches, so that the last six hours are today, and not nothing.
"""

from __future__ import annotations

from contract.buckets import LLM
from dashboards.lib import colours
from dashboards.lib.field import Word, words
from dashboards.lib.filters import chosen_all
from dashboards.lib.variables import SwitchVariable

UNPRICED = words({0: Word("–", colours.GREY)})
"""What the cost of one piece says where no call had a price: that it is not known, not that it is nothing."""
_FROM, TO = "$__timeFrom()::timestamptz", "$__timeTo()::timestamptz"
FIRST_DAY = f"date_trunc('day', {_FROM}, 'UTC')"
DAYS = f"day >= {FIRST_DAY} AND day < {TO}"
"""The days that the range touches. One that begins where the range ends is the next."""
LENGTH = f"({TO} - {FIRST_DAY})"
"""How much time these days cover, up to the end of the range."""
BEFORE = SwitchVariable(
    name="before",
    label="Compare with",
    values={"0": "as many days before", "1": "a day earlier", "7": "a week earlier", "30": "30 days earlier"},
    description="Acts on every figure that says how the range changed: the small ones beside those of the range, and columns "
    "called Change. Earlier are as many days, counted by day (UTC).",
)


def whole_days(number: int) -> str:
    """So many days (UTC) as an SQL interval, in hours: a day of PostgreSQL is one of the session's time zone, which may be an
    hour longer or shorter.
    """
    return f"interval '{24 * number} hours'"


_SECONDS = f"extract(epoch FROM {LENGTH})"
_SHIFTED = f"coalesce(nullif(${{before:sqlstring}}::int, 0) * {whole_days(1)}, make_interval(secs => {_SECONDS}::float8))"
_FIRST_BEFORE = f"date_trunc('day', {FIRST_DAY} - {_SHIFTED}, 'UTC')"
_WHOLE_LENGTH = f"ceil({_SECONDS} / 86400)::int * {whole_days(1)}"
DAYS_BEFORE = f"day >= {_FIRST_BEFORE} AND day < {_FIRST_BEFORE} + {_WHOLE_LENGTH}"
"""As many days, so much earlier as is chosen: at first those that end where the range begins."""
PER_MONTH = f"(2592000 / greatest(extract(epoch FROM {LENGTH})::float8, 3600))"
"""What an amount of the range is multiplied by to be one of 30 days."""

GRANULARITY = SwitchVariable(
    name="granularity",
    label="By",
    values={"day": "day", "hour": "hour", "week": "week", "month": "month"},
    description="Width of bars over time, in UTC. The first and the last one may be cut by the range.",
)
WIDTH = "${granularity:sqlstring}"


def over_time(hourly: str, daily: str) -> str:
    """A sub-select behind FROM of rows with `at`, the begin of the chosen hour, day, week or month.

    `hourly` and `daily` say what to select beside that, alike in both, and each ends with a condition.
    Only one of them is read: hours when hours are shown, days else.
    """
    hours = f"hour >= date_trunc('hour', {_FROM}, 'UTC') AND hour < {TO}"
    return (
        f"(SELECT date_trunc({WIDTH}, bucket, 'UTC') AS at, counted.* FROM (\n"
        f"  SELECT hour AS bucket, {hourly} AND {hours} AND {WIDTH} = 'hour'\n"
        f"  UNION ALL SELECT day, {daily} AND {DAYS} AND {WIDTH} <> 'hour'\n) counted)"
    )


def usage_over_time(columns: str) -> str:
    """What models used, by environment and model, with these columns of the roll-ups."""
    filters_ = chosen_all(environment="environment", model="model")
    return over_time(
        f"model, {columns} FROM analytics.model_usage_hourly WHERE {filters_}",
        f"model, {columns} FROM analytics.model_usage_statistics WHERE {filters_}",
    )


def agents_over_time(hourly: str, daily: str) -> str:
    """What agents did and used; the columns of the hours and of the days."""
    filters_ = chosen_all(environment="environment", agent="agent", version="version")
    return over_time(
        f"agent, {hourly} FROM analytics.trace_metrics_hourly WHERE {filters_}",
        f"agent, {daily} FROM analytics.cost_analysis_summary WHERE {filters_}",
    )


PRICES = """
  SELECT named.model,
         max(p.usd_per_million) FILTER (WHERE p.usage_type = 'input')::float8 AS input,
         max(p.usd_per_million) FILTER (WHERE p.usage_type = 'output')::float8 AS output,
         min(p.usd_per_million) FILTER (WHERE p.usage_type ~ 'cache' AND p.usage_type !~ 'creation|write')::float8 AS cached
  FROM (SELECT m.model, min(p.model_pattern) AS pattern FROM models m
        JOIN analytics.model_prices p ON m.model ~ p.model_pattern WHERE p.valid_to IS NULL GROUP BY m.model) named
  JOIN analytics.model_prices p ON p.model_pattern = named.pattern AND p.valid_to IS NULL
  GROUP BY named.model
""".strip()
"""USD for a million tokens of each model of the CTE `models`, by the list in force: of several that fit, the first name."""


def quantiles(
    view: str, keys: str, shares: tuple[int, ...], where: str, prefix: str = "p", bounds: tuple[float, ...] = LLM
) -> str:
    """A selection of the percentiles `shares` of times in seconds, of all rows of a roll-up view together, by `keys`.

    `bounds` are those of the view's histogram. Without keys it is one row, of nothing where there is nothing.
    """
    listed = ", ".join(f"{bound:g}" for bound in bounds)
    asked = ", ".join(
        f"analytics.quantile({share / 100:g}, counts, ARRAY[{listed}]::float8[]) AS {prefix}{share}" for share in shares
    )
    by, grouped = (f"{keys}, ", f" GROUP BY {keys}") if keys else ("", "")
    return (
        f"SELECT {by}{asked}\n  FROM (SELECT {by}array_agg(n ORDER BY place) AS counts\n"
        f"        FROM (SELECT {by}place, sum(c)::bigint AS n FROM analytics.{view},\n"
        f"                     unnest(histogram) WITH ORDINALITY AS h (c, place)\n"
        f"              WHERE {where} GROUP BY {by}place) places{grouped}) merged"
    )


def quality(keys: str, filters_: str) -> str:
    """A selection of mean and number of scores from 0 to 1 in the range, by `keys` (of model, agent, prompt_name, …)."""
    return (
        f"SELECT {keys}, avg(value) AS quality, count(*)::float8 AS scores FROM analytics.llm_scores\n"
        f"  WHERE {JUDGED} AND {filters_}\n  GROUP BY {keys}"
    )


JUDGED = f"at BETWEEN {FIRST_DAY} AND {TO} AND value BETWEEN 0 AND 1 AND model IS NOT NULL"
"""Of the ledger's scores: those of the range that are a number from 0 to 1 (yes and no are 1 and 0), about a known model."""
