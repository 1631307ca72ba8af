"""Who the money is spent for and on: models, agents, roles and departments of users; and one row an agent."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.field import fixed, named, narrowing_link
from dashboards.lib.figures import BarGauge
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import PieChart
from dashboards.lib.spending import DAYS, DAYS_BEFORE, UNPRICED
from dashboards.lib.tables import BAR_CELL, NARROW, Table, columns

NO_CALLS = "no model calls in range"
OTHER, UNKNOWN = "other", "unknown"


def _greatest(label: str, view: str, filters_: str, most: int) -> str:
    """The greatest by cost, and all the rest as one."""
    return f"""
SELECT CASE WHEN place <= {most} THEN name ELSE '{OTHER}' END AS name, sum(cost)::float8 AS cost
FROM (SELECT {label} AS name, sum(cost_usd) AS cost, row_number() OVER (ORDER BY sum(cost_usd) DESC, {label}) AS place
      FROM analytics.{view} WHERE {DAYS} AND {filters_} GROUP BY {label}) named
WHERE cost > 0
GROUP BY 1
ORDER BY min(place)
""".strip()


def by_model() -> Panel:
    filters_ = chosen_all(environment="environment", model="model")
    return PieChart(
        name="by_model",
        title="By model",
        description=(
            "Share of each model in the cost of the range: the six dearest, the rest together. Models without a price cost "
            "nothing here; they are listed under 'Prices'. Mostly one model: see what it would cost on another, tab Models."
        ),
        targets=(SqlQuery(sql=_greatest("model", "model_usage_statistics", filters_, 6)),),
        unit="currencyUSD",
        decimals=0,
        no_value=NO_CALLS,
        every_row=True,
        data_links=(narrowing_link("Only this model", "models", "model", "${__data.fields.name}", ("environment",)),),
        overrides=(named(OTHER, color=fixed(colours.GREY)),),
    )


def _bars(name: str, title: str, description: str, sql: str, width: int | None = None, of_agents: bool = False) -> Panel:
    return BarGauge(
        name=name,
        title=title,
        description=description,
        targets=(SqlQuery(sql=sql),),
        width=width,
        unit="currencyUSD",
        decimals=2,
        minimum=0,
        no_value=NO_CALLS,
        every_row=True,
        of_agents=of_agents,
    )


def by_agent() -> Panel:
    filters_ = chosen_all(environment="environment", agent="agent")
    description = (
        "Cost of the calls of each agent: the eight dearest, the rest together. What each query costs is in the table below."
    )
    sql = _greatest("agent", "cost_analysis_summary", filters_, 8)
    return _bars("by_agent", "By agent", description, sql, of_agents=True)


def by_role() -> Panel:
    description = (
        "Cost by the role of the user who asked, as the platform knew it when the call was read. `unknown`: calls that "
        "belong to no execution, or to no user."
    )
    sql = _greatest("role", "user_group_costs", chosen_all(environment="environment"), 8)
    return _bars("by_role", "By user group", description, sql)


def by_department() -> Panel:
    description = (
        "Cost by the department of the user who asked, for charging it back; `unknown` stands apart: calls that belong to no "
        "execution, to no user, or to one without a department."
    )
    sql = _greatest("department", "user_group_costs", chosen_all(environment="environment"), 10)
    return _bars("by_department", "By users' department", description, sql, width=12)


def agents() -> Panel:
    filters_ = chosen_all(environment="environment", agent="agent")
    sql = f"""
WITH daily AS (
  SELECT agent, day, sum(executions) AS queries, sum(cost_usd) AS cost, sum(conversation_cost_usd) AS talked,
         sum(conversations) AS conversations, sum(goals_achieved) AS goals, sum(tokens) AS tokens
  FROM analytics.cost_analysis_summary
  WHERE (({DAYS}) OR ({DAYS_BEFORE})) AND {filters_}
  GROUP BY agent, day HAVING sum(calls) > 0
), now AS (
  SELECT agent, count(*) AS days, sum(queries)::float8 AS queries, sum(cost) AS cost, sum(talked) AS talked,
         sum(conversations)::float8 AS conversations, sum(goals)::float8 AS goals, sum(tokens)::float8 AS tokens
  FROM daily WHERE {DAYS} GROUP BY agent
), before AS (
  SELECT agent, count(*) AS days, sum(queries)::float8 AS queries, sum(cost) AS cost
  FROM daily WHERE {DAYS_BEFORE} GROUP BY agent
)
SELECT n.agent, n.queries, n.cost, n.cost / nullif(n.queries, 0) AS query,
       n.talked / nullif(n.conversations, 0) AS conversation, n.talked / nullif(n.goals, 0) AS success,
       n.tokens / nullif(n.queries, 0) AS tokens,
       (n.cost / nullif(n.queries, 0)) / nullif(b.cost / nullif(b.queries, 0), 0) - 1 AS change,
       n.cost / nullif(sum(n.cost) OVER (), 0) AS share
FROM now n LEFT JOIN before b ON b.agent = n.agent AND b.days >= n.days - 1
ORDER BY n.cost DESC, n.agent
LIMIT 200
""".strip()
    headings = {
        "agent": "Agent", "cost": "Cost", "share": "Share", "queries": "Queries", "query": "Query",
        "change": "Change", "conversation": "Conversation", "success": "Success", "tokens": "Tokens",
    }  # fmt: skip
    money = {"unit": "currencyUSD"}
    return Table(
        name="agents",
        title="What agents cost",
        description=(
            "One row an agent, with the cost of a query, of a conversation, of a success, and the tokens of a query. Change "
            "is that of the cost of a query, as chosen above. Dear for each success but not for each query: the "
            "agent fails often. Many tokens a query: its context is long. The agent's name leads to all else about it."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value=NO_CALLS,
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            named(
                "Agent",
                links=[narrowing_link("All about this agent", "one-agent", "agent", "${__value.raw}", ("environment",))],
            ),
            named("Cost", **money, decimals=2),
            named("Share", unit="percentunit", decimals=0, min=0, max=1, custom_cellOptions=BAR_CELL),
            named("Queries", unit="locale", decimals=0),
            *(named(column, **money, decimals=4, mappings=UNPRICED) for column in ("Query", "Conversation", "Success")),
            named("Change", unit="percentunit", decimals=1),
            named("Conversation", custom_width=115),
            named("Tokens", unit="locale", decimals=0),
        ),
    )
