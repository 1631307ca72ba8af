"""The answer first: are promises kept, and is support better or worse off than before?"""

from __future__ import annotations

from alert_rules.tickets import AT_RISK, OVERDUE, REOPENED, RESPONSE, UNASSIGNED
from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.support import TICKETS_OPEN
from dashboards.lib.field import at_least, at_most
from dashboards.lib.figures import NEITHER, Stat
from dashboards.lib.judged import lights
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery, series
from dashboards.tickets.rows import NOT_COUNTED, OF_PRIORITY, PRIORITY, PROMISES, SPANS

_NONE_JUDGED = "none due in range"


def state(settings: Settings) -> Panel:
    judged = {
        "Overdue": (OVERDUE, "too many"),
        "Due within the hour": (AT_RISK, "many"),
        "Urgent without owner": (UNASSIGNED, "some wait"),
        "First response, urgent": (RESPONSE, "slow"),
        "Opened again": (REOPENED, "too often"),
    }
    return lights("state", "Is support keeping its word?", "Begin with what is not OK, and its runbook.", judged, settings)


def open_now() -> Panel:
    return Stat(
        name="open_tickets",
        title="Open tickets",
        description=(
            "Tickets that are open, in progress or waiting for the customer, with their course over the range. Rising week by "
            "week: more come in than are resolved; see which category grew."
        ),
        targets=(series(TICKETS_OPEN, where=OF_PRIORITY, step="1h"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NOT_COUNTED,
        sparkline=True,
        up_to_now=True,
        change=NEITHER,
    )


_BALANCE = f"""
SELECT f.opened::float8 AS opened, f.resolved::float8 AS resolved, (f.opened - f.resolved)::float8 AS "opened less resolved"
FROM (
  SELECT count(*) FILTER (WHERE $__timeFilter(t.created_at)) AS opened,
         count(*) FILTER (WHERE $__timeFilter(t.resolved_at)) AS resolved
  FROM analytics.tickets t
  WHERE ($__timeFilter(t.created_at) OR $__timeFilter(t.resolved_at)) AND {PRIORITY}
) f
""".strip()


def balance() -> Panel:
    return Stat(
        name="balance",
        title="Opened and resolved",
        description=(
            "Tickets opened and resolved in the range, and the difference: above zero the backlog grew, below zero it shrank. "
            "A ticket that was opened again counts as resolved when it last was."
        ),
        targets=(SqlQuery(sql=_BALANCE),),
        unit="locale",
        decimals=0,
        no_value="no ticket in range",
        direction="vertical",
        shown="value_and_name",
        value_size=20,
    )


def _kept(kind: str) -> str:
    return f"""
SELECT s.span AS metric, (count(*) FILTER (WHERE p.served <= p.due))::float8 / nullif(count(*), 0) AS value
FROM (
{SPANS}
) s JOIN (
{PROMISES}
) p ON p.due IS NOT NULL AND (
  p.served BETWEEN s.since AND s.until
  OR p.served IS NULL AND p.is_open AND p.due BETWEEN s.since AND s.until
)
WHERE p.kind = '{kind}'
GROUP BY s.span
ORDER BY s.span DESC
""".strip()


def kept(settings: Settings, kind: str, name: str, title: str) -> Panel:
    target = settings.thresholds.sla_attainment
    return Stat(
        name=name,
        title=f"{title} (target {target:.0%})",
        description=(
            f"{DEFINITIONS['sla_attainment'].formula}, of the {kind} of tickets, in the range and in the time of equal length "
            "before it. Tickets without a due time have no part. Below target: see which priority misses it, and 'Overdue and "
            "soon due'."
        ),
        targets=(SqlQuery(sql=_kept(kind)),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value=_NONE_JUDGED,
        limits=at_least(target),
        every_row=True,
        direction="vertical",
        shown="value_and_name",
        value_size=22,
    )


_RESPONSE = f"""
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM t.first_response_at - t.created_at)) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM t.first_response_at - t.created_at)) AS "nine in ten"
FROM analytics.tickets t
WHERE $__timeFilter(t.first_response_at) AND {PRIORITY}
""".strip()


def response() -> Panel:
    return Stat(
        name="first_response",
        title="Time to the first response",
        description=(
            "Of the tickets first answered in the range: half had their answer within the median, nine in ten within the other "
            "figure. Half fast and one in ten very slow: nights and weekends, or tickets without owner."
        ),
        targets=(SqlQuery(sql=_RESPONSE),),
        unit="s",
        minimum=0,
        no_value="none answered in range",
        direction="vertical",
        shown="value_and_name",
        value_size=22,
    )


_REOPENED = f"""
SELECT s.span AS metric, (count(*) FILTER (WHERE t.reopened_count > 0))::float8 / nullif(count(*), 0) AS value
FROM (
{SPANS}
) s JOIN analytics.tickets t ON t.resolved_at BETWEEN s.since AND s.until
WHERE {PRIORITY}
GROUP BY s.span
ORDER BY s.span DESC
""".strip()


def reopened(settings: Settings) -> Panel:
    limit = settings.thresholds.reopen_ratio
    return Stat(
        name="reopened",
        title=f"Opened again (alert above {limit:.0%})",
        description=(
            "Tickets that were opened again at least once / tickets resolved, in the range and in the time of equal length "
            f"before it; the alert begins at {limit:.0%} of a day's. High: the standard answer of a category does not help; "
            "see 'Opened again and solved at once'."
        ),
        targets=(SqlQuery(sql=_REOPENED),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        no_value="none resolved in range",
        limits=at_most(limit),
        every_row=True,
        direction="vertical",
        shown="value_and_name",
        value_size=22,
    )
