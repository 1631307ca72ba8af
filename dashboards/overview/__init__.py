"""The Overview tab: is the platform well, does it serve its users, what does it cost? The answer first, the reasons below."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.layout import Row, line, row
from dashboards.lib.tab import Source, Tab
from dashboards.overview import agents, business, headline, health, live, models, traffic, trust


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row("health", "Is everything well?", line(4, health.lights(settings))),
        row(
            "headline",
            "The last hour, and this month's money",
            line(
                5,
                headline.success(settings),
                headline.response(settings),
                headline.errors(settings),
                headline.cost(settings),
                headline.budget(settings),
            ),
        ),
        *(live.rows() if settings.api.grafana_live else ()),
        row(
            "agents",
            "Agents, as the alerts see them",
            line(12, agents.success_ratio(settings), agents.agent_errors(settings), agents.agent_latency(settings)),
            line(8, health.firing(settings)),
        ),
        row(
            "business",
            "Users, conversations, support",
            line(5, business.users(), business.active_users(), business.conversations()),
            line(7, business.outcomes(), business.tickets(), business.documents()),
        ),
        row("traffic", "Traffic", line(7, traffic.requests(), traffic.server_errors(settings), traffic.response_times())),
        row("models", "Model calls", line(7, models.calls(), models.tokens_per_call(), models.distribution())),
        row(
            "pages", "What wakes somebody", line(9, agents.errors_page(settings), agents.latency_page(settings)), collapsed=True
        ),
        row("history", "Health over time", line(8, health.history(settings)), collapsed=True),
        row("failures", "Latest failed executions", line(10, agents.latest_failures(settings)), collapsed=True),
        row(
            "sources",
            "Sources in detail",
            line(4, trust.data_age(settings)),
            line(10, trust.queries(), trust.forecast()),
            collapsed=True,
        ),
    )


TAB = Tab(
    key="overview",
    title="Overview",
    folder="Business",
    description="Is the platform well, does it serve its users, and what does it cost?",
    owner="platform team",
    sources=(
        Source("Prometheus", "scraped every 15 s; rates look back five minutes or an hour"),
        Source(
            "PostgreSQL",
            "users, conversations, tickets, once a minute through the exporter",
        ),
        Source(
            "Langfuse",
            "model calls and cost, once a minute through the exporter",
        ),
    ),
    rows=rows,
    empty_is_fine=frozenset({"overview/firing_alerts", "overview/latest_failures"}),
)
