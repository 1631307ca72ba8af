"""Which of the three sources knows what a query reads, and which tables: through recorded series and roll-ups down to both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from contract.analytics import ANALYTICS_SCHEMA, LEDGER
from contract.catalogue import series_catalogue
from contract.metrics import Metric, Source
from contract.rollup_views import ROLLUP_VIEWS
from contract.settings import Settings
from dashboards.lib.describe import read_series, read_tables
from provisioning.check.tree import names_read, parsed
from provisioning.counted_tables import tables_behind, tables_of
from recording_rules import registry

PROMETHEUS, POSTGRES, LANGFUSE = "Prometheus", "PostgreSQL", "Langfuse"
SOURCES = (PROMETHEUS, POSTGRES, LANGFUSE)
_EXPOSED = {Source.POSTGRES: POSTGRES, Source.LANGFUSE: LANGFUSE}
"""What the exporter exposes was somebody else's; all other metrics are Prometheus' own."""


class Origins:
    """Looks up where series and tables come from, with the rules that these settings give."""

    def __init__(self, settings: Settings) -> None:
        groups: Iterable[Mapping[str, Any]] = registry.rule_groups(settings)
        self._recorded: dict[str, list[str]] = {}
        for rule in (rule for group in groups for rule in group["rules"]):
            self._recorded.setdefault(rule["record"], []).append(rule["expr"])
        self._scraped = cache(self._metrics)

    def of(self, texts: Iterable[str]) -> frozenset[str]:
        """The sources of what queries read."""
        found = list(texts)
        metrics = (one for name in read_series(found) for one in self._scraped(name))
        measured = {_EXPOSED.get(one.source, PROMETHEUS) if one else PROMETHEUS for one in metrics}
        return frozenset(measured).union(*map(_of_table, read_tables(found)))

    def tables(self, texts: Iterable[str]) -> list[str]:
        """The tables of PostgreSQL from which queries' figures come, read by themselves or counted by the exporter."""
        found = list(texts)
        metrics = (one.name for name in read_series(found) for one in self._scraped(name) if one is not None)
        counted = (tables_of().get(name, ()) for name in metrics)
        return sorted({table for tables in (*counted, *map(tables_behind, read_tables(found))) for table in tables})

    def _metrics(self, name: str) -> frozenset[Metric | None]:
        """The scraped metrics that a series is made of; None stands for what the contract does not have."""
        if expressions := self._recorded.pop(name, []):  # without it meanwhile: one may be made of itself
            read = frozenset[str]().union(*(names_read(parsed(expression)) for expression in expressions))
            found = frozenset[Metric | None]().union(*map(self._scraped, read))
            self._recorded[name] = expressions
            return found
        return frozenset({series_catalogue().get(name)})


def _of_table(name: str) -> frozenset[str]:
    """Of a roll-up of several facts, all of theirs."""
    view = ROLLUP_VIEWS.get(name.removeprefix(f"{ANALYTICS_SCHEMA}."))
    if view:
        facts = {measure.fact for measure in view.measures} | {view.quantiles_of} - {""}
        return frozenset(LANGFUSE if fact.startswith("llm_") else POSTGRES for fact in facts)
    return frozenset({LANGFUSE if name.removeprefix(f"{ANALYTICS_SCHEMA}.") in LEDGER else POSTGRES})
