"""SQL reads the contract's relations and nothing else."""

from __future__ import annotations

import pytest

from provisioning.check.relations import relation_findings, relation_names


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1 FROM app.users u JOIN app.agents a ON true", ["app.users", "app.agents"]),
        (
            "SELECT 1 FROM app.users, app.agents a, LATERAL (SELECT * FROM app.messages) m",
            ["app.users", "app.agents", "app.messages"],
        ),
        ("SELECT extract(epoch FROM created_at), trim(both ' ' from role) FROM app.users", ["app.users"]),
        ("SELECT 1 FROM generate_series(1, 2) g, app.users WHERE a IS DISTINCT FROM b", ["app.users"]),
        ('SELECT \'from app.lies\' /* from app.lies */ FROM "app"."tickets" -- from app.lies', ["app.tickets"]),
        ("SELECT a, b FROM app.users WHERE id IN (SELECT x, y FROM app.messages) ORDER BY a, b", ["app.users", "app.messages"]),
    ],
)
def test_names_behind_from_and_join(sql: str, names: list[str]) -> None:
    assert relation_names(sql) == names


def test_common_table_expressions_are_known() -> None:
    sql = "WITH x AS (SELECT 1 FROM app.users), y AS (SELECT * FROM x) SELECT * FROM y"
    assert list(relation_findings("place", sql)) == []


@pytest.mark.parametrize(
    ("sql", "message", "remedy"),
    [
        ("SELECT 1 FROM app.agent", "reads app.agent, which is not in the contract", "did you mean app.agents?"),
        ("SELECT 1 FROM users", "reads users, which is not in the contract", "did you mean app.users?"),
        ("DELETE FROM app.users", "DELETE changes data", "panels only read"),
        ("SELECT 1 FROM app.users; SELECT 2", "more than one statement", "one SELECT"),
    ],
)
def test_a_fault_is_found_and_nothing_else(sql: str, message: str, remedy: str) -> None:
    found = list(relation_findings("place", sql))
    assert len(found) == 1, found
    assert found[0].message == message and remedy in found[0].remedy
