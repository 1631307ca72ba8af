"""The tab on one request: what happened to it, step by step, and why did it take so long?"""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.layout import Row, line, row
from dashboards.lib.requests import FILTERS
from dashboards.lib.tab import Source, Tab
from dashboards.one_request import answer, around, inside
from dashboards.one_request.shown import TRACE


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "answer",
            "What happened?",
            line(4, answer.request(settings)),
            line(4, answer.figures(settings)),
            line(5, answer.verdict(settings)),
        ),
        row(
            "inside",
            "Where did the time go?",
            line(12, inside.trace()),
            line(11, inside.waterfall(), inside.beside_the_usual()),
            line(10, inside.flames()),
        ),
        row("models", "Which models were called?", line(8, around.model_calls())),
        row("others", "Which other requests were slow or failed?", line(10, around.others(settings))),
        row("steps", "All steps", line(11, inside.steps()), collapsed=True),
    )


TAB = Tab(
    key="one-request",
    title="Performance: one request",
    folder="Business",
    description="What happened to this request, step by step, and why did it take so long?",
    owner="platform team",
    sources=(
        Source("PostgreSQL", "traces and their steps, asked directly: as new as the platform writes them"),
        Source("Langfuse", "model calls, through the ledger, once a minute"),
    ),
    rows=rows,
    filters=FILTERS,
    choices=lambda _settings: (TRACE,),
    refresh="5m",
    time_from="now-24h",
    empty_is_fine=frozenset({"one-request/model_calls"}),
)
