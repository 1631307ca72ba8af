"""The documentation of the database names what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.analytics import READABLE
from contract.relations import RELATIONS, Relation
from exporters.database.roles import Role
from provisioning.database.commands import db

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "database.md").read_text(encoding="utf-8")


def table_row(relation: Relation) -> str:
    columns = ", ".join(f"`{column.name}` {column.type}{'?' * column.nullable}{column.shown}" for column in relation.columns)
    return f"| `{relation.name}`{' (may be absent)' * relation.optional} | {columns} |"


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=RELATIONS)
def test_every_table_of_the_contract_is_listed_as_it_is(relation: Relation) -> None:
    assert table_row(relation) in TEXT


def test_every_role_command_and_view_is_named() -> None:
    for name in (*Role, *(f"db {command}" for command in db.commands)):
        assert f"`{name}" in TEXT, name
    for readable in READABLE.values():
        assert f"`{readable.name}`" in TEXT, readable.name
