"""The tab on one agent: does it do well, where does its time go, since when, and what makes its slow requests slow?"""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib import profiles
from dashboards.lib.filters import chosen_all
from dashboards.lib.layout import Row, line, row
from dashboards.lib.periods import COMPARE, against_before
from dashboards.lib.profiles import profiled
from dashboards.lib.requests import FILTERS
from dashboards.lib.tab import Source, Tab
from dashboards.one_agent import headline, inside, latency, levels, load, slow, versions
from dashboards.one_agent.asking import of_agent


def rows(settings: Settings) -> tuple[Row, ...]:
    promised = (headline.budget(),) if settings.slo else ()
    return (
        row(
            "headline",
            "Does it do well?",
            line(3, headline.state(settings)),
            line(4, headline.response(settings), headline.errors(settings), headline.traffic()),
            line(4, headline.capacity(settings), *promised, headline.version()),
        ),
        row("load", "Traffic and errors", line(7, load.queries(), load.error_share(settings), load.errors_by_type())),
        row("latency", "How long do answers take?", line(9, latency.over_time(settings), latency.heatmap())),
        row(
            "inside",
            "Where does the time go?",
            line(9, inside.shares(), inside.parts()),
            line(9, inside.waterfall(), inside.dependencies()),
        ),
        row(
            "versions",
            "What changed, and did it become worse?",
            line(9, versions.timeline(settings)),
            line(5, versions.in_service(settings)),
        ),
        row("slow", "Slow requests", line(10, slow.requests(settings)), line(10, slow.advice(settings))),
        row(
            "calls",
            "Slowest calls, failed requests",
            line(9, slow.calls(settings)),
            line(9, slow.failed(settings)),
            collapsed=True,
        ),
        row(
            "capacity", "How full is it?", line(7, load.fullness(settings), load.in_progress(), load.retries()), collapsed=True
        ),
        row(
            "changes",
            "Versions in detail",
            line(7, versions.deployments()),
            line(7, versions.compared(settings)),
            line(6, versions.regressions()),
            collapsed=True,
        ),
        row(
            "profiles",
            "Profiles",
            line(6, profiled("Was it profiled?", chosen_all(agent=profiles.AGENT, environment=profiles.ENVIRONMENT))),
            collapsed=True,
        ),
        against_before("the agent", lambda signal, ago: of_agent(signal, ("environment", "agent"), "1h", ago=ago), settings),
        *((row("levels", "Service levels", line(6, levels.service_levels()), collapsed=True),) if settings.slo else ()),
    )


TAB = Tab(
    key="one-agent",
    title="Performance: one agent",
    folder="Business",
    description="Does this agent do well, where does its time go, since when, and what makes its slow requests slow?",
    owner="platform team",
    sources=(
        Source("Prometheus", "metrics of the platform, scraped every 15 s; rates look back five minutes or one hour"),
        Source("PostgreSQL", "traces, versions and executions, asked directly: as new as the platform writes them"),
    ),
    rows=rows,
    filters=FILTERS,
    single=("agent",),
    versions_marked=True,
    choices=lambda _settings: (slow.DEPENDENCY, COMPARE),
    refresh="1m",
    time_from="now-24h",
    empty_is_fine=frozenset(
        f"one-agent/{name}"
        for name in (
            "budget_left",
            "errors_by_type",
            "retries",
            "failed_requests",
            "deployments",
            "regressions",
            "profiling",
            "changes_before",  # where Prometheus is younger than what is compared with
        )
    ),
)
