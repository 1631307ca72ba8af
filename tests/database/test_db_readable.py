"""What dashboards may read of schema analytics is known to the checks, and is what stands in the database."""

from __future__ import annotations

import pytest
from database_steps import Connection

from contract.analytics import READABLE
from contract.relations import RELATIONS, Shown
from dashboards.lib.describe import read_tables
from provisioning.check.relations import relation_findings


def test_everything_readable_has_the_declared_columns(installed: Connection) -> None:
    for readable in READABLE.values():
        rows = installed.execute(f"SELECT * FROM {readable.qualified} LIMIT 0".encode())
        there = [column.name for column in rows.description or ()]
        if readable.relation or readable.name in ("llm_calls", "llm_scores"):
            assert set(readable.columns) <= set(there), readable.name
        else:
            assert list(readable.columns) == there, readable.name


def test_no_view_names_a_user_or_what_is_never_shown() -> None:
    for relation in RELATIONS.values():
        columns = set(READABLE[relation.name].columns)
        for column in relation.columns:
            if column.shown in (Shown.USER, Shown.NEVER) and column.name != "id":
                assert column.name not in columns
    assert "user_key" in READABLE["users"].columns and "id" not in READABLE["users"].columns
    assert "assignee_key" in READABLE["tickets"].columns


def test_panels_may_read_it() -> None:
    query = "SELECT priority, sum(created) FROM analytics.ticket_daily WHERE $__timeFilter(day) GROUP BY 1"
    assert list(relation_findings("place", query)) == []
    assert read_tables([query, "SELECT 1 FROM app.users"]) == ["analytics.ticket_daily", "app.users"]


@pytest.mark.parametrize("name", ["user_keys", "shadows", "totals", "own_tickets"])
def test_panels_may_not_read_what_is_not_for_them(name: str) -> None:
    (found,) = relation_findings("place", f"SELECT 1 FROM analytics.{name}")
    assert "not in the contract" in found.message
