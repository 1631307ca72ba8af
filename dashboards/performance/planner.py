"""When agents will be full: the busiest hour of each day, where that leads, and what is left."""

from __future__ import annotations

from alert_rules import catalogue
from contract.settings import Settings
from contract.signals.agents import AGENT_CAPACITY, AGENT_QUERIES, CAPACITY_USED
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, Word, at_most, fixed, named, special, words
from dashboards.lib.filters import acting, chosen, chosen_all
from dashboards.lib.firing import alerts, since
from dashboards.lib.graphs import Trend
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask
from dashboards.lib.spending import whole_days
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, MERGED, NARROW, Table, columns
from dashboards.performance.fleet import BY_AGENTS, NOW
from dashboards.performance.places import one_agent
from recording_rules.forecast import CAPACITY_LEFT

BACK, AHEAD = 28, 14
"""Days that the trend is drawn through, and days that it is drawn into the future."""
PLAN = """
WITH hours AS (
  SELECT m.hour, sum(m.executions) / 3600.0 AS rps FROM analytics.trace_metrics_hourly m
  WHERE m.hour >= date_trunc('day', $__timeTo()::timestamptz, 'UTC') - {back_days}
    AND m.hour < date_trunc('day', $__timeTo()::timestamptz, 'UTC') AND {chosen_rows}
  GROUP BY 1
), days AS (
  SELECT extract(day FROM date_trunc('day', h.hour, 'UTC') - date_trunc('day', $__timeTo()::timestamptz, 'UTC'))::int AS day,
    max(h.rps)::float8 AS rps
  FROM hours h GROUP BY 1
), line AS (
  SELECT regr_slope(d.rps, d.day) AS slope, regr_intercept(d.rps, d.day) AS start FROM days d
), season AS (
  SELECT ((d.day % 7) + 7) % 7 AS weekday, avg(d.rps - line.start - line.slope * d.day) AS shift FROM days d, line GROUP BY 1
), room AS (
  SELECT sum(newest.rps)::float8 AS rps FROM (
    SELECT DISTINCT ON (c.scope) c.scope, c.rps FROM analytics.capacity_limits c
    WHERE c.valid_from <= $__timeTo() AND {chosen_limits} ORDER BY c.scope, c.valid_from DESC
  ) newest
)
SELECT axis.day::float8 AS day, d.rps AS busiest, greatest(line.start + line.slope * axis.day, 0) AS trend,
  CASE WHEN axis.day >= -1 THEN greatest(line.start + line.slope * axis.day + s.shift, 0) END AS expected,
  room.rps AS "limit", room.rps * {warning} AS "warning"
FROM generate_series(-{back}, {ahead}) AS axis (day) CROSS JOIN line CROSS JOIN room
LEFT JOIN days d ON d.day = axis.day
LEFT JOIN season s ON s.weekday = ((axis.day % 7) + 7) % 7
WHERE EXISTS (SELECT FROM days)
ORDER BY 1
""".strip()
_DASHED = {"fill": "dash", "dash": [8, 4]}


def plan(settings: Settings) -> Panel:
    warning = settings.thresholds.capacity_ratio
    text = PLAN.format(
        back=BACK,
        back_days=whole_days(BACK),
        ahead=AHEAD,
        chosen_rows=chosen_all(environment="m.environment", agent="m.agent", version="m.version"),
        chosen_limits=chosen("c.scope", "agent"),
        warning=f"{warning:g}",
    )
    return Trend(
        name="capacity_plan",
        title=f"Where the busiest hours lead: {BACK} days back, {AHEAD} days ahead",
        description=(
            f"The busiest hour of each whole day (UTC) in executions per second, a straight line through these {BACK} days "
            "(least squares), and what is expected: the line with the usual difference of the weekday. The limit is the sum "
            f"of what the chosen agents may take; the warning is at {warning:.0%} of it. The scale is logarithmic; day 0 is "
            "the end of the range. The expectation meets the warning: plan for more now."
        ),
        targets=(SqlQuery(sql=text),),
        width=14,
        unit="reqps",
        x="day",
        logarithmic=True,
        soft_minimum=0.001,
        no_value="no whole day in the roll-ups",
        overrides=(
            named("day", unit="none", custom_axisLabel="days from the end of the range"),
            named("busiest", displayName="busiest hour", color=fixed(colours.BLUE), custom_fillOpacity=20),
            named("trend", color=fixed(colours.GREY), custom_lineStyle=_DASHED),
            named("expected", color=fixed(colours.PURPLE), custom_lineStyle=_DASHED, custom_lineWidth=2),
            named("limit", color=fixed(colours.RED)),
            named("warning", color=fixed(colours.AMBER)),
        ),
        calculations=("max",),
        legend_placement="right",
    )


def room(settings: Settings) -> Panel:
    limits = settings.thresholds
    with acting(("environment", "agent")):
        day, hour = (f'agent:queries_peak:max1{unit}{{environment=~"$environment",agent=~"$agent"}}' for unit in "dh")
        peak = f"max by (environment, agent) ({hour} > {day} or {day})"  # that of the day is half an hour late
        asked = (ask(AGENT_QUERIES, BY_AGENTS, NOW), peak, ask(AGENT_CAPACITY, BY_AGENTS), ask(CAPACITY_USED, BY_AGENTS, NOW),
                 ask(CAPACITY_LEFT, BY_AGENTS))  # fmt: skip
    headings = {
        "agent": "Agent", "environment": "Environment", "Value #A": "Now", "Value #B": "Peak, 1 d", "Value #C": "Limit",
        "Value #D": "Used now", "Value #E": "Lasts",
    }  # fmt: skip
    lasts = Thresholds(colours.DOWN, ((limits.capacity_left_seconds, colours.OK),))
    return Table(
        name="capacity_room",
        title="How much room does each agent have?",
        description=(
            "Queries per second now and at the peak of the last day, the configured limit, and how long it lasts as the "
            f"daily peak grew in the last week; red below {limits.capacity_left_seconds / 86400:g} days, where the alert "
            "begins. A dash: it does not grow."
        ),
        targets=tuple(PromQuery(expr=expr, format="table", instant=True) for expr in asked),
        no_value="no limit configured",
        transformations=(MERGED, *columns(headings)),
        overrides=(
            named("Agent", custom_width=110, links=[one_agent("${__value.raw}")]),
            named("Environment", custom_width=125),
            *(named(name, unit="reqps", decimals=3, custom_width=110) for name in ("Now", "Peak, 1 d")),
            named("Limit", unit="reqps", decimals=1, custom_width=90),
            named("Used now", unit="percentunit", decimals=1, min=0, max=1, custom_cellOptions=BAR_CELL,
                  thresholds=at_most(limits.capacity_ratio, limits.capacity_ratio_critical).to_json_data()),
            named("Lasts", unit="s", decimals=0, custom_width=110, thresholds=lasts.to_json_data(),
                  custom_cellOptions=COLOURED_TEXT, mappings=special("null+nan", Word("–", colours.GREY))),
        ),
        sorted_by="Used now",
        paged=True,
    )  # fmt: skip


def warnings() -> Panel:
    about = "|".join(alert.name for alert in catalogue.ALERTS if "Capacity" in alert.name)
    headings = {"alertname": "Alert", "severity": "Severity", "agent": "Agent", "environment": "Environment", "Value": "Since"}
    severity = words({"critical": Word("critical", colours.DOWN), "warning": Word("warning", colours.DEGRADED)})
    return Table(
        name="capacity_alerts",
        title="Capacity alerts that fire",
        description="Alerts on full agents, and on agents that will be full within the week; each message says what to do.",
        targets=(PromQuery(expr=since(alerts("firing", f'alertname=~"{about}"')), format="table", instant=True),),
        width=10,
        no_value="no capacity alert fires",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Severity", custom_width=80, custom_cellOptions=COLOURED_TEXT, mappings=severity),
            named("Environment", custom_width=100),
            named("Since", unit="dateTimeFromNow"),
        ),
    )
