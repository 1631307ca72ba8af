"""Variables and macros become what Grafana would send."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from provisioning.choices import Choice, opened, written
from provisioning.interpolation import Span, builtins, names, sql_macros, substitute

SPAN = Span(start=1_700_000_000, end=1_700_021_600, step=60)


def test_every_spelling_of_a_variable() -> None:
    text = 'x{a=~"$env",b="${env}",c="${env:regex}",d="[[env]]"}[$__rate_interval] $unknown $1'
    assert list(names(text)) == ["env", "env", "env", "env", "__rate_interval", "unknown"]
    filled = substitute(text, lambda name, form: {"env": f"E{form}", "__rate_interval": "4m"}.get(name))
    assert filled == 'x{a=~"E",b="E",c="Eregex",d="E"}[4m] $unknown $1'


def test_the_rate_interval_is_never_shorter_than_four_scrapes() -> None:
    assert builtins(SPAN, 15)["__rate_interval"] == "75s"
    assert builtins(Span(0, 600, 15), 15)["__rate_interval"] == "60s"
    assert builtins(SPAN, 15)["__range"] == "21600s" and builtins(SPAN, 15)["__from"] == "1700000000000"


SQL = """
SELECT $__timeGroupAlias(at, '5m'), $__timeGroup(at, $__interval),
       $__timeEpoch(at), $__unixEpochGroup(extract(epoch from at), '1h')
FROM (SELECT '2023-11-14T23:00:00Z'::timestamptz AS at) moments
WHERE $__timeFilter(at) AND at > $__timeFrom() AND at < $__timeTo() AND $__unixEpochFilter(extract(epoch from at))
  AND $__unixEpochFrom() < $__unixEpochTo()
"""


def test_postgresql_takes_every_macro(database: str) -> None:
    text = sql_macros(substitute(SQL, lambda name, _: builtins(SPAN, 15).get(name)), SPAN)
    with psycopg.connect(database) as connection:
        rows = connection.execute(text.encode()).fetchall()
    assert [[str(value) for value in row][2:] for row in rows] == [["1700002800.000000", "1700002800"]]


def test_a_macro_that_grafana_does_not_have() -> None:
    with pytest.raises(ValueError, match=r"no macro \$__timeBucket"):
        sql_macros("SELECT $__timeBucket(at)", SPAN)


def variable(**parts: Any) -> dict[str, Any]:
    return {"name": "agent", "type": "query", "multi": True, "includeAll": True, **parts}


@pytest.mark.parametrize(
    ("stored", "live", "expected"),
    [
        (variable(current={"value": ["$__all"]}, allValue=".*"), ["a", "b"], Choice(("a", "b"), True, ".*")),
        (variable(current={"value": ["b"]}), ["a", "b"], Choice(("b",), True)),
        (variable(current={"value": ["gone"]}), ["a", "b"], Choice(("a",), True)),
        (variable(current={"value": ["kept"]}), [], Choice(("kept",), True)),
        ({"type": "constant", "query": "7"}, [], Choice(("7",))),
        ({"type": "custom", "current": {"value": "1h"}, "options": [{"value": "5m"}]}, [], Choice(("1h",))),
        ({"type": "interval", "current": {}, "options": [{"value": "5m"}]}, [], Choice(("5m",))),
        (
            {
                "type": "custom",
                "multi": True,
                "current": {"value": ["$__all"]},
                "options": [{"value": "$__all"}, {"value": "x"}],
            },
            [],
            Choice(("x",), True),
        ),
    ],
)
def test_what_a_variable_starts_with(stored: dict[str, Any], live: list[str], expected: Choice) -> None:
    assert opened(stored, live) == expected


@pytest.mark.parametrize(
    ("choice", "form", "language", "text"),
    [
        (Choice(("a", "b"), True, ".*"), "regex", "sql", ".*"),
        (Choice(("a.b",), True), "regex", "sql", r"a\.b"),
        (Choice(("a", "b"), True), "regex", "sql", "(a|b)"),
        (Choice(("a.b", "c"), True), "", "promql", r"(a\\.b|c)"),
        (Choice(("a",), True), "", "promql", "a"),
        (Choice(("5m",)), "", "promql", "5m"),
        (Choice(("a'b", "c"), True), "", "sql", "'a''b','c'"),
        (Choice(("a",)), "", "sql", "a"),
        (Choice(("a", "b"), True), "sqlstring", "sql", "'a','b'"),
        (Choice(("a", "b"), True), "pipe", "promql", "a|b"),
        (Choice(("a", "b"), True), "csv", "promql", "a,b"),
        (Choice(("a", "b"), True), "json", "promql", '["a", "b"]'),
        (Choice(("a",), True), "doublequote", "sql", '"a"'),
        (Choice(("a b",), True), "percentencode", "promql", "a%20b"),
    ],
)
def test_how_a_choice_is_written(choice: Choice, form: str, language: Any, text: str) -> None:
    assert written(choice, form, language) == text
