"""How many come and go, and what is left: tickets opened and resolved, and the backlog over time."""

from __future__ import annotations

from contract.definitions import BACKLOG_AGE_BOUNDS_DAYS, TICKET_OPEN_STATUSES
from contract.labels import PRIORITIES
from contract.signals.support import REPORTED_TICKETS, TICKETS_CREATED
from dashboards.lib import colours
from dashboards.lib.field import fixed, named, painted
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, in_range
from dashboards.lib.shares import BarChart
from dashboards.tickets.rows import OF_PRIORITY, OPEN, PRIORITY
from recording_rules import registry

OF_PRIORITIES = dict(zip(PRIORITIES, (colours.GREY, colours.SKY, colours.AMBER, colours.RED), strict=True))
"""The more urgent, the warmer."""
_STATUS_NAMES = [status.replace("_", " ") for status in TICKET_OPEN_STATUSES]
OF_STATUSES = dict(zip(_STATUS_NAMES, (colours.AMBER, colours.BLUE, colours.GREY), strict=True))
NET = "backlog change"

_DAILY = f"""
SELECT d.day AS "time", sum(d.created)::float8 AS opened, sum(d.resolved)::float8 AS resolved,
       (sum(sum(d.created) - sum(d.resolved)) OVER (ORDER BY d.day))::float8 AS "{NET}"
FROM analytics.ticket_daily d
WHERE {in_range("d.day")} AND {PRIORITY.replace("t.priority", "d.priority")}
GROUP BY d.day
ORDER BY d.day
""".strip()


def opened_and_resolved() -> Panel:
    return TimeSeries(
        name="opened_and_resolved",
        title="Tickets opened and resolved per day",
        description=(
            "Tickets by the day (UTC) on which they were opened and resolved, and how far the backlog has changed since the "
            "range began; the first day is the first whole one, the last is not over. The dashed line climbs for weeks: too "
            "few people, or one cause that keeps coming."
        ),
        targets=(SqlQuery(sql=_DAILY, format="time_series"),),
        width=14,
        unit="locale",
        decimals=0,
        no_value="no whole day in range",
        calculations=("mean", "max"),
        overrides=(
            *painted({"opened": colours.AMBER, "resolved": colours.GREEN}),
            named(NET, color=fixed(colours.PURPLE), custom_lineStyle={"fill": "dash", "dash": [6, 4]}),
        ),
    )


def creation_rate() -> Panel:
    by = ("priority",)
    reported, stored = (registry.query(signal, by, "1h", OF_PRIORITY) for signal in (REPORTED_TICKETS, TICKETS_CREATED))
    return TimeSeries(
        name="creation_rate",
        title="Tickets opened per hour",
        description=(
            "By priority, over one hour: as the platform counts them while it happens, in all environments; where it does not, "
            "as its rows say. A jump in the urgent ones is an incident that customers tell you about: see the Overview."
        ),
        targets=(PromQuery(expr=f"3600 * ({reported} or {stored})", legend="{{priority}}", step="1h"),),
        unit="short",
        minimum=0,
        no_value="not counted in range",
        style="bars",
        stacked=True,
        overrides=painted(OF_PRIORITIES),
    )


_BACKLOG = f"""
WITH moments AS (
  SELECT moment FROM generate_series(
    date_bin('6 hours', $__timeFrom()::timestamptz, 'epoch'), $__timeTo()::timestamptz, '6 hours'
  ) AS g (moment)
  UNION SELECT $__timeTo()::timestamptz
), changes AS (
  SELECT CASE WHEN e.at >= $__timeTo()::timestamptz THEN $__timeTo()::timestamptz ELSE date_bin('6 hours', e.at, 'epoch') END
           AS moment,
         c.status, sum(c.step) AS steps
  FROM analytics.ticket_events e
  JOIN analytics.tickets t ON t.id = e.ticket_id
  CROSS JOIN LATERAL (VALUES (e.to_status, 1), (e.from_status, -1)) AS c (status, step)
  WHERE e.at >= date_bin('6 hours', $__timeFrom()::timestamptz, 'epoch') AND {PRIORITY}
  GROUP BY 1, 2
), present AS (
  SELECT t.status, count(*) AS tickets FROM analytics.tickets t WHERE {OPEN} AND {PRIORITY} GROUP BY t.status
)
SELECT m.moment AS "time", replace(s.status, '_', ' ') AS metric,
       (coalesce(p.tickets, 0) - coalesce(sum(c.steps) OVER (PARTITION BY s.status ORDER BY m.moment DESC), 0))::float8 AS value
FROM moments m
CROSS JOIN (VALUES {", ".join(f"('{status}')" for status in TICKET_OPEN_STATUSES)}) AS s (status)
LEFT JOIN present p ON p.status = s.status
LEFT JOIN changes c ON c.status = s.status AND c.moment = m.moment
WHERE EXISTS (SELECT FROM analytics.ticket_events)
ORDER BY m.moment
LIMIT 20000
""".strip()


def backlog() -> Panel:
    return TimeSeries(
        name="backlog",
        title="Backlog over time",
        description=(
            "How many tickets were open, in progress and waiting for the customer, every six hours and at the end of the "
            "range: those of the present, less what was noted as changed since. Open ones pile up: nobody picks them up. In "
            "progress ones pile up: people hold more than they can finish."
        ),
        targets=(SqlQuery(sql=_BACKLOG, format="time_series"),),
        width=12,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="the platform keeps no history of tickets (relation ticket_events)",
        stacked=True,
        calculations=("lastNotNull", "max"),
        overrides=painted(OF_STATUSES),
    )


_FIRST, _SECOND, _LAST = BACKLOG_AGE_BOUNDS_DAYS
_AGES = f"""
SELECT g.age AS "Age", {", ".join(f"count(*) FILTER (WHERE o.priority = '{name}')::float8 AS {name}" for name in PRIORITIES)}
FROM (VALUES (1, 'under {_FIRST} d'), (2, '{_FIRST}-{_SECOND} d'), (3, '{_SECOND}-{_LAST} d'), (4, 'over {_LAST} d'))
  AS g (place, age)
LEFT JOIN (
  SELECT t.priority, 1 + width_bucket(
    extract(epoch FROM $__timeTo()::timestamptz - t.created_at)::float8 / 86400, ARRAY[{_FIRST}, {_SECOND}, {_LAST}]::float8[]
  ) AS place
  FROM analytics.tickets t
  WHERE {OPEN} AND t.created_at <= $__timeTo()::timestamptz AND {PRIORITY}
) o ON o.place = g.place
GROUP BY g.place, g.age
ORDER BY g.place
""".strip()


def ages() -> Panel:
    return BarChart(
        name="backlog_age",
        title="Age of open tickets",
        description=(
            "Tickets that are open now, by how long ago they were opened, reckoned from the end of the range. A growing right "
            f"end is work that nobody wants: let somebody decide about each ticket that is over {_LAST} days old."
        ),
        targets=(SqlQuery(sql=_AGES),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no open ticket",
        x="Age",
        stacking="normal",
        values_shown="never",
        overrides=painted(OF_PRIORITIES),
    )
