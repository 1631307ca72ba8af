"""Ratings beside what was measured of the model calls behind the rated answers: latency, cost, tokens."""

from __future__ import annotations

from dashboards.feedback.given import NARROW, given
from dashboards.lib import colours
from dashboards.lib.distributions import XYChart
from dashboards.lib.field import fixed, named
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import PALETTE_IN_ORDER, Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import Table

NOTHING = "no rated answer with model calls in range"


CALLS = """
CROSS JOIN LATERAL (
  SELECT t.model, count(*) AS calls, sum(t.latency_ms) AS ms, count(t.latency_ms) AS timed, sum(t.total_cost_usd) AS cost,
         count(t.total_cost_usd) AS priced, sum(t.total_tokens) AS tokens
  FROM analytics.llm_calls t WHERE t.trace_id = f.trace_id AND t.type = 'GENERATION' GROUP BY t.model OFFSET 0
) k""".strip()
"""Model calls of a rated answer, looked up answer by answer as its conversation is, and added up by model: an answer's stars
count once, however many calls it took."""
_SECONDS = "(sum(k.ms) / nullif(sum(k.timed), 0) / 1000)::float8"
_DOLLARS = "(sum(k.cost) / nullif(sum(k.priced), 0))::float8"
_TOKENS = "(sum(k.tokens) / sum(k.calls))::float8"
"""Means of the calls."""


def _rated(columns: str, grouped: str, order: str, most: int, having: str = "") -> str:
    """Rated answers with the model calls `k` behind them, by groups."""
    return f"""
SELECT {columns}
{given(CALLS)}
  AND f.rating BETWEEN 1 AND 5 AND {chosen_all(model="k.model")}
GROUP BY {grouped}{f" HAVING {having}" if having else ""}
ORDER BY {order}
LIMIT {most}
""".strip()


_POINTS = """k.model AS "Model", to_char(f.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "Day", {x},
       avg(f.rating)::float8 AS "Stars", sum(k.calls)::float8 AS "Calls\""""


def _points(x: str, measured: str) -> str:
    return _rated(_POINTS.format(x=f'{measured} AS "{x}"'), "k.model, 2", "2, 1", 1000, f"{measured} IS NOT NULL")


def _against(name: str, title: str, x: str, measured: str, unit: str, decimals: int | None) -> Panel:
    return XYChart(
        name=name,
        title=title,
        description=(
            "A point is a model on a day (UTC): the mean of the calls behind rated answers against the mean stars of these "
            "answers; hold the pointer over it for model, day and number. Falling to the right: people pay for it with their "
            "patience. A level cloud: something else decides, see 'Which group is least content?'."
        ),
        targets=(SqlQuery(sql=_points(x, measured)),),
        unit="none",
        decimals=2,
        no_value=NOTHING,
        x=x,
        y="Stars",
        colour=PALETTE_IN_ORDER,
        overrides=(
            named(x, unit=unit, decimals=decimals, custom_axisLabel=x),
            named("Stars", custom_axisLabel="stars", min=1, max=5, color=fixed(colours.NEUTRAL)),
            named("Calls", unit="locale", decimals=0),
        ),
    )


def against_latency() -> Panel:
    return _against("rating_latency", "Do slow answers get fewer stars?", "Latency", _SECONDS, "s", None)


def against_cost() -> Panel:
    return _against("rating_cost", "Do expensive answers get more stars?", "Cost per call", _DOLLARS, "currencyUSD", 4)


def by_model() -> Panel:
    columns = f"""k.model AS "Model", count(*)::float8 AS "Answers", avg(f.rating)::float8 AS "Stars",
       count(*) FILTER (WHERE f.rating <= 2)::float8 / count(*) AS "1 or 2 stars",
       {_SECONDS} AS "Latency", {_DOLLARS} AS "Cost each", {_TOKENS} AS "Tokens each\""""
    return Table(
        name="rating_by_model",
        title="Stars, speed and cost by model",
        description=(
            "Of rated answers whose model calls are in the ledger: their stars, and mean latency, cost, tokens of each call. "
            "A cheap model with as many stars is a saving; a fast one with fewer is not."
        ),
        targets=(SqlQuery(sql=_rated(columns, "k.model", "3 DESC, 1", 40)),),
        no_value=NOTHING,
        overrides=(
            NARROW,
            named("Answers", unit="locale", decimals=0),
            named("Stars", unit="none", decimals=2),
            named("1 or 2 stars", unit="percentunit", decimals=1),
            named("Latency", unit="s"),
            named("Cost each", unit="currencyUSD", decimals=4),
            named("Tokens each", unit="locale", decimals=0),
        ),
    )
