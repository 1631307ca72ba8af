"""How long customers wait: for the first answer, for the resolution, and where the time goes."""

from __future__ import annotations

from contract.labels import PRIORITIES
from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.field import lines, named, painted
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart
from dashboards.lib.tables import NARROW, Table, columns
from dashboards.tickets.rows import PRIORITY

HOURS = "suffix:h"
"""For axes: their marks stand at whole hours, which those of seconds do not."""
QUANTILES = {"median": colours.LOW, "nine in ten": colours.HIGH}
_PLACE = "array_position(ARRAY[{}], t.priority)".format(", ".join(f"'{name}'" for name in PRIORITIES))


def _by_day(end: str) -> str:
    """Exact quantiles, in hours, of the time from the opening of a ticket to `end`, by the day (UTC) of the latter."""
    hours = f"extract(epoch FROM t.{end} - t.created_at) / 3600"
    return f"""
SELECT date_trunc('day', t.{end}, 'UTC') AS "time",
       percentile_cont(0.5) WITHIN GROUP (ORDER BY {hours}) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY {hours}) AS "nine in ten"
FROM analytics.tickets t
WHERE $__timeFilter(t.{end}) AND {PRIORITY}
GROUP BY 1
ORDER BY 1
""".strip()


def response(settings: Settings) -> Panel:
    limit = settings.thresholds.first_response_seconds
    return TimeSeries(
        name="response_by_day",
        title="Time to the first response, by day",
        description=(
            "Half, and nine in ten, of the tickets first answered on a day (UTC) had been answered within these times. The "
            "line is the limit of the alert on urgent tickets: choose them above to compare. Only the upper one rises: "
            "nights and weekends."
        ),
        targets=(SqlQuery(sql=_by_day("first_response_at"), format="time_series"),),
        unit=HOURS,
        minimum=0,
        no_value="none answered in range",
        limits=lines((limit / 3600, colours.DEGRADED)),
        drawn="dashed",
        calculations=("mean", "max"),
        overrides=painted(QUANTILES),
    )


def resolution() -> Panel:
    return TimeSeries(
        name="resolution_by_day",
        title="Time to the resolution, by day",
        description=(
            "The same for tickets resolved on a day (UTC), from their opening to their last resolution. It rises while the "
            "first response does not: tickets wait for somebody outside support."
        ),
        targets=(SqlQuery(sql=_by_day("resolved_at"), format="time_series"),),
        unit=HOURS,
        minimum=0,
        no_value="none resolved in range",
        calculations=("mean", "max"),
        overrides=painted(QUANTILES),
    )


_SECONDS = "extract(epoch FROM t.resolved_at - t.created_at)"
_GROUPED = f"""
SELECT CASE ${{by:sqlstring}} WHEN 'category' THEN coalesce(nullif(t.category, ''), 'no category')
                              WHEN 'status' THEN replace(t.status, '_', ' ') ELSE t.priority END AS "Of",
       avg({_SECONDS} / 3600)::float8 AS mean,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY {_SECONDS} / 3600) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY {_SECONDS} / 3600) AS "nine in ten"
FROM analytics.tickets t
WHERE $__timeFilter(t.resolved_at) AND {PRIORITY}
GROUP BY 1
ORDER BY CASE ${{by:sqlstring}} WHEN 'priority' THEN min({_PLACE}) END, 4 DESC
LIMIT 12
""".strip()


def grouped() -> Panel:
    return BarChart(
        name="resolution_by",
        title="Time to the resolution by $by",
        description=(
            "Mean, median and what nine in ten stay below, of the tickets resolved in the range. Choose above what to break it "
            "down by. A mean far above the median: a few tickets take for ever; see the oldest open ones."
        ),
        targets=(SqlQuery(sql=_GROUPED),),
        unit=HOURS,
        minimum=0,
        no_value="none resolved in range",
        x="Of",
        values_shown="never",
        overrides=painted({"mean": colours.GREY, **QUANTILES}),
    )


_TABLE = f"""
SELECT t.priority, replace(t.status, '_', ' ') AS status, count(*)::float8 AS tickets, avg({_SECONDS})::float8 AS mean,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY {_SECONDS}) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY {_SECONDS}) AS p90
FROM analytics.tickets t
WHERE $__timeFilter(t.resolved_at) AND {PRIORITY}
GROUP BY t.priority, t.status
ORDER BY min({_PLACE}) DESC, t.status
LIMIT 50
""".strip()


def table() -> Panel:
    headings = {
        "priority": "Priority", "status": "Status", "tickets": "Tickets", "mean": "Mean", "median": "Median",
        "p90": "9 in 10",
    }  # fmt: skip
    return Table(
        name="resolution_table",
        title="Time to the resolution by priority and status",
        description=(
            "Of the tickets resolved in the range, by what they are now: resolved ones wait to be closed, and those in an open "
            "status were opened again and kept their time of resolution."
        ),
        targets=(SqlQuery(sql=_TABLE),),
        no_value="none resolved in range",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Tickets", unit="locale", decimals=0, custom_width=60),
            *(named(column, unit="s", decimals=1, custom_width=94) for column in ("Mean", "Median", "9 in 10")),
        ),
    )


_STAGES = f"""
SELECT s.priority AS "Priority",
       (sum(s.hours) FILTER (WHERE s.status = 'open') / count(DISTINCT s.id))::float8 AS "not yet answered",
       (sum(s.hours) FILTER (WHERE s.status = 'in_progress') / count(DISTINCT s.id))::float8 AS "worked on",
       (sum(s.hours) FILTER (WHERE s.status = 'waiting') / count(DISTINCT s.id))::float8 AS "waiting for the customer"
FROM (
  SELECT t.id, t.priority, e.to_status AS status,
         extract(epoch FROM lead(e.at) OVER (PARTITION BY t.id ORDER BY e.at) - e.at) / 3600 AS hours
  FROM analytics.tickets t
  JOIN analytics.ticket_events e ON e.ticket_id = t.id
  WHERE $__timeFilter(t.resolved_at) AND {PRIORITY}
) s
GROUP BY s.priority
ORDER BY min({_PLACE.replace("t.priority", "s.priority")})
LIMIT 10
""".strip()


def stages() -> Panel:
    return BarChart(
        name="stages",
        title="Where does a ticket's time go?",
        description=(
            "Of the tickets resolved in the range: how long they stood open, were in progress and waited for the customer, "
            "per ticket, every round counted. Customers wait in the first two. Waiting grows: ask for everything in the "
            "first answer."
        ),
        targets=(SqlQuery(sql=_STAGES),),
        unit=HOURS,
        minimum=0,
        no_value="the platform keeps no history of tickets (relation ticket_events), or none was resolved in range",
        x="Priority",
        direction="horizontal",
        stacking="normal",
        values_shown="never",
        overrides=painted(
            {"not yet answered": colours.AMBER, "worked on": colours.BLUE, "waiting for the customer": colours.GREY}
        ),
    )
