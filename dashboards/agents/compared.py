"""Agents beside each other: one row each, and bars for what is asked most often."""

from __future__ import annotations

from contract.buckets import AGENT
from contract.settings import Settings
from dashboards.agents.attention import KEPT
from dashboards.agents.headline import COST, NO_TRAFFIC, SUCCESS, where
from dashboards.feedback.given import given
from dashboards.lib import colours
from dashboards.lib.agent_bars import WHOLE, AgentBars
from dashboards.lib.field import Thresholds, at_least, at_most, lines, named, narrowing_link
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import UNPRICED, quantiles
from dashboards.lib.tables import COLOURED_TEXT, NARROW, Table, columns

MOST = 12


def table(settings: Settings) -> Panel:
    limits = settings.thresholds
    sql = f"""
WITH used AS (
  SELECT agent, sum(executions)::float8 AS queries, {SUCCESS} AS success,
         sum(failed)::float8 / nullif(sum(executions), 0) AS errors, {COST} AS cost,
         sum(tokens)::float8 / nullif(sum(conversations), 0) AS tokens,
         sum(handoffs)::float8 / nullif(sum(ended), 0) AS handoffs,
         sum(positive)::float8 / nullif(sum(positive + negative), 0) AS thumbs
  FROM analytics.agent_daily WHERE {where()} AND agent <> '' GROUP BY agent
), rated AS (
  SELECT c.agent_id, avg(f.rating)::float8 AS stars
  {given()} AND f.rating BETWEEN 1 AND 5
  GROUP BY c.agent_id
)
SELECT agent, queries, success, errors, p95, cost, tokens, handoffs, thumbs, stars
FROM used LEFT JOIN ({quantiles("agent_daily", "agent", (95,), where(), bounds=AGENT)}) quick USING (agent)
LEFT JOIN (SELECT a.name AS agent, r.stars FROM rated r JOIN analytics.agents a ON a.id = r.agent_id) r USING (agent)
ORDER BY queries DESC, agent
LIMIT 200
""".strip()
    headings = {
        "agent": "Agent", "queries": "Queries", "success": "Success", "errors": "Errors", "p95": "p95", "cost": "Cost",
        "tokens": "Tokens", "handoffs": "Handoffs", "thumbs": "Thumbs", "stars": "Stars",
    }  # fmt: skip

    too_many = at_most(limits.error_ratio, limits.error_ratio_critical)

    def painted(thresholds: Thresholds) -> dict[str, object]:
        return {"thresholds": thresholds.to_json_data(), "custom_cellOptions": COLOURED_TEXT}

    return Table(
        name="compared",
        title="Which agent does best?",
        description=(
            "One row an agent, on the days of the range: queries, goals reached, queries that failed, how long 95 % took at "
            "most, cost and tokens of a conversation, share handed over, thumbs up and mean stars. Red is "
            "beyond the alert's limit or the target. A click on a heading sorts, one on an agent opens it. Dear and no better "
            "than another: try that one's model."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value=NO_TRAFFIC,
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            named("Agent", custom_width=110,
                  links=[narrowing_link("This agent in detail", "one-agent", "agent", "${__value.raw}", KEPT)]),
            named("Queries", unit="locale", decimals=0),
            named("Success", unit="percentunit", decimals=1, **painted(at_least(limits.success_ratio))),
            named("Errors", unit="percentunit", decimals=1, **painted(too_many)),
            named("p95", unit="s", **painted(at_most(limits.response_seconds))),
            named("Cost", unit="currencyUSD", decimals=4, mappings=UNPRICED,
                  **painted(at_most(limits.target_conversation_usd))),
            named("Tokens", unit="locale", decimals=0),
            *(named(name, unit="percentunit", decimals=0) for name in ("Handoffs", "Thumbs")),
            named("Stars", unit="none", decimals=2),
        ),
    )  # fmt: skip


def _bars(
    name: str, title: str, description: str, figure: str, of: str, unit: str, decimals: int, worst: str,
    *marked: tuple[float, str],
) -> Panel:  # fmt: skip
    sql = f"""
SELECT agent, {figure} AS value
FROM analytics.agent_daily WHERE {where()} AND agent <> ''
GROUP BY agent HAVING sum({of}) > 0 ORDER BY 2 {worst}, 1 LIMIT {MOST}
""".strip()
    return AgentBars(
        name=name,
        title=title,
        description=f"{description} Of the days of the range; the {MOST} weakest first. The line is that limit.",
        targets=(SqlQuery(sql=sql),),
        unit=unit,
        decimals=decimals,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines(*marked),
        maximum=WHOLE if unit == "percentunit" else None,
        soft_maximum=max(value for value, _ in marked) * 1.15,
        data_links=(narrowing_link("This agent in detail", "one-agent", "agent", "${__data.fields.agent}", KEPT),),
    )  # fmt: skip


def success(settings: Settings) -> Panel:
    target = settings.thresholds.success_ratio
    text = f"Conversations that reached their goal / those with a known goal; {target:.0%} is the target."
    return _bars("success_bars", "Success by agent", text, SUCCESS, "goals_achieved + goals_missed", "percentunit", 1,
                 "ASC", (target, colours.DOWN))  # fmt: skip


def cost(settings: Settings) -> Panel:
    target = settings.thresholds.target_conversation_usd
    text = f"Cost of model calls with a conversation / conversations; {target:.2f} USD is the target."
    return _bars("cost_bars", "Cost of a conversation by agent", text, COST, "conversations", "currencyUSD", 4,
                 "DESC NULLS LAST", (target, colours.DEGRADED))  # fmt: skip
