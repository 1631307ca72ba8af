"""Models side by side: one row each with its grade; what they cost against how long they take; and both day by day."""

from __future__ import annotations

from contract.grades import LEAST_CALLS, LEAST_SCORES, LETTERS, WEIGHTS, WORDS
from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.distributions import XYChart
from dashboards.lib.field import Word, fixed, lines, named, narrowing_link, words
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import quality, quantiles
from dashboards.lib.tables import COLOURED_CELL, NARROW, Table, columns
from dashboards.models.headline import where

NO_CALLS = "no model calls in range"
_SCALE = tuple(sorted(LETTERS.items(), key=lambda grade: grade[1]))
"""Grades from the worst to the best."""
_WIDTHS = {
    "Points": 64, "Quality": 68, "Failed": 64, "p50": 62, "p95": 62, "First": 62, "Tokens/s": 78, "1000 calls": 84,
    "Calls": 66,
}  # fmt: skip
_ONE_MODEL = narrowing_link("Only this model", "models", "model", "${__value.raw}", ("environment", "agent"))
_COLOURS = {
    "A": colours.GREEN, "B": colours.GREEN, "C": colours.AMBER, "D": colours.AMBER, "E": colours.RED, "F": colours.RED
}  # fmt: skip


def graded(settings: Settings) -> str:
    """CTEs up to `graded`: one row a model that writes, with its figures, the points of its parts and of all together."""
    limits = settings.thresholds
    points = {
        "quality": "100 * quality",
        "errors": f"100 * greatest(0, 1 - errors / {limits.model_error_ratio:g})",
        "latency": f"100 * greatest(0, 1 - p95 / {limits.model_seconds:g})",
        "cost": "100 * min(token_cost) OVER () / token_cost",
    }
    parts = ",\n         ".join(f"{expression} AS {part}_points" for part, expression in points.items())
    known = " + ".join(f"CASE WHEN {part}_points IS NULL THEN 0 ELSE {weight:g} END" for part, weight in WEIGHTS.items())
    total = " + ".join(f"{weight:g} * coalesce({part}_points, 0)" for part, weight in WEIGHTS.items())
    scored = quality("model", chosen_all(environment="environment", agent="agent", model="model"))
    return f"""
used AS (
  SELECT model, sum(calls)::float8 AS calls, sum(failed)::float8 / nullif(sum(calls), 0) AS errors,
         sum(output_tokens)::float8 / nullif(sum(duration_seconds), 0) AS speed,
         sum(cost_usd) / nullif(sum(calls), 0) AS call_cost,
         sum(cost_usd) / nullif(sum(input_tokens + output_tokens), 0) AS mean_cost, sum(unpriced) AS unpriced
  FROM analytics.model_usage_statistics WHERE {where()} GROUP BY model HAVING sum(output_tokens) > 0
), slow AS (
  {quantiles("model_usage_statistics", "model", (50, 95), where())}
), first AS (
  {quantiles("first_token_daily", "model", (95,), where(), "first")}
), judged AS (
  {scored}
), known AS (
  SELECT used.*, p50, p95, first95, scores, CASE WHEN scores >= {LEAST_SCORES} THEN quality END AS quality,
         CASE WHEN unpriced < calls THEN nullif(mean_cost, 0) END AS token_cost
  FROM used LEFT JOIN slow USING (model) LEFT JOIN first USING (model) LEFT JOIN judged USING (model)
), parts AS (
  SELECT known.*, {parts}
  FROM known
), graded AS (
  SELECT parts.*, ({total}) / nullif({known}, 0) AS points FROM parts
)""".strip()


def ranking(settings: Settings) -> Panel:
    bounds = ", ".join(f"{least:g}" for _, least in _SCALE[1:])
    weakest = ", ".join(f"('{part}', {part}_points)" for part in WEIGHTS)
    sql = f"""
WITH {graded(settings)}
SELECT model, CASE WHEN calls >= {LEAST_CALLS} THEN width_bucket(points, ARRAY[{bounds}]::float8[]) END AS grade, points,
       calls, quality, errors, p50, p95, first95, speed, 1000 * CASE WHEN unpriced < calls THEN call_cost END AS thousand,
       CASE WHEN calls < {LEAST_CALLS} THEN 'too few calls to tell'
            WHEN row_number() OVER (ORDER BY calls >= {LEAST_CALLS} DESC, points DESC NULLS LAST, model) = 1
            THEN 'best of these; weakest in ' || weakest.part
            ELSE 'weakest in ' || weakest.part END AS verdict
FROM graded LEFT JOIN LATERAL (
  SELECT part FROM (VALUES {weakest}) AS p (part, amount) WHERE amount IS NOT NULL ORDER BY amount, part LIMIT 1
) weakest ON true
ORDER BY calls >= {LEAST_CALLS} DESC, points DESC NULLS LAST, model
LIMIT 100
""".strip()
    headings = {
        "model": "Model", "grade": "Grade", "verdict": "Verdict", "points": "Points", "quality": "Quality",
        "errors": "Failed", "p50": "p50",
        "p95": "p95", "first95": "First", "speed": "Tokens/s", "thousand": "1000 calls", "calls": "Calls",
    }  # fmt: skip
    letters = words({place: Word(letter, _COLOURS[letter]) for place, (letter, _) in enumerate(_SCALE)})
    limits = settings.thresholds
    return Table(
        name="ranking",
        title="Models, the best first",
        description=(
            f"Every model that writes, in the days of the range. {WORDS}. Quality: 100 x mean score; errors: 0 points at "
            f"{limits.model_error_ratio:.0%}, latency: 0 points at a p95 of {limits.model_seconds:g} s, where alerts begin; "
            "cost: 100 x cheapest / own cost of a token. What nobody knows (no scores, no price) is left out. A good grade "
            "with a weak part is a choice, not a fault: compare what you need."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value=NO_CALLS,
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            named("Model", custom_minWidth=140, links=[_ONE_MODEL.to_json_data()]),
            *(named(column, custom_width=width) for column, width in _WIDTHS.items()),
            named("Grade", mappings=letters, custom_cellOptions=COLOURED_CELL, custom_align="center", custom_width=64),
            named("Points", unit="none", decimals=0),
            named("Quality", unit="percentunit", decimals=1),
            named("Failed", unit="percentunit", decimals=2),
            *(named(column, unit="s") for column in ("p50", "p95", "First")),
            named("Tokens/s", unit="none", decimals=1),
            named("1000 calls", unit="currencyUSD", decimals=2),
            named("Calls", unit="locale", decimals=0),
            named("Verdict", custom_minWidth=140, custom_wrapText=True),
        ),
    )


def latency_and_cost() -> Panel:
    sql = f"""
SELECT speed.model, speed.p95 AS "p95", used.cost AS "1000 calls"
FROM ({quantiles("model_usage_statistics", "model", (95,), where())}) speed
JOIN (SELECT model, 1000 * sum(cost_usd) / sum(calls) AS cost FROM analytics.model_usage_statistics
      WHERE {where()} GROUP BY model HAVING sum(output_tokens) > 0 AND sum(unpriced) < sum(calls)) used USING (model)
ORDER BY 1
""".strip()
    return XYChart(
        name="latency_and_cost",
        title="Cost against latency",
        description=(
            "One point a model with a price: what a thousand calls cost, against the time that 95 % of them take. A model is "
            "out of the question when another lies below and to the left of it, unless its work is better; see 'Side by "
            "side'."
        ),
        targets=(SqlQuery(sql=sql),),
        x="p95",
        y="1000 calls",
        colour=fixed(colours.BLUE),
        unit="currencyUSD",
        decimals=2,
        minimum=0,
        no_value=NO_CALLS,
        overrides=(
            named("p95", unit="suffix:s", decimals=2, min=0, custom_axisLabel="p95 of a call"),
            named("1000 calls", custom_axisLabel="cost of 1000 calls"),
        ),
    )


def latency_by_day(settings: Settings) -> Panel:
    limit = settings.thresholds.model_seconds
    sql = f"""
SELECT day AS "time", model AS metric, p95 AS value
FROM ({quantiles("model_usage_statistics", "day, model", (95,), where())}) daily
WHERE p95 IS NOT NULL
ORDER BY 1, 2
""".strip()
    return TimeSeries(
        name="latency_by_day",
        title="p95 of a call, by day",
        description=(
            f"The time that 95 % of each model's calls of a day took at most, from the ledger; the alert's limit is {limit:g} "
            "s. A step that stays is a new version of the model, or longer prompts."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="s",
        minimum=0,
        no_value=NO_CALLS,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        calculations=("lastNotNull", "mean", "max"),
    )


def cost_by_day() -> Panel:
    sql = f"""
SELECT day AS "time", model AS metric, 1000 * sum(cost_usd) / sum(calls) AS value
FROM analytics.model_usage_statistics
WHERE {where()}
GROUP BY day, model
HAVING sum(unpriced) < sum(calls) AND sum(output_tokens) > 0
ORDER BY 1, 2
""".strip()
    return TimeSeries(
        name="cost_by_day",
        title="Cost of a thousand calls, by day",
        description=(
            "What a thousand calls of each model with a price cost. It rises at the same price list: prompts and contexts "
            "have grown, or caches hit less; see tab Cost & usage."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="currencyUSD",
        minimum=0,
        no_value=NO_CALLS,
        calculations=("lastNotNull", "mean", "max"),
    )
