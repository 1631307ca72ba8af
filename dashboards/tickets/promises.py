"""Service levels: how many tickets are served before they are due, which are late, and which soon will be."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.support import SLA_ATTAINMENT, TICKETS_AT_RISK, TICKETS_OVERDUE
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, at_least, at_most, lines, named, painted
from dashboards.lib.figures import Gauge, Stat
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask, series
from dashboards.lib.tables import COLOURED_TEXT, MERGED, NARROW, Table, columns
from dashboards.tickets.rows import NOT_COUNTED, OF_PRIORITY, OPEN, PRIORITY, PROMISES


def attainment(settings: Settings) -> Panel:
    target = settings.thresholds.sla_attainment
    return Gauge(
        name="attainment",
        title=f"SLA attainment, 30 d (target {target:.0%})",
        description=(
            f"{DEFINITIONS['sla_attainment'].formula}, of all priorities, in the 30 days before the end of the range, as the "
            "exporter counts it. First responses good and resolutions bad: tickets are seen, but wait for somebody else."
        ),
        targets=(series(SLA_ATTAINMENT, ("kind",), instant=True),),
        width=8,
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value=NOT_COUNTED,
        limits=at_least(target),
    )


_DAILY = f"""
SELECT date_trunc('day', coalesce(p.served, p.due), 'UTC') AS "time", p.kind AS metric,
       (count(*) FILTER (WHERE p.served <= p.due))::float8 / count(*) AS value
FROM (
{PROMISES}
) p
WHERE p.due IS NOT NULL AND ($__timeFilter(p.served) OR p.served IS NULL AND p.is_open AND $__timeFilter(p.due))
GROUP BY 1, 2
ORDER BY 1, 2
""".strip()


def attainment_by_day(settings: Settings) -> Panel:
    target = settings.thresholds.sla_attainment
    return TimeSeries(
        name="attainment_by_day",
        title=f"Served in time, by day (target {target:.0%})",
        description=(
            "The same by the day (UTC) on which tickets were served, or were due and are still open. Single bad days: look who "
            "was there. Below the line for weeks: the times promised do not fit the people there are."
        ),
        targets=(SqlQuery(sql=_DAILY, format="time_series"),),
        unit="percentunit",
        maximum=1,
        no_value="none due in range",
        limits=lines((target, colours.DOWN)),
        drawn="dashed",
        soft_minimum=0.5,
        calculations=("mean", "min"),
        overrides=painted({"first response": colours.SKY, "resolution": colours.BLUE}),
    )


def late(settings: Settings) -> Panel:
    limits, by = settings.thresholds, ("kind", "priority")
    asked = (ask(signal, by, "", OF_PRIORITY) for signal in (TICKETS_AT_RISK, TICKETS_OVERDUE))
    headings = {"kind": "Promise", "priority": "Priority", "Value #A": "Soon due", "Value #B": "Overdue"}
    return Table(
        name="late",
        title="Overdue and soon due",
        description=(
            "Open tickets that are not served and due within the hour, or past due, by what was promised. Alerts begin above "
            f"{limits.tickets_at_risk} and above {limits.tickets_overdue} of one kind and priority. Serve first responses "
            "first: a short one counts. The row 'What is due next?' names the tickets."
        ),
        targets=tuple(PromQuery(expr=expr, format="table", instant=True) for expr in asked),
        width=10,
        no_value=NOT_COUNTED,
        transformations=(MERGED, *columns(headings)),
        sorted_by="Overdue",
        overrides=(
            NARROW,
            named("Promise", custom_width=115),
            *(
                named(
                    column,
                    unit="locale",
                    decimals=0,
                    custom_width=width,
                    custom_cellOptions=COLOURED_TEXT,
                    thresholds=at_most(limit + 1).to_json_data(),
                )
                for column, width, limit in (
                    ("Soon due", 90, limits.tickets_at_risk),
                    ("Overdue", 115, limits.tickets_overdue),
                )
            ),
        ),
    )


_WITHOUT = f"""
SELECT (count(*) FILTER (WHERE t.sla_first_response_due_at IS NULL))::float8 AS "first response",
       (count(*) FILTER (WHERE t.sla_resolution_due_at IS NULL))::float8 AS resolution
FROM analytics.tickets t
WHERE $__timeFilter(t.created_at) AND {PRIORITY}
HAVING count(*) > 0
""".strip()


def without_target() -> Panel:
    return Stat(
        name="without_target",
        title="Without a due time",
        description=(
            "Tickets opened in the range for which nothing was promised. They have no part in any share of tickets served in "
            "time; many of them make those shares look better than support is."
        ),
        targets=(SqlQuery(sql=_WITHOUT),),
        width=6,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no ticket opened in range",
        direction="vertical",
        shown="value_and_name",
        value_size=24,
    )


_NEXT = f"""
SELECT f.*, extract(epoch FROM f.due - $__timeTo()::timestamptz)::float8 AS left
FROM (
  SELECT t.id, t.priority, coalesce(nullif(t.category, ''), 'no category') AS category, replace(t.status, '_', ' ') AS status,
         coalesce(t.assignee_key, 'nobody') AS owner, t.created_at AS opened,
         CASE WHEN t.first_response_at IS NULL THEN 'first response' ELSE 'resolution' END AS owed,
         CASE WHEN t.first_response_at IS NULL THEN t.sla_first_response_due_at ELSE t.sla_resolution_due_at END AS due
  FROM analytics.tickets t
  WHERE {OPEN} AND {PRIORITY}
) f
WHERE f.due IS NOT NULL
ORDER BY f.due, f.id
LIMIT 100
""".strip()


_URGENCY = Thresholds(colours.DOWN, ((0, colours.DEGRADED), (3600, colours.OK)))
"""Of the time that is left: past due, within the hour as the alert sees it, later."""


def due_next() -> Panel:
    headings = {
        "id": "Ticket", "left": "Time left", "priority": "Priority", "category": "Category", "status": "Status",
        "owner": "Owner", "opened": "Opened", "owed": "Owed",
    }  # fmt: skip
    return Table(
        name="due_next",
        title="What is due next?",
        description=(
            "The hundred open tickets that are due first, those past due above: work from the top. Owners are keys that stand "
            "for people; the ticket's number finds it in the ticket system. Time left is reckoned from the end of the range."
        ),
        targets=(SqlQuery(sql=_NEXT),),
        no_value="no open ticket",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Ticket", unit="none", decimals=0, custom_width=110),
            named("Owner", custom_width=150),
            named("Opened", custom_width=170),
            named(
                "Time left", unit="dtdurations", decimals=0, custom_cellOptions=COLOURED_TEXT,
                thresholds=_URGENCY.to_json_data(),
            ),
        ),
        paged=True,
    )  # fmt: skip
