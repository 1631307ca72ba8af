"""How old a tab's figures are: the small panel that stands beside what the tab answers."""

from __future__ import annotations

from collections.abc import Sequence

from contract.settings import Settings
from contract.signals.model import Level
from contract.values import duration_seconds
from dashboards.lib.field import at_most
from dashboards.lib.figures import Stat
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, ask
from recording_rules.slo import one_of

DATA_TIME = Level(
    "data_time", "Newest figures", "Time for which the exporter's figures of a source are true", "s",
    "exporter_source_data_timestamp_seconds", operator="max",
)  # fmt: skip
OFTEN = ("rollups", "postgres", "langfuse")
"""Sources that are asked every minute; sizes of tables, audits and budgets may be older without harm."""
_ASKED = {"PostgreSQL": ("rollups", "postgres"), "Langfuse": ("langfuse",)}
_SCRAPED = 'time() - max(max_over_time((time() * (up{job="platform"} == 1))[1h:15s]))'


def ages(settings: Settings, sources: Sequence[str]) -> Panel:
    """How long ago the newest figures of these sources (PostgreSQL, Langfuse, Prometheus) were true."""
    parts = []
    for source in sources:
        if source in _ASKED:
            newest = ask(DATA_TIME, ("source",), where=(one_of("source", _ASKED[source]),))
            parts.append(f'label_replace(time() - min({newest}), "source", "{source}", "", "")')
        else:
            parts.append(f'label_replace({_SCRAPED}, "source", "{source}", "", "")')
    limit = duration_seconds(settings.exporter.max_age)
    return Stat(
        name="ages",
        title="How old are these figures?",
        description=(
            "How long ago the newest figures were true. Red from "
            f"{settings.exporter.max_age}: this page shows the past; the tab Observatory says which query fails."
        ),
        targets=(PromQuery(expr="\nor ".join(parts), legend="{{source}}", instant=True),),
        width=8,
        unit="s",
        decimals=0,
        minimum=0,
        no_value="nothing was ever read",
        limits=at_most(min(120, limit / 2), limit),
        shown="value_and_name",
        value_size=20,
        title_size=12,
    )
