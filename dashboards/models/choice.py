"""Which other model would do for each task, and what the same work would cost elsewhere."""

from __future__ import annotations

from contract.grades import LEAST_CALLS, LEAST_SCORES
from contract.settings import Settings
from dashboards.lib.field import named
from dashboards.lib.figures import BarGauge
from dashboards.lib.filters import chosen_all
from dashboards.lib.model_choice import ENOUGH, RULE, tasks
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import PER_MONTH, PRICES, UNPRICED, quality, quantiles
from dashboards.lib.tables import NARROW, Table, columns
from dashboards.models.headline import where

NO_CALLS = "no model calls in range"
MOST = 12
"""Bars of the graph; the table has all."""


def recommended(settings: Settings) -> Panel:
    sql = f"""
WITH {tasks(settings)}
SELECT task, model, calls, 1000 * cost AS cost, quality, p95, coalesce(other_model, '–') AS other_model,
       1000 * other_cost AS other_cost,
       other_quality, other_p95, least(calls, other_calls) AS sample, saving * {PER_MONTH} AS monthly,
       CASE WHEN other_model IS NOT NULL THEN 'would do'
            WHEN tried = 0 THEN 'keep: no other was tried enough'
            WHEN scores < {LEAST_SCORES} THEN 'keep: too few scores to tell'
            ELSE 'keep: no other is as good, quick and cheaper' END AS verdict
FROM choice
WHERE calls >= {LEAST_CALLS}
ORDER BY saving DESC NULLS LAST, calls DESC, task
LIMIT 100
""".strip()
    headings = {
        "task": "Task", "model": "Now", "other_model": "Would do", "monthly": "Saves", "verdict": "Verdict", "cost": "Cost",
        "other_cost": "Its cost", "quality": "Quality", "other_quality": "Its quality", "p95": "p95", "other_p95": "Its p95",
        "sample": "Sample",
    }  # fmt: skip
    money = {"unit": "currencyUSD", "decimals": 2}
    return Table(
        name="recommended",
        title="The cheapest model that would do",
        description=(
            f"{RULE} Cost is of 1000 calls, saved is what 30 days would; its: of the model that would do. The sample is the "
            "smaller number of calls of the two. Next step: route a tenth of the calls there, and compare again after a week. "
            "Of all models, whichever are chosen."
        ),
        targets=(SqlQuery(sql=sql),),
        always_last=ENOUGH,
        no_value="no prompt had enough calls",
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            *(named(column, custom_minWidth=84, custom_wrapText=True) for column in ("Task", "Now", "Would do")),
            named("Verdict", custom_minWidth=84, custom_wrapText=True),
            *(named(column, custom_width=72, mappings=UNPRICED, **money) for column in ("Cost", "Its cost", "Saves")),
            named("Quality", unit="percentunit", decimals=1, custom_width=70),
            named("Its quality", unit="percentunit", decimals=1, custom_width=84),
            *(named(column, unit="s", custom_width=66) for column in ("p95", "Its p95")),
            named("Sample", unit="locale", decimals=0, custom_width=66),
        ),
    )


_LISTED = r"regexp_replace(model_pattern, '\(\?i\)|[\\^$()]', '', 'g')"
"""What a pattern of the price list is about, for people: most are one model's name."""

_REPRICED = f"""
worked AS (
  SELECT model, sum(calls)::float8 AS calls,
         sum(input_tokens - cache_read_tokens)::float8 AS plain, sum(cache_read_tokens)::float8 AS cached,
         sum(output_tokens)::float8 AS output, sum(cost_usd) AS cost, sum(unpriced) AS unpriced
  FROM analytics.model_usage_statistics WHERE %s GROUP BY model HAVING sum(output_tokens) > 0
), work AS (
  SELECT sum(plain) AS plain, sum(cached) AS cached, sum(output) AS output, sum(cost) AS cost FROM worked WHERE unpriced = 0
), models AS (
  SELECT model FROM worked UNION SELECT {_LISTED} FROM analytics.model_prices WHERE valid_to IS NULL
), prices AS (
  {PRICES}
), repriced AS (
  SELECT p.model, (w.plain * p.input + w.cached * coalesce(p.cached, p.input) + w.output * p.output) / 1000000 AS cost,
         w.cost AS actual
  FROM prices p CROSS JOIN work w WHERE p.output > 0 AND w.output > 0
)
""".strip()


def repriced() -> Panel:
    sql = f"""
WITH {_REPRICED % where()}
SELECT model, cost FROM (
  SELECT 'as it is' AS model, cost FROM work WHERE output > 0
  UNION ALL (SELECT model, cost FROM repriced ORDER BY cost, model LIMIT {MOST})
) bars
ORDER BY cost, model
""".strip()
    return BarGauge(
        name="repriced",
        title="The range's work, priced on each model",
        description=(
            "All tokens of the range's calls on models with a price, at the prices in force now: as it is, and if everything "
            f"had run on one model; the {MOST} cheapest. Tokens are counted as they were: another model would write more or "
            "less. Cheap does not mean that it can do the work; see the table beside, and 'Which model would do?'."
        ),
        targets=(SqlQuery(sql=sql),),
        width=10,
        every_row=True,
        unit="currencyUSD",
        decimals=0,
        minimum=0,
        no_value=NO_CALLS,
    )


def repriced_table() -> Panel:
    scored = quality("model", chosen_all(environment="environment", agent="agent"))
    sql = f"""
WITH {_REPRICED % where()}, slow AS (
  {quantiles("model_usage_statistics", "model", (95,), where())}
), judged AS (
  {scored}
)
SELECT r.model, r.cost, r.cost - r.actual AS more, r.cost / nullif(r.actual, 0) - 1 AS share, j.quality, s.p95,
       coalesce(w.calls, 0) AS calls
FROM repriced r LEFT JOIN worked w USING (model) LEFT JOIN slow s USING (model) LEFT JOIN judged j USING (model)
ORDER BY r.cost, r.model
LIMIT 200
""".strip()
    headings = {
        "model": "All on", "cost": "Cost", "more": "Against now", "share": "Change", "quality": "Quality", "p95": "p95",
        "calls": "Calls",
    }  # fmt: skip
    return Table(
        name="repriced_models",
        title="The same, and what is known of each model",
        description=(
            "The same prices, against what the work did cost; and quality, the time of 95 % and the calls of each model in "
            "the range, as far as it was called at all. No calls: nothing is known but its price; try it on a few first."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value=NO_CALLS,
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            named("All on", custom_width=136),
            named("Against now", custom_width=98),
            *(named(column, unit="currencyUSD", decimals=2) for column in ("Cost", "Against now")),
            named("Change", unit="percentunit", decimals=0),
            named("Quality", unit="percentunit", decimals=1),
            named("p95", unit="s"),
            named("Calls", unit="locale", decimals=0),
        ),
    )
