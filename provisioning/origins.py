"""Which of the three sources knows what a query reads, through recorded series and roll-ups down to who measured it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from contract.analytics import ANALYTICS_SCHEMA, LEDGER
from contract.catalogue import series_catalogue
from contract.metrics import Source
from contract.rollup_views import ROLLUP_VIEWS
from contract.settings import Settings
from dashboards.lib.describe import read_series, read_tables
from provisioning.check.tree import names_read, parsed
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
        self._of_series = cache(self._series)

    def of(self, texts: Iterable[str]) -> frozenset[str]:
        """The sources of what queries read."""
        found = list(texts)
        series = (self._of_series(name) for name in read_series(found))
        return frozenset().union(*series, *map(_of_table, read_tables(found)))

    def _series(self, name: str) -> frozenset[str]:
        if expressions := self._recorded.pop(name, []):  # without it meanwhile: one may be made of itself
            read = frozenset[str]().union(*(names_read(parsed(expression)) for expression in expressions))
            found = frozenset[str]().union(*map(self._of_series, read))
            self._recorded[name] = expressions
            return found
        metric = series_catalogue().get(name)
        return frozenset({_EXPOSED.get(metric.source, PROMETHEUS) if metric else PROMETHEUS})


def _of_table(name: str) -> frozenset[str]:
    """Of a roll-up of several facts, all of theirs."""
    view = ROLLUP_VIEWS.get(name.removeprefix(f"{ANALYTICS_SCHEMA}."))
    if view:
        facts = {measure.fact for measure in view.measures} | {view.quantiles_of} - {""}
        return frozenset(LANGFUSE if fact.startswith("llm_") else POSTGRES for fact in facts)
    return frozenset({LANGFUSE if name.removeprefix(f"{ANALYTICS_SCHEMA}.") in LEDGER else POSTGRES})
