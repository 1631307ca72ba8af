"""Over time, by the chosen width of bars: tokens, spend, what one of everything costs, and what the spend follows."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from dashboards.lib import colours
from dashboards.lib.field import fixed, named, painted
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import DAYS, WIDTH, agents_over_time, usage_over_time

NO_CALLS = "no model calls in range"
OTHER = "other"
MOST = 8
"""Series of a graph; the rest is one more."""


def tokens() -> Panel:
    sql = f"""
SELECT at AS "time", sum(input_tokens)::float8 AS input, sum(output_tokens)::float8 AS output
FROM {usage_over_time("input_tokens, output_tokens")} used
GROUP BY 1
ORDER BY 1
""".strip()
    return TimeSeries(
        name="tokens",
        title="Input and output tokens",
        description=(
            "Tokens that were sent to models and received from them, cached and reasoning ones included, by the width of "
            "bars chosen above. Input that grows faster than the queries is context that nobody cuts."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="short",
        minimum=0,
        no_value=NO_CALLS,
        style="bars",
        stacked=True,
        calculations=("sum", "lastNotNull"),
        overrides=painted({"input": colours.SKY, "output": colours.BLUE}),
    )


def spend() -> Panel:
    filters_ = chosen_all(environment="environment")
    sql = f"""
WITH spent AS (
  SELECT at, model AS name, cost_usd FROM {usage_over_time("cost_usd")} used WHERE ${{split:sqlstring}} = 'model'
  UNION ALL
  SELECT at, CASE WHEN ${{split:sqlstring}} = 'agent' THEN agent ELSE environment END, cost_usd
  FROM {agents_over_time("environment, cost_usd", "environment, cost_usd")} used
  WHERE ${{split:sqlstring}} IN ('agent', 'environment')
  UNION ALL
  SELECT date_trunc(replace({WIDTH}, 'hour', 'day'), day, 'UTC'),
         CASE WHEN ${{split:sqlstring}} = 'role' THEN role ELSE department END, cost_usd
  FROM analytics.user_group_costs
  WHERE {DAYS} AND {filters_} AND calls > 0 AND ${{split:sqlstring}} IN ('department', 'role')
), named AS (
  SELECT name, row_number() OVER (ORDER BY sum(cost_usd) DESC, name) AS place FROM spent GROUP BY name
)
SELECT at AS "time", CASE WHEN place <= {MOST} THEN name ELSE '{OTHER}' END AS metric, sum(cost_usd)::float8 AS value
FROM spent JOIN named USING (name)
GROUP BY 1, 2
ORDER BY 1, 2
""".strip()
    return TimeSeries(
        name="spend",
        title="Spend by ${split}",
        description=(
            "Cost of model calls, as Langfuse recorded it, else by the price list. A colour that grows says where to look; "
            "one bar that stands out is a job, a loop or a release: compare with 'Queries and cost'. Departments and roles "
            "are those of the users, and by the day at least. The filter of agents acts by agent and environment, that of "
            "models by model."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="currencyUSD",
        minimum=0,
        no_value=NO_CALLS,
        style="bars",
        stacked=True,
        calculations=("sum",),
        legend_placement="right",
        overrides=(named(OTHER, color=fixed(colours.GREY)),),
    )


def unit_costs() -> Panel:
    used = agents_over_time(
        "executions, model_calls AS calls, cost_usd, NULL::float8 AS conversation_cost_usd,"
        " NULL::bigint AS conversations, NULL::bigint AS goals_achieved",
        "executions, calls, cost_usd, conversation_cost_usd, conversations, goals_achieved",
    )
    sql = f"""
SELECT at AS "time", sum(cost_usd)::float8 / nullif(sum(executions), 0) AS "query",
       sum(conversation_cost_usd)::float8 / nullif(sum(conversations), 0) AS "conversation",
       sum(conversation_cost_usd)::float8 / nullif(sum(goals_achieved), 0) AS "success"
FROM {used} used
GROUP BY 1
HAVING sum(calls) > 0
ORDER BY 1
""".strip()
    return TimeSeries(
        name="unit_costs",
        title="Unit costs",
        description=(
            f"{DEFINITIONS['cost_per_conversation'].formula}; the others likewise: all cost / queries that ended, and cost of "
            "conversations / those that reached their goal. Conversations are counted by the day, so by hour there is only "
            "the query. Success rises alone: agents fail more often at the same price."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="currencyUSD",
        minimum=0,
        no_value=NO_CALLS,
        calculations=("lastNotNull", "max"),
        overrides=painted({"query": colours.LOW, "conversation": colours.MIDDLE, "success": colours.HIGH}),
    )


def volume() -> Panel:
    sql = f"""
SELECT at AS "time", sum(executions)::float8 AS queries, sum(cost_usd)::float8 AS cost
FROM {agents_over_time("executions, cost_usd", "executions, cost_usd")} used
GROUP BY 1
ORDER BY 1
""".strip()
    return TimeSeries(
        name="volume",
        title="Queries and cost",
        description=(
            "Queries to agents that ended (left) and the cost of model calls (right). Both rise: more is asked, which is "
            "what the money is for. Cost rises alone: each query has become dearer; see 'Unit costs' and the tokens."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="locale",
        minimum=0,
        no_value=NO_CALLS,
        style="bars",
        axis_label="queries",
        calculations=("sum", "lastNotNull"),
        overrides=(
            named("queries", color=fixed(colours.SKY), custom_fillOpacity=50),
            named(
                "cost", unit="currencyUSD", color=fixed(colours.RED), custom_drawStyle="line",
                custom_axisPlacement="right", custom_axisLabel="cost", custom_lineWidth=2, custom_fillOpacity=0,
            ),
        ),
    )  # fmt: skip


def efficiency() -> Panel:
    sql = f"""
SELECT at AS "time", model AS metric, sum(output_tokens)::float8 / nullif(sum(input_tokens), 0) AS value
FROM {usage_over_time("input_tokens, output_tokens")} used
WHERE model IN (SELECT model FROM analytics.model_usage_statistics WHERE {DAYS} GROUP BY model HAVING sum(output_tokens) > 0)
GROUP BY 1, 2
ORDER BY 1, 2
""".strip()
    return TimeSeries(
        name="efficiency",
        title="Token efficiency by model",
        description=(
            f"{DEFINITIONS['token_efficiency'].formula} of models that write. Low is usual for agents that read much; what "
            "counts is the change: a fall after a release is a longer prompt for the same answer."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="percentunit",
        minimum=0,
        no_value=NO_CALLS,
        calculations=("lastNotNull", "mean", "min"),
        legend_placement="right",
    )
