"""How tickets stand now: by status, priority, owner and category."""

from __future__ import annotations

from contract.definitions import TICKET_OPEN_STATUSES, TICKET_STATUSES
from contract.labels import PRIORITIES
from contract.signals.model import equal
from contract.signals.support import TICKETS, TICKETS_OPEN, TICKETS_UNASSIGNED
from dashboards.lib import colours
from dashboards.lib.field import painted
from dashboards.lib.figures import BarGauge
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, SqlQuery, ask
from dashboards.lib.shares import BarChart, PieChart
from dashboards.tickets.flow import OF_STATUSES
from dashboards.tickets.rows import NOT_COUNTED, OF_PRIORITY, OPEN, PRIORITY


def by_status() -> Panel:
    parts = {
        status.replace("_", " "): ask(TICKETS, (), "", (equal("status", status), *OF_PRIORITY)) for status in TICKET_STATUSES
    }
    return PieChart(
        name="by_status",
        title="Tickets by status",
        description=(
            "All tickets there ever were, as they stand now. Many open with few in progress: nobody picks them up. Many "
            "waiting: the answer lies with the customers. Resolved ones that are never closed: closing is not automatic."
        ),
        targets=(PromQuery(expr=union("status", parts), legend="{{status}}", instant=True),),
        width=8,
        unit="locale",
        decimals=0,
        no_value=NOT_COUNTED,
        figures=("value",),
        overrides=painted(
            {
                "open": colours.AMBER,
                "in progress": colours.BLUE,
                "waiting": colours.GREY,
                "resolved": colours.GREEN,
                "closed": colours.SKY,
            }
        ),
    )


_COUNTED = ", ".join(
    f"count(*) FILTER (WHERE t.status = '{status}')::float8 AS \"{name}\""
    for status, name in zip(TICKET_OPEN_STATUSES, OF_STATUSES, strict=True)
)
_BY_PRIORITY = f"""
SELECT p.name AS "Priority", {_COUNTED}
FROM (VALUES {", ".join(f"({n}, '{name}')" for n, name in enumerate(PRIORITIES))}) AS p (place, name)
LEFT JOIN analytics.tickets t ON t.priority = p.name AND {OPEN}
WHERE {PRIORITY.replace("t.priority", "p.name")}
GROUP BY p.place, p.name
ORDER BY p.place
""".strip()


def by_priority() -> Panel:
    return BarChart(
        name="by_priority",
        title="Open tickets by priority",
        description=(
            "Tickets that are not resolved, from low to urgent, and what is being done about them. Urgent ones that are open: "
            "nobody works on them."
        ),
        targets=(SqlQuery(sql=_BY_PRIORITY),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no ticket",
        x="Priority",
        stacking="normal",
        values_shown="never",
        overrides=painted(OF_STATUSES),
    )


def assignment() -> Panel:
    everything, unassigned = ask(TICKETS_OPEN, (), "", OF_PRIORITY), ask(TICKETS_UNASSIGNED, (), "", OF_PRIORITY)
    parts = {"owned": f"{everything} - {unassigned}", "no owner": unassigned}
    return PieChart(
        name="assignment",
        title="Who owns the open tickets?",
        description=(
            "Open tickets with and without assignee. Tickets that nobody owns are answered late: settle who takes new ones, "
            "and when. Urgent ones without owner have an alert."
        ),
        targets=(PromQuery(expr=union("state", parts), legend="{{state}}", instant=True),),
        width=7,
        unit="locale",
        decimals=0,
        no_value=NOT_COUNTED,
        figures=("value",),
        overrides=painted({"owned": colours.GREEN, "no owner": colours.AMBER}),
    )


_BY_CATEGORY = f"""
SELECT coalesce(nullif(t.category, ''), 'no category') AS "Category", count(*)::float8 AS tickets
FROM analytics.tickets t
WHERE $__timeFilter(t.created_at) AND {PRIORITY}
GROUP BY 1
ORDER BY 2 DESC
LIMIT 12
""".strip()


def by_category() -> Panel:
    return BarGauge(
        name="by_category",
        title="What are tickets about?",
        description=(
            "Tickets opened in the range, by category; those without one are shown as such. One category that grows has one "
            "cause: answer it where everybody sees it, or give the agents a document about it."
        ),
        targets=(SqlQuery(sql=_BY_CATEGORY),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no ticket opened in range",
        every_row=True,
    )
