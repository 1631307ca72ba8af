"""The tab of models: how they compare side by side, which would do for what, and how well each does now."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.layout import Row, line, row
from dashboards.lib.spending import BEFORE
from dashboards.lib.tab import Source, Tab
from dashboards.models import choice, comparison, errors, headline, live, prompts, quality


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "headline",
            "How do models do?",
            line(4, headline.calls(), headline.errors(settings), headline.quality()),
            line(4, headline.latency(settings), headline.first_token(settings), headline.speed()),
        ),
        row("ranking", "Side by side", line(9, comparison.ranking(settings))),
        row("traffic", "Traffic, last 24 hours", line(9, live.calls(), live.tokens())),
        row("errors", "Errors, last 24 hours", line(9, errors.ratio(settings), errors.kinds())),
        row(
            "latency",
            "Latency, last 24 hours",
            line(9, live.latency(settings), live.first_chunk(settings), live.speed()),
        ),
        row("saturation", "Saturation, last 24 hours", line(9, live.under_way(), errors.rate_limited(settings))),
        row("choice", "Which model would do?", line(9, choice.recommended(settings)), collapsed=True),
        row(
            "repricing",
            "What would the same work cost on another model?",
            line(9, choice.repriced(), choice.repriced_table()),
            collapsed=True,
        ),
        row(
            "quality",
            "How good is the work?",
            line(9, quality.by_model(), quality.over_time()),
            line(6, quality.evaluators()),
            collapsed=True,
        ),
        row("prompts", "Prompts, version by version", line(11, prompts.versions()), collapsed=True),
        row(
            "days",
            "Day by day, and cost against latency",
            line(9, comparison.latency_by_day(settings), comparison.cost_by_day()),
            line(8, comparison.latency_and_cost()),
            collapsed=True,
        ),
    )


TAB = Tab(
    key="models",
    title="Models",
    folder="Business",
    description="Which model is fast, reliable, good and cheap enough, and which other one would do?",
    owner="agents team",
    sources=(
        Source("Prometheus", "calls as the platform counts them, over five minutes"),
        Source("Langfuse", "every model call and score, read into the ledger"),
        Source("PostgreSQL", "the ledger, by UTC day"),
    ),
    rows=rows,
    refresh="1m",
    time_from="now-7d",
    filters=("environment", "agent", "model"),
    choices=lambda _settings: (BEFORE,),
)
