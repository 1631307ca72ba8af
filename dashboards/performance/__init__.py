"""The tab on performance: does the whole fleet keep its targets, and which part of it does not?"""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.advised import advised
from dashboards.lib.ahead import trials
from dashboards.lib.filters import acting
from dashboards.lib.layout import Row, line, row
from dashboards.lib.periods import COMPARE, against_before
from dashboards.lib.queries import ask
from dashboards.lib.requests import FILTERS
from dashboards.lib.tab import Source, Tab
from dashboards.performance import (
    agents,
    begin,
    demand,
    environments,
    errors,
    fleet,
    groups,
    latency,
    load_tests,
    patterns,
    planner,
    scaling,
    service_levels,
    slow,
    traffic,
    versions,
)
from dashboards.performance.peaks import busiest_hours
from dashboards.performance.places import KEY


def rows(settings: Settings) -> tuple[Row, ...]:
    promised = bool(service_levels.levels(settings))
    burning = (service_levels.burning(settings),) if promised else ()
    fleet_row, latency_row, before_row = _everybody(settings)
    return (
        fleet_row,
        row("traffic", "Traffic and capacity", line(9, traffic.throughput(), traffic.utilisation(settings), agents.busiest())),
        row("errors", "Errors", line(9, errors.by_kind(settings), *burning)),
        latency_row,
        row("agents", "Agents", line(9, agents.compared(settings), agents.slowest(settings))),
        row("environments", "Environments", line(5, environments.parity(settings))),
        row("failing", "Who fails, and how", line(9, errors.failing(settings)), collapsed=True),
        row("slow", "Slow requests", line(11, slow.requests(settings)), line(10, advised("s", "Less waiting")), collapsed=True),
        row(
            "distribution",
            "How the times are spread",
            line(9, latency.distribution(settings), latency.spread(settings)),
            line(8, latency.heatmap(settings), latency.speeds(), latency.speeds_now()),
            collapsed=True,
        ),
        *(_service_levels(settings) if promised else ()),
        row(
            "groups",
            "Departments and intents",
            line(7, groups.departments(settings)),
            line(11, groups.intent_latency(), groups.intent_errors(settings)),
            collapsed=True,
        ),
        row(
            "parity",
            "Environments in detail",
            line(8, environments.bars(settings), environments.only_there(settings)),
            collapsed=True,
        ),
        row(
            "versions",
            "Versions",
            line(8, versions.gates(settings)),
            line(9, versions.latency(), versions.errors(), versions.throughput()),
            collapsed=True,
        ),
        row(
            "capacity",
            "Capacity planner",
            line(9, planner.plan(settings), planner.warnings()),
            line(7, planner.room(settings)),
            line(9, demand.queries(), demand.latency()),
            line(8, demand.busiest(settings)),
            line(6, trials(("queries", "latency"))),
            collapsed=True,
        ),
        row(
            "scaling",
            "Scaling",
            line(9, scaling.with_load(settings), scaling.by_agent(), scaling.per_process()),
            collapsed=True,
        ),
        before_row,
        row("load_tests", "Load tests", line(10, load_tests.tests(settings)), collapsed=True),
        row("patterns", "Patterns of errors", line(10, patterns.areas(), patterns.unusual()), collapsed=True),
        row("begin", "Where to begin", line(11, begin.questions()), collapsed=True),
    )


def _everybody(settings: Settings) -> tuple[Row, Row, Row]:
    """The rows on which only the environment acts: about all agents together, from series that are recorded for them."""
    with acting(("environment",)):
        return (
            row(
                "fleet",
                "The whole fleet: all agents of the chosen environments",
                line(4, fleet.state(settings)),
                line(4, fleet.percentiles(settings), fleet.in_time_now(settings), fleet.errors(settings)),
                line(4, fleet.throughput_now(), fleet.capacity_now(settings), fleet.agents_within(settings)),
            ),
            row(
                "latency",
                "Latency of the whole fleet",
                line(9, latency.over_time(settings), latency.in_time_over_time(settings)),
            ),
            against_before(
                "all agents of an environment", lambda signal, ago: ask(signal, fleet.BY, fleet.HOUR, ago=ago), settings
            ),
        )


def _service_levels(settings: Settings) -> tuple[Row, ...]:
    grid, budgets = service_levels.grid(settings), service_levels.budgets(settings)
    return (row("levels", "Service levels and error budgets", line(10, grid), line(9, budgets), collapsed=True),)


TAB = Tab(
    key=KEY,
    title="Performance",
    folder="Business",
    description="Does the whole fleet keep its targets, and which part of it does not?",
    owner="platform team",
    sources=(
        Source("Prometheus", "every 15 s; rates look back five minutes or an hour"),
        Source("PostgreSQL", "executions and traces, asked directly"),
    ),
    rows=rows,
    filters=FILTERS,
    versions_marked=True,
    own_marks=(busiest_hours(),),
    choices=lambda _settings: (errors.KIND, COMPARE),
    refresh="1m",
    time_from="now-24h",
    empty_is_fine=frozenset(
        f"{KEY}/{name}"
        for name in (
            "failing",
            "only_in_production",
            "capacity_alerts",
            "load_tests",
            "error_map",
            "unusual_errors",
            "scaling",
            "advised",
            "busiest_ahead",
            "forecast_trials",
            "changes_before",  # where Prometheus is younger than what is compared with
        )
    ),
)
