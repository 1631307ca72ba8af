"""Day by day: whether goals were reached, how quickly answers came, what a conversation cost and how many tokens it took."""

from __future__ import annotations

from contract.buckets import AGENT
from contract.definitions import DEFINITIONS
from contract.settings import Settings
from dashboards.agents.headline import COST, NO_TRAFFIC, RESPONSE, SUCCESS, where
from dashboards.lib import colours
from dashboards.lib.field import PLAIN, Thresholds, lines, painted
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart
from dashboards.lib.spending import quantiles

_PERCENTILES = {"p50": colours.LOW, "p95": colours.MIDDLE, "p99": colours.HIGH, "mean": colours.GREY}


def _daily(columns: str, of: str) -> SqlQuery:
    """Figures by day, of the days that have any of what they are about."""
    sql = f"""
SELECT day AS "time", {columns}
FROM analytics.agent_daily
WHERE {where()}
GROUP BY day
HAVING sum({of}) > 0
ORDER BY day
""".strip()
    return SqlQuery(sql=sql, format="time_series")


def _graph(
    name: str, title: str, description: str, query: SqlQuery, unit: str, limits: Thresholds, **more: object
) -> Panel:
    return TimeSeries(
        name=name,
        title=title,
        description=f"{description} By day (UTC); the newest one is not full yet.",
        targets=(query,),
        unit=unit,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=limits,
        drawn="dashed",
        calculations=("lastNotNull", "mean"),
        **more,  # type: ignore[arg-type]
    )


def success(settings: Settings) -> Panel:
    target = settings.thresholds.success_ratio
    handed = "sum(handoffs)::float8 / nullif(sum(ended), 0)"
    return _graph(
        "success_by_day",
        f"Goals reached (target {target:.0%})",
        f"Success: {DEFINITIONS['success_ratio'].formula}. Handed over: {DEFINITIONS['handoff_ratio'].formula}. Success falls "
        "and handoffs rise: agents lost something, see the reasons below; both fall: people leave.",
        _daily(f'{SUCCESS} AS success, {handed} AS "handed over"', "ended"),
        "percentunit",
        lines((target, colours.DOWN)),
        maximum=1,
        overrides=painted({"success": colours.BLUE, "handed over": colours.AMBER}),
    )


def response(settings: Settings) -> Panel:
    limits = settings.thresholds
    sql = f"""
SELECT day AS "time", p50, p95, p99, mean
FROM ({quantiles("agent_daily", "day", (50, 95, 99), where(), bounds=AGENT)}) quick
JOIN (SELECT day, {RESPONSE} AS mean FROM analytics.agent_daily WHERE {where()} GROUP BY day) whole USING (day)
WHERE p50 IS NOT NULL
ORDER BY day
""".strip()
    return _graph(
        "response_by_day",
        f"Time to answer (alert: p95 {limits.response_seconds:g} s)",
        "Half, 95 % and 99 % of the queries of a day took at most so long; the grey line is their mean, with "
        f"{limits.target_response_seconds:g} s for a target. Only p99 rises: a few requests; all rise: something that all "
        "need.",
        SqlQuery(sql=sql, format="time_series"),
        "s",
        lines((limits.target_response_seconds, colours.GREY), (limits.response_seconds, colours.DOWN)),
        overrides=painted(_PERCENTILES),
    )


def cost(settings: Settings) -> Panel:
    target = settings.thresholds.target_conversation_usd
    return _graph(
        "cost_by_day",
        f"Cost of a conversation (target ${target:.2f})",
        f"{DEFINITIONS['cost_per_conversation'].formula}. A step that stays is a prompt, a model or longer conversations: "
        "compare with its tokens below.",
        _daily(f"{COST} AS conversation", "conversation_cost_usd"),
        "currencyUSD",
        lines((target, colours.DOWN)),
        overrides=painted({"conversation": colours.BLUE}),
    )


def tokens() -> Panel:
    return _graph(
        "tokens_by_day",
        "Per conversation, by day",
        "Tokens of model calls / conversations that began. They rise and the calls do not: prompts or histories grow.",
        _daily("sum(tokens)::float8 / nullif(sum(conversations), 0) AS mean", "tokens"),
        "locale",
        PLAIN,
        decimals=0,
        overrides=painted({"mean": colours.BLUE}),
    )


def tokens_spread() -> Panel:
    sql = f"""
WITH talked AS (
  SELECT sum(c.input_tokens)::float8 AS input, sum(c.output_tokens)::float8 AS output,
         sum(c.input_tokens + c.output_tokens)::float8 AS total
  FROM analytics.llm_calls c
  WHERE $__timeFilter(c.started_at) AND c.conversation_id IS NOT NULL
    AND {chosen_all(environment="c.environment", agent="c.agent", model="c.model")}
  GROUP BY c.conversation_id
)
SELECT kind AS "Tokens", mean, p95
FROM (SELECT avg(input) AS mi, percentile_cont(0.95) WITHIN GROUP (ORDER BY input) AS pi, avg(output) AS mo,
             percentile_cont(0.95) WITHIN GROUP (ORDER BY output) AS po, avg(total) AS mt,
             percentile_cont(0.95) WITHIN GROUP (ORDER BY total) AS pt
      FROM talked HAVING count(*) > 0) f,
     LATERAL (VALUES ('input', mi, pi), ('output', mo, po), ('total', mt, pt)) AS v (kind, mean, p95)
""".strip()
    return BarChart(
        name="tokens_spread",
        title="Per conversation",
        description=(
            "Input, output and all tokens that the model calls of the last day took for one conversation: the mean, and what "
            "95 % of conversations do not exceed. A p95 far above the mean: a few go on and on; sum their history up."
        ),
        targets=(SqlQuery(sql=sql),),
        unit="short",
        decimals=0,
        no_value="no model calls in a day",
        x="Tokens",
        direction="vertical",
        values_shown="always",
        value_size=10,
        always_last="24h",
        overrides=painted({"mean": colours.SKY, "p95": colours.BLUE}),
    )
