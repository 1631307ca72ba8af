"""What makes executions long: their duration against the tokens and the tools that they used."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.executions.live import NO_TRAFFIC
from dashboards.lib import colours
from dashboards.lib.executions import ALL_FILTERS, SECONDS, ended, percentile
from dashboards.lib.field import Json, lines, named, painted
from dashboards.lib.graphs import Trend
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart

_PARTS = 12
MOST_TOOLS = 8
"""Executions with more tool calls are few, and stand with those that have so many."""
_LOOK = (
    *painted({"p50": colours.LOW, "p95": colours.MIDDLE}),
    named("executions", unit="locale", decimals=0, custom_hideFrom={"legend": True, "tooltip": False, "viz": True}),
)
_AS_WORDS: Json = {
    "id": "convertFieldType",
    "options": {"fields": {}, "conversions": [{"targetField": "tools", "destinationType": "string"}]},
}
"""Numbers that name bars: between two of them there is nothing."""
_TIMES = ", ".join(f'{percentile(share)}::float8 AS "p{share * 100:g}"' for share in (0.5, 0.95))


def by_tokens(settings: Settings) -> Panel:
    sql = f"""
WITH x AS (
  {ended(SECONDS, "e.tokens_used AS tokens", where="e.tokens_used > 0")}
), placed AS (
  SELECT x.*, ceil({_PARTS} * cume_dist() OVER (ORDER BY x.tokens)) AS place FROM x
)
SELECT max(x.tokens)::float8 AS tokens, {_TIMES}, count(*)::float8 AS executions
FROM placed x
GROUP BY x.place
ORDER BY 1
""".strip()
    return Trend(
        name="duration_by_tokens",
        title="Do more tokens take longer?",
        description=(
            "Executions of the range in twelve parts of equal number, from few tokens to many; each stands at its most tokens "
            "with the half and 95 % of its durations. A line that climbs: prompts and answers cost time, so shorten the "
            "context; a flat one: the time goes elsewhere, see what the tools take. Executions whose tokens nobody counted are "
            f"not there. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=sql),),
        unit="s",
        minimum=0,
        x="tokens",
        no_value=NO_TRAFFIC,
        limits=lines((settings.thresholds.response_seconds, colours.DOWN)),
        drawn="dashed",
        overrides=(named("tokens", displayName="tokens of an execution, up to", unit="locale"), *_LOOK),
    )


def by_tools() -> Panel:
    sql = f"""
WITH x AS (
  {ended(SECONDS, f"least(e.tool_count, {MOST_TOOLS}) AS tools")}
)
SELECT x.tools::float8 AS tools, {_TIMES}, count(*)::float8 AS executions
FROM x
GROUP BY x.tools
ORDER BY 1
""".strip()
    return BarChart(
        name="duration_by_tools",
        title="How much time do tools cost?",
        description=(
            "The half and 95 % of the durations of executions by their number of tool calls; the last bars hold "
            f"{MOST_TOOLS} and more. The step from one number to the next is what one more call costs: where it is steep, let "
            f"agents call side by side, or give them one tool that does both. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=sql),),
        unit="s",
        minimum=0,
        x="tools",
        no_value=NO_TRAFFIC,
        transformations=(_AS_WORDS,),
        overrides=(named("tools", unit="string", custom_axisLabel="tool calls of an execution"), *_LOOK),
    )
