"""Users, conversations, tickets, documents: what the platform is for. Mostly from PostgreSQL through the exporter."""

from __future__ import annotations

from contract.definitions import DEFINITIONS, DOCUMENT_STATUSES, TICKET_STATUSES
from contract.signals.model import Level, equal
from contract.signals.users import ACTIVE_USERS, ACTIVE_USERS_BEFORE, NEW_USERS, USERS
from dashboards.lib import colours
from dashboards.lib.field import named, painted
from dashboards.lib.figures import NEITHER, BarGauge, Stat
from dashboards.lib.filters import chosen
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, SqlQuery, ask, series

WINDOWS = {"7 d": (equal("window", "7d"),), "30 d": (equal("window", "30d"),)}
CONVERSATIONS = Level("conversations", "Conversations", "Conversations, all time", "short", "platform_conversations")
TICKETS = Level("tickets", "Tickets", "Tickets as they stand", "short", "platform_tickets")
DOCUMENTS = Level("documents", "Documents", "Documents as they stand", "short", "platform_documents")

NOT_COUNTED = "not counted yet"
GROWTH = "growth in 30 days"


def users() -> Panel:
    total, new = ask(USERS), ask(NEW_USERS)
    growth = f"{new} / ({total} - {new} > 0)"
    return Stat(
        name="users",
        title="Users",
        description=f"All users, and their growth in 30 days: {DEFINITIONS['growth'].formula}. All roles count.",
        targets=(PromQuery(expr=union("figure", {"total": total, GROWTH: growth}), legend="{{figure}}", instant=True),),
        unit="locale",
        decimals=0,
        no_value=NOT_COUNTED,
        shown="value_and_name",
        value_size=28,
        overrides=(named(GROWTH, unit="percentunit", decimals=1),),
    )


def active_users() -> Panel:
    now = {title: ask(ACTIVE_USERS, (), "", window) for title, window in WINDOWS.items()}
    change = {
        f"{title} change": f"{ask(ACTIVE_USERS, (), '', window)} / ({ask(ACTIVE_USERS_BEFORE, (), '', window)} > 0) - 1"
        for title, window in WINDOWS.items()
    }
    return Stat(
        name="active_users",
        title="Active users",
        description=(
            f"{DEFINITIONS['active_users'].formula}: the last 7 and 30 days, and the change against the 7 and 30 days before. "
            "A falling week with a steady month is often a holiday; both falling is people leaving."
        ),
        targets=(PromQuery(expr=union("figure", {**now, **change}), legend="{{figure}}", instant=True),),
        unit="locale",
        decimals=0,
        no_value=NOT_COUNTED,
        shown="value_and_name",
        value_size=18,
        overrides=tuple(named(title, unit="percentunit", decimals=1) for title in change),
    )


def conversations() -> Panel:
    return Stat(
        name="conversations",
        title="Conversations",
        description=(
            "All conversations there ever were; the line and the small figure show the growth over the chosen range. A flat "
            "line in working hours means that nobody gets through: see the request rate and the platform's health."
        ),
        targets=(series(CONVERSATIONS, step="1m"),),
        unit="locale",
        decimals=0,
        no_value=NOT_COUNTED,
        sparkline=True,
        change=NEITHER,
    )


OUTCOMES = f"""
SELECT $__timeGroup(c.created_at, '1h') AS "time", coalesce(c.outcome, 'open') AS metric, count(*)::float8 AS value
FROM analytics.conversations c JOIN analytics.agents a ON a.id = c.agent_id
WHERE $__timeFilter(c.created_at)
  AND {chosen("c.environment", "environment")} AND {chosen("a.name", "agent")}
GROUP BY 1, 2
ORDER BY 1, 2
""".strip()

OUTCOME_COLOURS = {
    "resolved": colours.GREEN,
    "handoff": colours.AMBER,
    "abandoned": colours.PURPLE,
    "failed": colours.RED,
    "open": colours.GREY,
}


def outcomes() -> Panel:
    return TimeSeries(
        name="conversation_outcomes",
        title="Conversations per hour by outcome",
        description=(
            "Conversations by the hour they began and how they ended, asked from the database directly; the current hour is "
            "not full yet. More handed over or failed than usual: see success and errors by agent."
        ),
        targets=(SqlQuery(sql=OUTCOMES, format="time_series"),),
        width=12,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no conversation in range",
        style="bars",
        stacked=True,
        always_last="24h",
        overrides=painted(OUTCOME_COLOURS),
    )


def tickets() -> Panel:
    parts = {status.replace("_", " "): ask(TICKETS, (), "", (equal("status", status),)) for status in TICKET_STATUSES}
    return BarGauge(
        name="tickets",
        title="Tickets by status",
        description=(
            "Tickets as they stand now, all time. Many open with few in progress: nobody picks them up. Many waiting: the "
            "answer lies with the customer."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", instant=True),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NOT_COUNTED,
    )


def documents() -> Panel:
    by_status = {status: ask(DOCUMENTS, (), "", (equal("status", status),)) for status in DOCUMENT_STATUSES}
    parts = {"total": ask(DOCUMENTS), **by_status}
    return BarGauge(
        name="documents",
        title="Documents by status",
        description=(
            "Documents of the knowledge base: all, and by status. Failed ones are missing from answers; a growing number in "
            "processing means that the ingest stands still."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", instant=True),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NOT_COUNTED,
        overrides=painted({"done": colours.GREEN, "processing": colours.AMBER, "failed": colours.RED}),
    )
