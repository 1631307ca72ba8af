"""The tab of the knowledge base: do searches find something, fast, and do documents come in?"""

from __future__ import annotations

from contract.settings import Settings
from dashboards.knowledge import documents, headline, searches
from dashboards.lib.layout import Row, line, row
from dashboards.lib.tab import Source, Tab


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "headline",
            "Does the knowledge base answer?",
            line(4, headline.state(settings)),
            line(4, headline.empty(settings), headline.duration(settings), headline.uploads(settings)),
            line(4, headline.searches(), headline.documents(), headline.chunks()),
        ),
        row("traffic", "Searches and uploads", line(9, searches.rate(), documents.uploads())),
        row(
            "errors",
            "What goes wrong",
            line(9, searches.empty(settings), searches.results(), documents.upload_success(settings)),
        ),
        row(
            "latency",
            "How fast",
            line(9, searches.durations(settings), searches.vector_store(settings)),
            line(9, searches.retrieval(), documents.processing_time()),
        ),
        row(
            "documents",
            "Documents",
            line(7, documents.by_status(), documents.types(), documents.processing()),
        ),
        row("found", "What searches find", line(11, searches.found(), searches.spread()), collapsed=True),
        row(
            "types",
            "Documents by type, and who brings them",
            line(8, documents.by_type(settings)),
            line(9, documents.uploaders()),
            collapsed=True,
        ),
        row("failed", "Latest documents that failed", line(10, documents.failed()), collapsed=True),
    )


TAB = Tab(
    key="knowledge",
    title="Knowledge base",
    folder="Business",
    description="Do searches find something, fast, and do documents come in?",
    owner="agents team",
    sources=(
        Source("Prometheus", "scraped every 15 s; rates look back five minutes to a day"),
        Source("PostgreSQL", "once a minute through the exporter; tables and days ask directly"),
    ),
    rows=rows,
    time_from="now-7d",
    empty_is_fine=frozenset({"knowledge/failed"}),
)
