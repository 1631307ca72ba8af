"""The Feedback & quality tab: are people content with the answers, and do evaluators agree?"""

from __future__ import annotations

from contract.settings import Settings
from dashboards.feedback import answers, comments, evaluations, headline, measured, ratings, worst
from dashboards.lib.layout import Row, line, row
from dashboards.lib.tab import Source, Tab


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "headline",
            "Are people content?",
            line(4, headline.content(settings), headline.rating(), headline.promoters()),
            line(4, headline.thumbs(settings), headline.response(), headline.evaluation()),
        ),
        row(
            "ratings",
            "What they say",
            line(9, ratings.distribution(), ratings.average()),
            line(9, ratings.promoters(), ratings.groups()),
        ),
        row("answers", "How many say anything, and who is voted down", line(9, answers.rate(), answers.negative(settings))),
        row(
            "evaluations",
            "What evaluators say",
            line(9, evaluations.trend(), evaluations.by_model()),
            line(7, evaluations.table()),
        ),
        row("groups", "About what are they unhappy?", line(9, worst.by_choice()), collapsed=True),
        row("worst", "Lowest rated conversations", line(12, worst.conversations(settings)), collapsed=True),
        row(
            "measured",
            "Is it speed, or money?",
            line(9, measured.against_latency(), measured.against_cost()),
            line(7, measured.by_model()),
            collapsed=True,
        ),
        row(
            "comments",
            "What they write (shown when database.content is switched on)",
            line(12, comments.terms(), comments.sentiment()),
            line(11, comments.newest(settings)),
            collapsed=True,
        ),
    )


TAB = Tab(
    key="feedback",
    title="Feedback & quality",
    folder="Business",
    description="Are people content with the answers, and do evaluators agree?",
    owner="product team",
    sources=(
        Source("Prometheus", "figures of 30 days, and thumbs"),
        Source("PostgreSQL", "feedback, asked directly"),
        Source("Langfuse", "scores, through the ledger"),
    ),
    rows=rows,
    filters=("environment", "agent", "model", "intent"),
    choices=worst.choices,
    refresh="5m",
    time_from="now-30d",
    empty_is_fine=frozenset({"feedback/comment_terms", "feedback/comment_sentiment", "feedback/comments"}),
)
