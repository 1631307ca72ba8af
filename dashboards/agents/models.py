"""What models do for agents: calls, tokens and money, by the chosen width of bars."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.field import fixed, named, narrowing_link, painted, tab_link
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart
from dashboards.lib.spending import usage_over_time

NO_CALLS = "no model calls in range"
OTHER, MOST = "other", 7
DAY = "24h"


def _by_model(figure: str) -> SqlQuery:
    """A sum over time by model: the greatest ones, the rest together."""
    sql = f"""
WITH used AS (
  SELECT at, model, {figure}::float8 AS n FROM {usage_over_time(figure)} used
), named AS (
  SELECT model, row_number() OVER (ORDER BY sum(n) DESC, model) AS place FROM used GROUP BY model
)
SELECT at AS "time", CASE WHEN place <= {MOST} THEN model ELSE '{OTHER}' END AS metric, sum(n) AS value
FROM used JOIN named USING (model)
GROUP BY 1, 2
ORDER BY 1, 2
""".strip()
    return SqlQuery(sql=sql, format="time_series")


def calls() -> Panel:
    return TimeSeries(
        name="model_calls",
        title="Model calls by model",
        description=(
            f"Calls that the ledger knows, of the {MOST} most used models and the rest together, by the width of bars chosen "
            "above. One falls and another rises: a fallback or a changed route; all fall with busy agents: tracing is off, or "
            "late."
        ),
        targets=(_by_model("calls"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_CALLS,
        calculations=("sum",),
        overrides=(named(OTHER, color=fixed(colours.GREY)),),
        links=(tab_link("Models side by side", "models"),),
    )


_TOKENS = {
    "input": colours.SKY, "input from cache": colours.GREEN, "output": colours.BLUE, "reasoning": colours.PURPLE,
}  # fmt: skip


def tokens() -> Panel:
    columns = "input_tokens, output_tokens, cache_read_tokens, reasoning_tokens"
    sql = f"""
SELECT at AS "time", sum(input_tokens - cache_read_tokens)::float8 AS input,
       sum(cache_read_tokens)::float8 AS "input from cache",
       sum(output_tokens - reasoning_tokens)::float8 AS output, sum(reasoning_tokens)::float8 AS reasoning
FROM {usage_over_time(columns)} used
GROUP BY 1
ORDER BY 1
""".strip()
    return TimeSeries(
        name="tokens",
        title="Tokens",
        description=(
            "Tokens sent to models and received from them; what was read from a prompt cache and what was spent on reasoning "
            "stand apart, so that nothing counts twice. Input grows faster than calls: context that nobody cuts."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="short",
        minimum=0,
        no_value=NO_CALLS,
        stacked=True,
        fill=40,
        calculations=("sum",),
        overrides=painted(_TOKENS),
    )


def cost() -> Panel:
    return TimeSeries(
        name="model_cost",
        title="Cost by model",
        description=(
            "Cost of model calls as Langfuse recorded it, else by the price list. One colour grows and its calls do not: each "
            "call has become longer, or dearer. Budgets and advice are on the tab Cost & usage."
        ),
        targets=(_by_model("cost_usd"),),
        unit="currencyUSD",
        minimum=0,
        no_value=NO_CALLS,
        style="bars",
        stacked=True,
        calculations=("sum",),
        overrides=(named(OTHER, color=fixed(colours.GREY)),),
        links=(tab_link("Cost & usage", "cost"),),
    )


def tokens_per_call() -> Panel:
    filters_ = chosen_all(environment="c.environment", agent="c.agent", model="c.model")
    sql = f"""
SELECT c.model AS "Model", avg(c.input_tokens + c.output_tokens)::float8 AS mean,
       (percentile_cont(0.95) WITHIN GROUP (ORDER BY c.input_tokens + c.output_tokens))::float8 AS p95
FROM analytics.llm_calls c
WHERE $__timeFilter(c.started_at) AND {filters_}
GROUP BY 1
ORDER BY 3 DESC, 1
LIMIT 12
""".strip()
    return BarChart(
        name="tokens_per_call",
        title="Per call, by model",
        description=(
            "Input and output tokens of a call in the last day: the mean, and what 95 % of calls do not exceed, of the twelve "
            "models with the longest. A p95 far above the mean: a few conversations carry a long history; cut or sum it up."
        ),
        targets=(SqlQuery(sql=sql),),
        unit="short",
        decimals=0,
        minimum=0,
        width=10,
        no_value="no model calls in a day",
        x="Model",
        direction="horizontal",
        values_shown="always",
        with_scale=False,
        always_last=DAY,
        overrides=painted({"mean": colours.SKY, "p95": colours.BLUE}),
        data_links=(narrowing_link("Only this model", "models", "model", "${__data.fields.Model}", ("environment",)),),
    )
