"""The tables behind figures of PostgreSQL, by what the exporter is declared to count and views are declared to show."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from contract.analytics import ANALYTICS_SCHEMA, READABLE
from contract.catalogue import of_source
from contract.metrics import Source
from contract.relations import APP_SCHEMA
from contract.rollup_views import ROLLUP_VIEWS
from exporters.business import active_users, load_tests, open_tickets, regressions, states, tables
from exporters.business.figures import FACTS, FIGURES, PAST_DUE
from exporters.outlook import collector as outlook
from exporters.rollups.model import Source as Counted
from exporters.rollups.sources import SOURCES
from exporters.rollups.sources.service import TICKETS
from exporters.rollups.sources.talk import MESSAGES

_LEDGER = f"{ANALYTICS_SCHEMA}.llm_calls"


@cache
def tables_of() -> Mapping[str, tuple[str, ...]]:
    """The tables behind each metric from PostgreSQL, by what the exporter is declared to count."""
    found: dict[str, set[str]] = {one.name: set() for one in of_source(Source.POSTGRES)}
    for source in SOURCES.values():
        given = [one for fact in source.facts for one in fact.yields] + [one for stock in source.stocks for one in stock.yields]
        for one in given:
            found[one.metric] |= _relations(source)
    for figure in FIGURES:
        for fact in figure.facts:
            found[figure.metric] |= _relations(TICKETS if fact == PAST_DUE else FACTS[fact][0])
    for name in (active_users.ACTIVE, active_users.ACTIVE_BEFORE):
        found[name] |= _relations(MESSAGES)
    for name in open_tickets.YIELDS:
        found[name] |= _relations(TICKETS)
    for names in regressions.YIELDS.values():
        for name in names:
            found[name] |= {"agent_executions", "agents", "deployments"}
    named = {name: _named(tables_) for name, tables_ in found.items()}
    for names, own in _OWN.items():
        for name in names:
            named[name] += own
    return {name: tuple(tables_) for name, tables_ in named.items()}


def tables_behind(readable: str) -> frozenset[str]:
    """The tables that a table or view which queries may read, `schema.name`, shows or counts; itself where it is one."""
    name = readable.removeprefix(f"{ANALYTICS_SCHEMA}.")
    if view := ROLLUP_VIEWS.get(name):
        facts = {measure.fact for measure in view.measures} | {view.quantiles_of} - {""}
        counted = (_named(_relations(FACTS[fact][0])) if fact in FACTS else [_LEDGER] for fact in facts)
        return frozenset(table for tables_ in counted for table in tables_)
    shown = READABLE[name].relation if name in READABLE and readable != name else ""
    return frozenset({f"{APP_SCHEMA}.{shown}" if shown else readable})


def _relations(source: Counted) -> set[str]:
    return {source.relation, *(join.relation for join in source.joins)}


def _named(relations: set[str]) -> list[str]:
    return sorted(f"{APP_SCHEMA}.{relation}" for relation in relations)


_OWN: dict[tuple[str, ...], tuple[str, ...]] = {
    (*states.YIELDS, "platform_rollup_open_rows"): (f"{ANALYTICS_SCHEMA}.sources",),
    ("platform_rollup_open_rows",): (f"{ANALYTICS_SCHEMA}.shadows",),
    regressions.YIELDS["regressions"]: (f"{ANALYTICS_SCHEMA}.regressions",),
    load_tests.YIELDS: (f"{ANALYTICS_SCHEMA}.load_tests",),
    outlook.YIELDS["standing"]: tuple(f"{ANALYTICS_SCHEMA}.{table}" for table in ("advice", "forecast_trials", "outlook_runs")),
    tables.YIELDS["table_sizes"]: ("pg_class",),
    tables.YIELDS["slow_statements"]: ("pg_stat_statements",),
}
"""What is read of our own schema, and of PostgreSQL's."""
