"""What makes executions long: their duration against the tokens and the tools that they used."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.executions.live import NO_TRAFFIC
from dashboards.lib import colours
from dashboards.lib.executions import ALL_FILTERS, SECONDS, ended, percentile
from dashboards.lib.field import Override, lines, named, painted
from dashboards.lib.graphs import Trend
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery

_PARTS = 12
MOST_TOOLS = 8
"""Executions with more tool calls are few, and stand with those that have so many."""
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
    return _against(
        "duration_by_tokens",
        "Do more tokens take longer?",
        "Executions of the range in twelve parts of equal number, from few tokens to many; each stands at its most tokens with "
        "the half and 95 % of its durations. A line that climbs: prompts and answers cost time, so shorten the context; a flat "
        "one: the time goes elsewhere, see what the tools take. Executions whose tokens nobody counted are not there. "
        f"{ALL_FILTERS}",
        sql,
        named("tokens", displayName="tokens of an execution, up to", unit="locale", decimals=0),
        settings,
    )


def by_tools(settings: Settings) -> Panel:
    sql = f"""
WITH x AS (
  {ended(SECONDS, f"least(e.tool_count, {MOST_TOOLS}) AS tools")}
)
SELECT x.tools::float8 AS tools, {_TIMES}, count(*)::float8 AS executions
FROM x
GROUP BY x.tools
ORDER BY 1
""".strip()
    return _against(
        "duration_by_tools",
        "How much time do tools cost?",
        f"The half and 95 % of the durations of executions by their number of tool calls; the last point holds {MOST_TOOLS} "
        "and more. The step from one number to the next is what one more call costs: where it is steep, let agents call side "
        f"by side, or give them one tool that does both. {ALL_FILTERS}",
        sql,
        named("tools", displayName="tool calls of an execution", unit="none"),
        settings,
    )


def _against(name: str, title: str, description: str, sql: str, axis: Override, settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    return Trend(
        name=name,
        title=title,
        description=description,
        targets=(SqlQuery(sql=sql),),
        unit="s",
        minimum=0,
        x=axis.options,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        overrides=(
            axis,
            *painted({"p50": colours.LOW, "p95": colours.MIDDLE}),
            named("executions", unit="locale", decimals=0, custom_hideFrom={"legend": True, "tooltip": False, "viz": True}),
        ),
    )
