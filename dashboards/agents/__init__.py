"""The tab on agents: do they help, quickly enough, and for a fair price; who needs attention, and which does best?"""

from __future__ import annotations

from contract.settings import Settings
from dashboards.agents import attention, compared, course, headline, inside, models, people, tools, traffic, use
from dashboards.lib.layout import Row, line, row
from dashboards.lib.spending import BEFORE, GRANULARITY
from dashboards.lib.tab import Source, Tab


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "headline",
            "Do agents help, quickly enough, and for a fair price?",
            line(4, headline.state(settings)),
            line(4, headline.success(settings), headline.response(settings), headline.cost(settings)),
            line(4, headline.open_conversations(), headline.open_sessions(), headline.running()),
        ),
        row("attention", "Who needs attention?", line(7, attention.board(settings))),
        row(
            "course",
            "Success, speed and cost, day by day",
            line(9, course.success(settings), course.response(settings), course.cost(settings)),
        ),
        row("models", "What they ask of models", line(9, models.calls(), models.tokens(), models.cost())),
        row("tools", "Which tools they use", line(12, tools.calls(), tools.success(settings))),
        row(
            "people",
            "What people think, and when a person takes over",
            line(7, people.rating(), people.promoters(), people.thumbs(settings), people.reasons()),
        ),
        row(
            "compared",
            "Agents side by side",
            line(9, compared.table(settings)),
            line(7, compared.success(settings), compared.cost(settings)),
        ),
        row(
            "traffic",
            "Queries of the last day: traffic, errors, response time",
            line(9, traffic.queries(), traffic.errors(settings), traffic.retries(settings)),
            line(9, traffic.percentiles(settings), traffic.spread()),
            collapsed=True,
        ),
        row("tokens", "Tokens", line(9, course.tokens(), course.tokens_spread(), models.tokens_per_call()), collapsed=True),
        row(
            "use",
            "What agents are used for, and when",
            line(25, use.hours(), use.intents()),
            line(7, use.by_agent(), use.by_outcome(), use.by_channel()),
            collapsed=True,
        ),
        row(
            "inside",
            "Room, refusals, tool servers and guardrails",
            line(9, inside.in_flight(), inside.capacity(settings), inside.refused(settings)),
            line(9, inside.protocol(settings), inside.guardrails(settings)),
            line(7, inside.decisions()),
            collapsed=True,
        ),
    )


TAB = Tab(
    key="agents",
    title="Agent performance",
    folder="Business",
    description="Do agents help, quickly enough, and for a fair price?",
    owner="agents team",
    sources=(
        Source("Prometheus", "what happens now, scraped every 15 s"),
        Source("PostgreSQL", "days (UTC), counted once a minute"),
        Source("Langfuse", "model calls, read into the ledger"),
    ),
    rows=rows,
    filters=("environment", "department", "agent", "model"),
    choices=lambda _settings: (GRANULARITY, BEFORE),
    refresh="30s",
    time_from="now-7d",
    empty_is_fine=frozenset({"agents/attention"}),
)
