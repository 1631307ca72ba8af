"""Tools that agents call, and the external interfaces behind them."""

from __future__ import annotations

from psycopg import sql

from contract.settings import Settings
from contract.status import SUCCESS, sql_normalise
from dashboards.executions.live import NO_TRAFFIC
from dashboards.lib.executions import TIME_BUCKET, percentile
from dashboards.lib.field import at_least, named
from dashboards.lib.figures import BarGauge
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import COLOURED_TEXT, Table, columns

_STATUS = sql_normalise("u.status")
_MOST = 15
_FILTERS = "Filtered through the execution that called the tool; the status is the tool's."


def called(*columns_: str, where: str = "true") -> str:
    """SELECT of `columns_` (of `u`, a tool call, and `e`, its execution) of the calls that began in the range."""
    filters = chosen_all(environment="e.environment", agent="e.agent_name", version="e.version", status=_STATUS)
    return (
        f"SELECT {', '.join(columns_)}\n  FROM analytics.tool_usage_metrics u\n"
        "  JOIN analytics.agent_executions e ON e.execution_id = u.execution_id\n"
        f"  WHERE $__timeFilter(u.start_time) AND u.duration_ms IS NOT NULL AND {where}\n"
        "    AND e.start_time BETWEEN $__timeFrom()::timestamptz - interval '1 hour' AND $__timeTo()::timestamptz\n"
        f"    AND {filters}"
    )


def frequency() -> Panel:
    return BarGauge(
        name="tool_calls",
        title=f"Calls by tool ({_MOST} most called)",
        description=(
            f"Calls of each tool in the range. A tool that nobody calls can go; one that leads should be quick. {_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {called("u.tool_name AS tool")}
)
SELECT x.tool, count(*)::float8 AS calls FROM x GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_MOST}
""".strip()
            ),
        ),
        width=7,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_TRAFFIC,
        every_row=True,
    )


def table(settings: Settings) -> Panel:
    target = at_least(1 - settings.thresholds.tool_error_ratio).to_json_data()
    headings = {
        "tool": "Tool", "calls": "Calls", "success": "Success", "p50": "p50", "p95": "p95", "external": "External",
        "agents": "Agents",
    }  # fmt: skip
    return Table(
        name="tools",
        title="How well do tools work?",
        description=(
            "Calls of the range by tool: the share that succeeded, exact percentiles of their duration, the share of that time "
            "spent in external interfaces, and how many agents call it. Slow and mostly external: ask the other side, or "
            f"cache. {_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {called("u.tool_name AS tool", f"{_STATUS} = '{SUCCESS}' AS well", "u.duration_ms / 1000 AS seconds",
          "coalesce(u.api_response_time_ms, 0) / 1000 AS outside", "e.agent_name AS agent")}
)
SELECT x.tool, count(*)::float8 AS calls, avg(x.well::int)::float8 AS success,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY x.seconds))::float8 AS p50,
       (percentile_cont(0.95) WITHIN GROUP (ORDER BY x.seconds))::float8 AS p95,
       (sum(x.outside) / nullif(sum(x.seconds), 0))::float8 AS external, count(DISTINCT x.agent)::float8 AS agents
FROM x
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 200
""".strip()
            ),
        ),
        no_value=NO_TRAFFIC,
        transformations=columns(headings),
        paged=True,
        overrides=(
            named("Calls", unit="locale", decimals=0, custom_width=80),
            named("Success", unit="percentunit", decimals=1, thresholds=target, custom_cellOptions=COLOURED_TEXT,
                  custom_width=95),
            *(named(name, unit="s", custom_width=80) for name in ("p50", "p95")),
            named("External", unit="percentunit", decimals=0, custom_width=95),
            named("Agents", unit="none", decimals=0, custom_width=80),
        ),
    )  # fmt: skip


def interfaces(settings: Settings) -> Panel:
    target = at_least(1 - settings.thresholds.tool_error_ratio).to_json_data()
    headings = {
        "api": "Interface", "calls": "Calls", "well": "2xx", "refused": "4xx", "failed": "5xx", "answered": "Answered",
        "p50": "p50", "p95": "p95",
    }  # fmt: skip
    return Table(
        name="interfaces",
        title="External interfaces",
        description=(
            "Calls of external interfaces in the range by their status codes, the share that the other side answered (no 5xx), "
            f"and how long it took. 4xx are our own requests: look at what was sent. {_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {called("u.external_api_called AS api", "u.api_status_code AS code", "u.api_response_time_ms / 1000 AS seconds",
          where="u.external_api_called IS NOT NULL")}
)
SELECT x.api, count(*)::float8 AS calls, count(*) FILTER (WHERE x.code BETWEEN 200 AND 299)::float8 AS well,
       count(*) FILTER (WHERE x.code BETWEEN 400 AND 499)::float8 AS refused,
       count(*) FILTER (WHERE x.code >= 500)::float8 AS failed,
       (1 - avg((coalesce(x.code, 599) >= 500)::int))::float8 AS answered,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY x.seconds))::float8 AS p50,
       (percentile_cont(0.95) WITHIN GROUP (ORDER BY x.seconds))::float8 AS p95
FROM x
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 100
""".strip()
            ),
        ),
        width=14,
        no_value="no external call in range",
        transformations=columns(headings),
        paged=True,
        overrides=(
            *(named(name, unit="locale", decimals=0, custom_width=52) for name in ("Calls", "2xx", "4xx", "5xx")),
            named("Answered", unit="percentunit", decimals=1, thresholds=target, custom_cellOptions=COLOURED_TEXT,
                  custom_width=80),
            *(named(name, unit="s", custom_width=72) for name in ("p50", "p95")),
        ),
    )  # fmt: skip


def interface_cost(settings: Settings) -> Panel:
    prices = settings.interface_prices
    names = sql.SQL(", ").join(sql.Literal(price.name) for price in prices).as_string()
    amounts = ", ".join(repr(price.usd_per_call) for price in prices)
    known = ", ".join(f"{price.name} {price.usd_per_call:g} USD" for price in prices) or "none are configured"
    return BarGauge(
        name="interface_cost",
        title="What external calls cost",
        description=(
            f"Calls of the range x the price of one call, as `interface_prices` of `observatory.yaml` has it ({known}); an "
            f"interface without a price is not there; the {_MOST} dearest. One leads: cache its answers, or ask for a list "
            f"instead of single things. {_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {called("u.external_api_called AS api", where="u.external_api_called IS NOT NULL")}
)
SELECT x.api, (count(*) * p.usd)::float8 AS cost
FROM x JOIN unnest(ARRAY[{names}]::text[], ARRAY[{amounts}]::float8[]) AS p (api, usd) ON p.api = x.api
GROUP BY x.api, p.usd
ORDER BY 2 DESC, 1
LIMIT {_MOST}
""".strip()
            ),
        ),
        unit="currencyUSD",
        decimals=2,
        minimum=0,
        no_value="no priced call in range",
        every_row=True,
    )


def interface_times() -> Panel:
    return TimeSeries(
        name="interface_times",
        title="p95 of external interfaces",
        description=(
            "95 % of the calls of each interface that began then were answered within this time: exact, from the rows. One "
            f"rises: that provider; all rise: our network. {_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {
                    called(
                        "u.external_api_called AS api",
                        "u.start_time AS at",
                        "u.api_response_time_ms / 1000 AS seconds",
                        where="u.external_api_called IS NOT NULL AND u.api_response_time_ms IS NOT NULL",
                    )
                }
)
SELECT {TIME_BUCKET} AS "time", x.api AS metric, {percentile(0.95)}::float8 AS value
FROM x
GROUP BY 1, 2
ORDER BY 1, 2
""".strip(),
                format="time_series",
            ),
        ),
        unit="s",
        minimum=0,
        no_value="no external call in range",
        bridged=True,
        calculations=("mean", "max"),
        legend_placement="right",
    )
