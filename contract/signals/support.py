"""Support tickets, as the rows of the database tell them."""

from __future__ import annotations

from contract.definitions import TICKET_OPEN_STATUSES
from contract.signals.model import Level, Quantile, Rate, Ratio, equal, like

TICKETS_CREATED = Rate(
    "tickets_created", "Tickets opened", "Tickets opened per second", "ops", "platform_tickets_created_total"
)
TICKETS_RESOLVED = Rate(
    "tickets_resolved", "Tickets resolved", "Tickets resolved per second", "ops", "platform_tickets_resolved_total"
)
REPORTED_TICKETS = Rate(
    "reported_tickets", "Tickets opened", "Tickets opened per second, as the platform itself counts them", "ops",
    "tickets_created_total",
)  # fmt: skip
TICKETS = Level("tickets", "Tickets", "Tickets as they stand", "short", "platform_tickets")
TICKETS_OPEN = Level(
    "tickets_open", "Open tickets", "Tickets that are open, worked on or waiting for the customer", "short",
    "platform_tickets", (like("status", "|".join(TICKET_OPEN_STATUSES)),),
)  # fmt: skip
TICKETS_UNASSIGNED = Level(
    "tickets_unassigned", "Unassigned", "Open tickets without assignee", "short", "platform_tickets_unassigned"
)
OLDEST_TICKET_AGE = Level(
    "oldest_ticket_age", "Oldest open ticket", "Age of the oldest open ticket", "s",
    "platform_ticket_oldest_open_age_seconds", operator="max",
)  # fmt: skip
FIRST_RESPONSE = Quantile(
    "first_response_p90", "p90", "90th percentile of the time to the first response", "s",
    "platform_ticket_first_response_seconds", 0.9,
)  # fmt: skip
RESOLUTION = Quantile(
    "resolution_p90", "p90", "90th percentile of the time to the resolution of a ticket", "s",
    "platform_ticket_resolution_seconds", 0.9,
)  # fmt: skip
SLA_JUDGED = Rate(
    "sla_judged",
    "Service levels",
    "Tickets that met or missed their service level, per second",
    "ops",
    "platform_ticket_sla_total",
    (like("result", "met|breached"),),
)
SLA_MET = Rate(
    "sla_met", "Met", "Tickets that met their service level, per second", "ops", "platform_ticket_sla_total",
    (equal("result", "met"),),
)  # fmt: skip
SLA_RATIO = Ratio(
    "sla_ratio",
    "Service level met",
    "Tickets that met their service level / those that met or missed it",
    "percentunit",
    SLA_MET,
    SLA_JUDGED,
)
SLA_ATTAINMENT = Level(
    "sla_attainment", "SLA attainment", "Tickets served before due / tickets served or past due, in 30 days", "percentunit",
    "platform_ticket_sla_attainment_ratio", (equal("window", "30d"),), operator="max",
)  # fmt: skip
TICKET_REOPENS = Rate(
    "ticket_reopens", "Reopened", "Times per second that resolved tickets were opened again", "ops",
    "platform_ticket_reopens_total",
)  # fmt: skip
TICKET_REOPEN_RATIO = Ratio(
    "ticket_reopen_ratio",
    "Reopened",
    "Times that resolved tickets were opened again / tickets resolved",
    "percentunit",
    TICKET_REOPENS,
    TICKETS_RESOLVED,
)
TICKETS_AT_RISK = Level(
    "tickets_at_risk", "Due within the hour", "Open tickets that are not served and due within an hour", "short",
    "platform_tickets_sla_at_risk", operator="max",
)  # fmt: skip
TICKETS_OVERDUE = Level(
    "tickets_overdue", "Overdue", "Open tickets that are not served and past due", "short", "platform_tickets_overdue",
    operator="max",
)  # fmt: skip
URGENT_UNASSIGNED = Level(
    "urgent_unassigned", "Urgent and unassigned", "Open urgent tickets without assignee", "short",
    "platform_tickets_unassigned", (equal("priority", "urgent"),), operator="max",
)  # fmt: skip
URGENT_TICKETS = Rate(
    "urgent_tickets", "Urgent tickets", "Urgent tickets opened per second", "ops", "platform_tickets_created_total",
    (equal("priority", "urgent"),),
)  # fmt: skip
URGENT_FIRST_RESPONSE = Quantile(
    "urgent_first_response_p90", "p90", "90th percentile of the time to the first response to an urgent ticket", "s",
    "platform_ticket_first_response_seconds", 0.9, (equal("priority", "urgent"),),
)  # fmt: skip
