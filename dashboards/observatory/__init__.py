"""The Observatory tab: is what watches the platform itself well? From the sources to the message that reaches a person."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.layout import Row, line, row
from dashboards.lib.profiles import profiled
from dashboards.lib.tab import Source, Tab
from dashboards.lib.variables import LabelsVariable
from dashboards.observatory import changes, delivery, exporter, ledger, reading, rollups, state, viewers, wishes


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row("state", "Is it well?", line(4, state.state(settings))),
        row(
            "reading",
            "Does it see everything?",
            line(7, reading.targets(), reading.ages(settings), reading.sources_up()),
            line(8, reading.query_durations(), reading.failing_queries()),
        ),
        row(
            "rollups",
            "Does it count right?",
            line(9, rollups.behind(settings), rollups.counted()),
        ),
        row(
            "ledger",
            "Model calls",
            line(9, ledger.lag(settings), ledger.requests_left(settings), ledger.reconciliation()),
            line(7, ledger.corrections(), ledger.unpriced(), ledger.cut()),
        ),
        row(
            "delivery",
            "Would somebody be told?",
            line(9, delivery.rule_share(settings), delivery.rule_failures()),
            line(7, delivery.notifications(), delivery.failures_by_way(), delivery.versions()),
        ),
        row(
            "changes",
            "What people changed",
            line(8, changes.record()),
            line(9, wishes.settings()),
            line(6, profiled("Which agents are profiled?")),
        ),
        *(viewers.rows() if settings.api.viewers else ()),
        row(
            "exporter",
            "The exporter's own use of things",
            line(7, exporter.memory(), exporter.cpu(), exporter.connections()),
            line(7, exporter.scrape_durations(), exporter.samples(), exporter.refused()),
            collapsed=True,
        ),
        row("detail", "Queries and roll-ups in detail", line(9, reading.jobs()), line(9, rollups.state()), collapsed=True),
        row("storage", "Sizes and slow statements", line(11, rollups.tables(), rollups.slow_statements()), collapsed=True),
    )


LABELS = LabelsVariable(
    name="labels",
    label="Labels",
    description="Any label of what is scraped, such as instance, collector or source: only series that have it so are shown. "
    "Acts on every panel of Prometheus here; other tabs read what rules have summed, which has few labels left.",
)

TAB = Tab(
    key="observatory",
    title="Observatory",
    folder="Administration",
    description="Does what watches the platform see, count and tell everything?",
    owner="platform team",
    sources=(
        Source("Prometheus", "what exporter, Prometheus and Alertmanager say of themselves"),
        Source("PostgreSQL", "as the exporter saw it last; what people changed is asked when the tab is opened"),
        Source("Langfuse", "as the exporter saw it last"),
    ),
    rows=rows,
    filters=(),
    choices=lambda _settings: (LABELS,),
    empty_is_fine=frozenset(
        f"observatory/{name}"
        for name in ("failing_queries", "slow_statements", "requests_left", "changes", "profiling", "settings")
    ),
)
