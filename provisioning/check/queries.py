"""Every query of every dashboard: its variables exist, its PromQL and its SQL ask only for what is in the contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.boards import Board, Query, variable_expression
from provisioning.check.expressions import Inspector
from provisioning.check.relations import relation_findings
from provisioning.check.sql import sql_findings
from provisioning.check.subselects import per_row_findings
from provisioning.check.tree import names_read, parsed
from provisioning.choices import opened, written
from provisioning.findings import Finding, closest, error
from provisioning.interpolation import Span, builtins, names, sql_macros, substitute

_SPAN = Span(start=0, end=6 * 3600, step=60)
"""A range that stands for any; windows that follow the range (`$__range`) are as long as its reader chooses."""
_SOME = ("1",)
"""What a variable offers that asks a database: good as a number, and as a text."""
_CHOSEN = re.compile(r"""(\w+)\s*(?:=~|!~|!=|=)\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")


def query_findings(boards: Iterable[Board], inspector: Inspector, settings: Settings) -> Iterator[Finding]:
    """What is wrong with the queries of these dashboards."""
    for board in boards:
        values = _values(board, settings)
        for query in board.queries():
            if query.language == "sql":
                yield from _of_sql(board, query, values)
            else:
                yield from _of_one(query, values, inspector)


def series_read(boards: Iterable[Board], settings: Settings) -> frozenset[str]:
    """Names of the series that the queries of these dashboards select. What cannot be read is said by `query_findings`."""
    found: frozenset[str] = frozenset()
    for board in boards:
        values = _values(board, settings)
        for query in board.queries():
            if query.language == "promql" and not set(names(query.text)) - values.keys():
                expression, _ = variable_expression(_filled(query.text, values))
                try:
                    found |= names_read(parsed(expression))
                except ValueError:
                    continue
    return found


def _values(board: Board, settings: Settings) -> dict[str, str]:
    """Some value of every variable that a dashboard may name, Grafana's own included."""
    own = builtins(_SPAN, duration_seconds(settings.sources.prometheus.scrape_interval))
    return {name: _value(variable) for name, variable in board.variables.items()} | own


def _of_one(query: Query, values: dict[str, str], inspector: Inspector) -> Iterator[Finding]:
    text = query.text
    unknown = list(_undefined(query.place, text, values))
    if unknown:
        yield from unknown
        return
    chosen = frozenset((label, _filled(value[1:-1], values)) for label, value in _CHOSEN.findall(text) if any(names(value)))
    text = _filled(text, values)
    if query.language == "promql":
        expression, label = variable_expression(text)
        if expression:
            asked = f"group by ({label}) ({expression})" if label else expression
            yield from inspector.findings(query.place, asked, chosen=chosen)
    else:
        yield error(query.place, "its data source is neither Prometheus nor PostgreSQL", "name the data source's type and uid")


def _of_sql(board: Board, query: Query, values: dict[str, str]) -> Iterator[Finding]:
    try:
        text = _as_asked(board, query, values)
    except ValueError as problem:
        yield error(query.place, str(problem))
        return
    unknown = list(_undefined(query.place, text, values))
    if unknown:
        yield from unknown
        return
    yield from relation_findings(query.place, text)
    faults = list(sql_findings(query.place, text))
    yield from faults or per_row_findings(query.place, text)


def _undefined(place: str, text: str, values: dict[str, str]) -> Iterator[Finding]:
    for name in sorted({name for name in names(text) if name not in values}):
        yield error(place, f"variable ${name} is not defined", closest(name, values))


def _as_asked(board: Board, query: Query, values: dict[str, str]) -> str:
    """SQL as Grafana sends it when some value is chosen of each variable. Raises ValueError for a macro that there is not."""

    def value(name: str, form: str) -> str | None:
        variable = board.variables.get(name)
        return values.get(name) if variable is None else written(opened(variable, _SOME), form, "sql")

    return sql_macros(substitute(query.text, value), _SPAN)


def statements(boards: Iterable[Board], settings: Settings) -> Iterator[tuple[str, str]]:
    """Place and SQL of every query of a database that is sound in itself, as Grafana would send it."""
    for board in boards:
        values = _values(board, settings)
        for query in board.queries():
            if query.language == "sql" and not list(_of_sql(board, query, values)):
                yield query.place, _as_asked(board, query, values)


def _filled(text: str, values: dict[str, str]) -> str:
    """A text whose variables all have a value, with these values."""
    return substitute(text, lambda name, _: values[name])


def _value(variable: dict[str, Any]) -> str:
    """Some value of a variable, as good as any for finding out what a query asks."""
    current = variable.get("current", {}).get("value", "")
    chosen = current[0] if isinstance(current, list) and current else current
    if chosen in ("", "$__all", []):
        return str(variable.get("allValue") or ".*")
    return str(chosen)
