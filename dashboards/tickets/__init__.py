"""The tab of support tickets: are promises kept, does the backlog grow, and what do agents leave to people?"""

from __future__ import annotations

from contract.labels import PRIORITIES
from contract.settings import Settings
from dashboards.lib.ahead import ahead, trials
from dashboards.lib.layout import Row, line, row
from dashboards.lib.tab import Source, Tab
from dashboards.lib.variables import ListVariable, SwitchVariable, Variable
from dashboards.tickets import durations, flow, handoffs, headline, people, promises, standing


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "headline",
            "Is support keeping its word?",
            line(4, headline.state(settings)),
            line(
                4,
                headline.kept(settings, "first response", "answered_in_time", "Answered in time"),
                headline.kept(settings, "resolution", "resolved_in_time", "Resolved in time"),
                headline.reopened(settings),
            ),
            line(4, headline.open_now(), headline.balance(), headline.response()),
        ),
        row("traffic", "What comes and goes", line(9, flow.opened_and_resolved(), flow.creation_rate())),
        row(
            "promises",
            "Service levels",
            line(10, promises.attainment_by_day(settings), promises.late(settings)),
        ),
        row(
            "latency",
            "How long customers wait",
            line(9, durations.response(settings), durations.resolution(), durations.grouped()),
        ),
        row(
            "backlog",
            "What is left",
            line(9, flow.backlog(), flow.ages(), standing.by_priority()),
            line(7, standing.by_status(), standing.assignment(), standing.by_category()),
        ),
        row(
            "ahead",
            "How many will come?",
            line(
                9,
                ahead(
                    "tickets",
                    "tickets_ahead",
                    "Tickets by day, and in the next 30",
                    "Tickets that were opened on each whole day (UTC), of all priorities, and how many are expected: plan "
                    "people for the upper end of the busiest weekdays.",
                ),
            ),
            line(5, trials(("tickets",))),
            collapsed=True,
        ),
        row("due", "What is due next?", line(12, promises.due_next()), collapsed=True),
        row(
            "detail",
            "Times and service levels in detail",
            line(8, promises.attainment(settings), promises.without_target(), durations.stages()),
            line(10, durations.table(), people.twice(settings)),
            collapsed=True,
        ),
        row("people", "Who opens, who answers", line(9, people.creators()), line(9, people.assignees()), collapsed=True),
        row(
            "handoffs",
            "Handoffs from agents",
            line(9, handoffs.ratio(), handoffs.reasons()),
            line(8, handoffs.contained()),
            line(9, handoffs.taken()),
            collapsed=True,
        ),
    )


def choices(_: Settings) -> tuple[Variable, ...]:
    return (
        ListVariable(
            name="priority", label="Priority", values={name: name for name in PRIORITIES}, description="Of the tickets.",
        ),
        SwitchVariable(
            name="by", label="Times by", values={name: name for name in ("priority", "category", "status")},
            description="What 'Time to the resolution by …' is broken down by.",
        ),
    )  # fmt: skip


TAB = Tab(
    key="tickets",
    title="Support tickets",
    folder="Business",
    description="Are customers served in time, does the backlog grow, and what do agents leave to people?",
    owner="support team",
    sources=(
        Source("PostgreSQL", "once a minute through the exporter; history and tables ask directly"),
        Source("Prometheus", "scraped every 15 s"),
    ),
    rows=rows,
    refresh="1m",
    time_from="now-30d",
    choices=choices,
    empty_is_fine=frozenset({"tickets/due_next", "tickets/forecast_trials"}),
)
