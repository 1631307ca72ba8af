"""What is asked of the agents in the days to come: queries, their time, and the busiest hours against the limits."""

from __future__ import annotations

from contract.forecasts import CAPACITY, HORIZON_DAYS, METHODS, MOST_AGENTS, NONE
from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.ahead import TOO_FEW, TRIED, ahead
from dashboards.lib.field import Word, at_most, named, words
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import BAR_CELL, NARROW, Table, columns
from dashboards.performance.places import one_agent


def queries() -> Panel:
    return ahead(
        "queries",
        "queries_ahead",
        "Queries by day, and in the next 30",
        "Queries that ended on each whole day (UTC), of all agents and environments, and how many are expected.",
    )


def latency() -> Panel:
    return ahead(
        "latency",
        "latency_ahead",
        "95th percentile by day, and in the next 30",
        "Time of 95 % of each day's queries, of all agents and environments, and what is expected when it goes on as it did: "
        "a release is not known here.",
    )


def busiest(settings: Settings) -> Panel:
    warning = settings.thresholds.capacity_ratio
    sql = f"""
WITH room AS (
  SELECT DISTINCT ON (c.scope) c.scope, c.rps FROM analytics.capacity_limits c
  WHERE c.valid_from <= $__timeTo() ORDER BY c.scope, c.valid_from DESC
), days AS (
  SELECT f.series, max(f.value) AS expected, max(f.high) AS high, max(f.value / r.rps) AS used,
         min(f.at) FILTER (WHERE f.high >= r.rps * {warning:g}) AS possible
  FROM analytics.forecasts f JOIN room r ON f.series = '{CAPACITY}' || r.scope GROUP BY f.series
)
SELECT r.scope AS agent, r.rps AS "limit", d.expected, d.high, d.used, d.possible, t.share, t.covered, t.method, t.days
FROM analytics.forecast_trials t JOIN room r ON t.series = '{CAPACITY}' || r.scope LEFT JOIN days d ON d.series = t.series
WHERE t.used
ORDER BY d.used DESC NULLS LAST, r.scope
LIMIT 20
""".strip()
    headings = {
        "agent": "Agent", "expected": "Busiest hour", "high": "At most", "limit": "Limit", "used": "Used then",
        "possible": "Warning from", "share": "Error", "covered": "Within", "method": "By", "days": "Days",
    }  # fmt: skip
    method = {**{key: Word(text) for key, text in METHODS.items()}, NONE: Word(TOO_FEW, colours.UNKNOWN)}
    limits = at_most(settings.thresholds.capacity_ratio, settings.thresholds.capacity_ratio_critical)
    return Table(
        name="busiest_ahead",
        title=f"Busiest hours of the next {HORIZON_DAYS} days, against the limits",
        description=(
            f"Of the {MOST_AGENTS} agents that came nearest to their limit in four weeks: executions per second in the busiest "
            f"hour that is expected, and at most; what that is of the limit; and the first day on which it may reach "
            f"{warning:.0%} of it, where the alert begins (empty: on none). {TRIED}"
        ),
        targets=(SqlQuery(sql=sql),),
        no_value="no agent with a limit, or no forecast yet",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Agent", custom_width=110, links=[one_agent("${__value.raw}")]),
            *(named(name, unit="reqps", decimals=3, custom_width=88) for name in ("Busiest hour", "At most")),
            named("Limit", unit="reqps", decimals=1, custom_width=76),
            named("Used then", unit="percentunit", decimals=1, min=0, max=1, custom_cellOptions=BAR_CELL,
                  thresholds=limits.to_json_data()),
            named("Warning from", unit="time: MM-DD", custom_width=76),
            *(named(name, unit="percentunit", decimals=0, custom_width=62) for name in ("Error", "Within")),
            named("By", custom_width=220, mappings=words(method)),
            named("Days", unit="none", decimals=0, custom_width=56),
        ),
    )  # fmt: skip
