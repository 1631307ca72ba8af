"""The tab on the four kinds of records: executions of agents, their tools, workflows, and sessions of users."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.executions import detail, effort, errors, live, runs, sessions, tools, workflows
from dashboards.lib.layout import Row, line, row
from dashboards.lib.paging import PAGE
from dashboards.lib.tab import Source, Tab


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "live",
            "Right now",
            line(
                4,
                live.sessions(),
                live.in_progress(),
                live.queries(),
                live.response(settings),
                live.success(settings),
            ),
        ),
        row(
            "executions",
            "Executions",
            line(9, runs.by_status(), runs.durations(settings), runs.shares()),
            line(8, runs.agents(settings)),
        ),
        row("effort", "What makes them long", line(8, effort.by_tokens(settings), effort.by_tools())),
        row("errors", "Errors", line(8, errors.by_kind(), errors.table(settings))),
        row(
            "tools",
            "Tools",
            line(12, tools.frequency(), tools.table(settings)),
            line(8, tools.interfaces(settings), tools.interface_cost(settings)),
            line(7, tools.interface_times()),
        ),
        row(
            "workflows",
            "Workflows",
            line(8, workflows.table(settings)),
            line(9, workflows.outcomes(), workflows.durations(), workflows.satisfaction()),
            line(11, workflows.handovers()),
            collapsed=True,
        ),
        row(
            "sessions",
            "Sessions",
            line(9, sessions.per_hour(), sessions.lengths(), sessions.queries()),
            line(9, sessions.latest()),
            collapsed=True,
        ),
        row(
            "detail",
            "One execution and one session",
            line(9, detail.latest(settings)),
            line(4, detail.execution()),
            line(8, detail.tools_of_it()),
            line(4, detail.session()),
            line(8, detail.executions_of_session(settings)),
            collapsed=True,
        ),
    )


TAB = Tab(
    key="executions",
    title="Executions, tools, workflows",
    folder="Business",
    description="What do agents execute, with which tools, in which workflows and sessions, and what fails?",
    owner="agents team",
    sources=(
        Source("Prometheus", "live counters of the platform, scraped every 15 s"),
        Source("PostgreSQL", "records of executions, tools, workflows and sessions, asked directly"),
    ),
    rows=rows,
    filters=detail.FILTERS,
    choices=lambda _settings: (detail.EXECUTION, detail.SESSION, PAGE),
    refresh="30s",
    time_from="now-24h",
    empty_is_fine=frozenset(
        {"executions/errors_by_kind", "executions/errors", "executions/tools_of_execution", "executions/interface_cost"}
    ),
)
