"""Alerts on support tickets, for the people who answer them."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import beyond, counted, share, slow
from alert_rules.model import Alert, AlertGroup, Guard, MetricCheck, Severity, TableCheck
from alert_rules.stories import standard
from contract.signals.conversations import HANDOFFS
from contract.signals.support import (
    FIRST_RESPONSE,
    OLDEST_TICKET_AGE,
    RESOLUTION,
    TICKET_REOPEN_RATIO,
    TICKET_REOPENS,
    TICKETS,
    TICKETS_AT_RISK,
    TICKETS_CREATED,
    TICKETS_OVERDUE,
    TICKETS_RESOLVED,
    TICKETS_UNASSIGNED,
    URGENT_FIRST_RESPONSE,
    URGENT_TICKETS,
    URGENT_UNASSIGNED,
)

GROUP = AlertGroup("ticket_alerts", "1m")
DAYS = AlertGroup("ticket_days", "2m")
DUE = ("kind", "priority")

_DUE_SQL = """\
SELECT id, priority, category, status, created_at, sla_first_response_due_at, sla_resolution_due_at
FROM analytics.tickets
WHERE resolved_at IS NULL AND closed_at IS NULL AND created_at >= :'since'::timestamptz - interval '90 days'
ORDER BY CASE WHEN first_response_at IS NULL THEN sla_first_response_due_at ELSE sla_resolution_due_at END
LIMIT 30;"""
_REOPENED_SQL = """\
SELECT category, priority, count(*) AS tickets, sum(reopened_count) AS reopened
FROM analytics.tickets
WHERE updated_at >= :'since'::timestamptz - interval '1 day' AND reopened_count > 0
GROUP BY category, priority
ORDER BY reopened DESC
LIMIT 20;"""
_OPEN = MetricCheck("How many tickets are open, in which state?", TICKETS, ("status", "priority"))
_NEW = MetricCheck("How many came in?", TICKETS_CREATED, ("priority",), "24h")
_DONE = MetricCheck("And how many were resolved?", TICKETS_RESOLVED, ("priority",), "24h")
_NEXT = TableCheck("Which tickets are due next?", _DUE_SQL)

AT_RISK = Alert(
    name="TicketsSoonOverdue",
    group=GROUP,
    concern="tickets-due",
    signal=TICKETS_AT_RISK,
    by=DUE,
    window="1m",
    comparison=">",
    threshold="tickets_at_risk",
    hold="5m",
    keep_firing_for="10m",
    severity=Severity.INFO,
    team="support",
    summary="Many tickets miss their time within the hour.",
    description="{value} open tickets of priority {priority} have no {kind} yet and are due within the hour; more than "
    "{threshold} for {hold}.",
    meaning="For these tickets the agreed time ends within sixty minutes, and they have not been served.",
    impact="None yet: whoever is served in time does not notice.",
    checks=(MetricCheck("Which kind and priority?", TICKETS_AT_RISK, DUE), _NEXT, _OPEN, _NEW),
    next_steps=(
        "Answer the tickets of the list from its top; a short first response counts.",
        "More come in than usual: find what they have in common, and answer it once where everybody sees it.",
        "Too few people today: move those who work on tickets of low priority.",
    ),
    scenarios=standard(beyond("platform_tickets_sla_at_risk", (("kind", "first_response"), ("priority", "urgent")))),
)
OVERDUE = replace(
    AT_RISK,
    name="TicketsOverdue",
    signal=TICKETS_OVERDUE,
    threshold="tickets_overdue",
    keep_firing_for="30m",
    severity=Severity.WARNING,
    summary="Many tickets have missed their time.",
    description="{value} open tickets of priority {priority} are past due for their {kind}; more than {threshold} for {hold}.",
    meaning="The agreed time has passed, and nobody has served them.",
    impact="Customers wait longer than they were promised; some write again, which makes more tickets.",
    checks=(
        MetricCheck("Which kind and priority?", TICKETS_OVERDUE, DUE),
        MetricCheck("How old is the oldest?", OLDEST_TICKET_AGE, ("priority",)),
        _NEXT,
        _NEW,
        _DONE,
    ),
    next_steps=(
        "First responses: send one to each today, even when the solution takes longer.",
        "Resolutions: sort by category; where many wait for the same cause, solve the cause.",
        "For weeks already: the times promised do not fit the people there are; agree on others, or on more people.",
    ),
    scenarios=standard(beyond("platform_tickets_overdue", (("kind", "resolution"), ("priority", "normal")))),
)
UNASSIGNED = replace(
    OVERDUE,
    name="UrgentTicketsUnassigned",
    concern="tickets-unassigned",
    signal=URGENT_UNASSIGNED,
    by=(),
    threshold="urgent_unassigned",
    hold="15m",
    keep_firing_for="5m",
    summary="Urgent tickets wait without anybody who owns them.",
    description="{value} urgent tickets have had no assignee, more than {threshold} at any time for {hold}.",
    meaning="They are marked as urgent, and stand in nobody's list.",
    impact="Somebody with an urgent problem hears nothing.",
    checks=(MetricCheck("How many have no assignee?", TICKETS_UNASSIGNED, ("priority",)), _NEXT, _OPEN),
    next_steps=(
        "Assign them now; the list above is in order of what is due first.",
        "Nobody on duty takes new tickets: ask who should, and put a rule into the ticket system.",
        "Many of them at once: something is broken for many customers; look at the alerts of the platform.",
    ),
    scenarios=standard(beyond("platform_tickets_unassigned", ())),
)
RESPONSE = replace(
    OVERDUE,
    name="UrgentFirstResponseSlow",
    group=DAYS,
    concern="tickets-first-response",
    signal=URGENT_FIRST_RESPONSE,
    by=(),
    window="1d",
    threshold="first_response_seconds",
    hold="8m",
    keep_firing_for="1h",
    summary="Urgent tickets get their first response too late.",
    description="One in ten urgent tickets waited longer than {value} for its first response in the last {window}; {threshold} "
    "is the limit. It has been so for {hold}.",
    meaning="The 90th percentile of the time to the first response, over a day.",
    impact="Customers with an urgent problem do not know whether anybody has read it.",
    checks=(
        MetricCheck("Is it the urgent ones only?", FIRST_RESPONSE, ("priority",), "24h"),
        MetricCheck("Does the resolution take longer, too?", RESOLUTION, ("priority",), "24h"),
        _NEW,
        _NEXT,
    ),
    next_steps=(
        "Late ones came at night or at the weekend: settle who is on duty then.",
        "They lay without assignee: see UrgentTicketsUnassigned.",
        "Handoffs of agents arrive as urgent in great number: see AgentHandoffsJumped.",
    ),
    scenarios=standard(slow((("priority", "urgent"),), counted("platform_tickets_created_total"))),
    guards=(Guard(URGENT_TICKETS, "1d", "minimum_tickets"),),
)
REOPENED = replace(
    RESPONSE,
    name="TicketsReopened",
    concern="tickets-reopened",
    signal=TICKET_REOPEN_RATIO,
    threshold="reopen_ratio",
    summary="Too many resolved tickets are opened again.",
    description="For {value} of the tickets resolved in the last {window} one was opened again; {threshold} is the limit. It "
    "has been so for {hold}.",
    meaning="What was called solved was not, in the eyes of those who asked.",
    impact="Customers explain the same thing twice, and people work on it twice.",
    checks=(
        MetricCheck("Of which priority?", TICKET_REOPEN_RATIO, ("priority",), "24h"),
        TableCheck("In which categories?", _REOPENED_SQL),
        _DONE,
        MetricCheck("Do agents hand over more than a week ago?", HANDOFFS, ("environment", "agent", "reason"), "24h", "7d"),
    ),
    next_steps=(
        "One category: the standard answer for it does not help; read five of them and write a better one.",
        "All categories since a day: tickets are closed by a rule or in a hurry; take that back.",
        "The same customers: call them.",
    ),
    scenarios=standard(
        share(
            (("priority", "normal"),),
            wrong=lambda about, n: (
                *counted("platform_ticket_reopens_total")(about, n),
                *counted("platform_tickets_resolved_total")(about, n),
            ),
            right=counted("platform_tickets_resolved_total"),
        )
    ),
    guards=(Guard(TICKET_REOPENS, "1d", "minimum_reopens"),),
)

ALERTS = (AT_RISK, OVERDUE, UNASSIGNED, RESPONSE, REOPENED)
