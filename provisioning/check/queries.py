"""Every query of every dashboard: its variables exist, its PromQL and its SQL ask only for what is in the contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.boards import Board, Query, variable_expression
from provisioning.check.expressions import Inspector
from provisioning.check.relations import relation_findings
from provisioning.findings import Finding, closest, error
from provisioning.interpolation import Span, builtins, names, sql_macros, substitute

_SPAN = Span(start=0, end=6 * 3600, step=60)
"""A range that stands for any; windows that follow the range (`$__range`) are as long as its reader chooses."""


def query_findings(boards: Iterable[Board], inspector: Inspector, settings: Settings) -> Iterator[Finding]:
    """What is wrong with the queries of these dashboards."""
    own = builtins(_SPAN, duration_seconds(settings.sources.prometheus.scrape_interval))
    for board in boards:
        values = {name: _value(variable) for name, variable in board.variables.items()} | own
        for query in board.queries():
            yield from _of_one(query, values, inspector)


def _of_one(query: Query, values: dict[str, str], inspector: Inspector) -> Iterator[Finding]:
    text = query.text
    if query.language == "sql":
        try:
            text = sql_macros(substitute(text, lambda name, _: values.get(name)), _SPAN)
        except ValueError as problem:
            yield error(query.place, str(problem))
            return
    unknown = sorted({name for name in names(text) if name not in values})
    for name in unknown:
        yield error(query.place, f"variable ${name} is not defined", closest(name, values))
    if unknown:
        return
    text = substitute(text, lambda name, _: values[name])
    if query.language == "sql":
        yield from relation_findings(query.place, text)
    elif query.language == "promql":
        expression, label = variable_expression(text)
        if expression:
            yield from inspector.findings(query.place, f"count by ({label}) ({expression})" if label else expression)
    else:
        yield error(query.place, "its data source is neither Prometheus nor PostgreSQL", "name the data source's type and uid")


def _value(variable: dict[str, Any]) -> str:
    """Some value of a variable, as good as any for finding out what a query asks."""
    current = variable.get("current", {}).get("value", "")
    chosen = current[0] if isinstance(current, list) and current else current
    if chosen in ("", "$__all", []):
        return str(variable.get("allValue") or ".*")
    return str(chosen)
