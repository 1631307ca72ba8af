"""Who opens tickets, who answers them, and what has to be answered twice. People are shown as keys."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.field import at_most, named
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, NARROW, Table, columns
from dashboards.tickets.rows import OPEN, PRIORITY

_CREATORS = f"""
SELECT coalesce(nullif(t.user_key, ''), 'not shown') AS who, count(*)::float8 AS tickets,
       (count(*) FILTER (WHERE {OPEN}))::float8 AS open, (count(*) FILTER (WHERE t.priority = 'urgent'))::float8 AS urgent,
       (count(*) FILTER (WHERE t.reopened_count > 0))::float8 AS reopened, max(t.created_at) AS last
FROM analytics.tickets t
WHERE $__timeFilter(t.created_at) AND {PRIORITY}
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 50
""".strip()


def creators() -> Panel:
    headings = {
        "who": "User", "tickets": "Tickets", "open": "Open", "urgent": "Urgent", "reopened": "Opened again", "last": "Last",
    }  # fmt: skip
    return Table(
        name="creators",
        title="Who opens most tickets?",
        description=(
            "The fifty users with the most tickets opened in the range. A key stands for each user; whoever may see people "
            "finds them by it. One user with very many: call them, they have one problem and no solution."
        ),
        targets=(SqlQuery(sql=_CREATORS),),
        no_value="no ticket opened in range",
        transformations=columns(headings),
        overrides=(
            named("Tickets", unit="locale", decimals=0, min=0, fieldMinMax=True, custom_cellOptions=BAR_CELL),
            *(
                named(column, unit="locale", decimals=0, custom_width=width)
                for column, width in (("Open", 80), ("Urgent", 90), ("Opened again", 130))
            ),
            named("Last", custom_width=160),
        ),
        paged=True,
    )


_ASSIGNEES = f"""
SELECT coalesce(nullif(t.assignee_key, ''), 'nobody') AS who, (count(*) FILTER (WHERE {OPEN}))::float8 AS open,
       (count(*) FILTER (WHERE {OPEN} AND t.sla_resolution_due_at < $__timeTo()))::float8 AS overdue,
       (count(*) FILTER (WHERE $__timeFilter(t.resolved_at)))::float8 AS resolved,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM t.resolved_at - t.created_at))
         FILTER (WHERE $__timeFilter(t.resolved_at)) AS median
FROM analytics.tickets t
WHERE ({OPEN} OR $__timeFilter(t.resolved_at)) AND {PRIORITY}
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 50
""".strip()


def assignees() -> Panel:
    headings = {
        "who": "Owner", "open": "Open", "overdue": "Overdue", "resolved": "Resolved", "median": "Median time",
    }  # fmt: skip
    return Table(
        name="assignees",
        title="How is the work shared?",
        description=(
            "Open tickets by owner, and what each resolved in the range; a key stands for each person. Meant for sharing the "
            "load, not for judging people: who takes the hard tickets resolves fewer."
        ),
        targets=(SqlQuery(sql=_ASSIGNEES),),
        no_value="no ticket open or resolved in range",
        transformations=columns(headings),
        overrides=(
            named("Open", unit="locale", decimals=0, min=0, fieldMinMax=True, custom_cellOptions=BAR_CELL),
            named("Overdue", unit="locale", decimals=0, custom_width=100),
            named("Resolved", unit="locale", decimals=0, custom_width=100),
            named("Median time", unit="s", custom_width=120),
        ),
        paged=True,
    )


_TWICE = f"""
SELECT coalesce(nullif(s.category, ''), 'no category') AS category, count(*)::float8 AS resolved,
       (count(*) FILTER (WHERE s.reopened_count > 0))::float8 / count(*) AS reopened,
       (count(*) FILTER (WHERE s.reopened_count = 0 AND NOT s.asked))::float8 / nullif(count(s.asked), 0) AS at_once
FROM (
  SELECT t.id, t.category, t.reopened_count, bool_or(e.to_status = 'waiting') AS asked
  FROM analytics.tickets t LEFT JOIN analytics.ticket_events e ON e.ticket_id = t.id
  WHERE $__timeFilter(t.resolved_at) AND {PRIORITY}
  GROUP BY t.id, t.category, t.reopened_count
) s
GROUP BY 1
ORDER BY 3 DESC, 1
LIMIT 50
""".strip()


def twice(settings: Settings) -> Panel:
    limit = settings.thresholds.reopen_ratio
    headings = {"category": "Category", "resolved": "Resolved", "reopened": "Reopened", "at_once": "Solved at once"}
    return Table(
        name="twice",
        title="Opened again and solved at once",
        description=(
            "By category, of the tickets resolved in the range: the share that was opened again at least once, and the share "
            "that was solved without a question back to the customer and stayed so. Often opened again: the standard answer "
            "does not help. Rarely solved at once: the form does not ask for what is needed."
        ),
        targets=(SqlQuery(sql=_TWICE),),
        no_value="none resolved in range",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Resolved", unit="locale", decimals=0),
            named(
                "Reopened", unit="percentunit", decimals=1, custom_cellOptions=COLOURED_TEXT,
                thresholds=at_most(limit).to_json_data(),
            ),
            named("Solved at once", unit="percentunit", decimals=1, min=0, max=1, custom_cellOptions=BAR_CELL),
        ),
    )  # fmt: skip
