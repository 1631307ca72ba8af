"""A column that is renamed, which the mapping does not know yet, stops counting: never the platform's own writing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from database_steps import Connection

Observatory = Callable[..., Result]

WITH_EXPRESSION = {"database": {"relations": {"documents": {"columns": {"file_type": "lower(file_type)"}}}}}


def test_rows_can_be_changed_and_deleted_after_a_column_was_renamed(platform: Connection, observatory: Observatory) -> None:
    assert observatory("install").exit_code == 0
    platform.execute("ALTER TABLE app.documents RENAME COLUMN file_type TO kind")
    platform.execute("UPDATE app.documents SET kind = 'zip'")
    platform.execute("DELETE FROM app.documents")
    noted = "SELECT key, texts[array_position(names, 'file_type')] FROM analytics.retractions ORDER BY noted_at"
    assert platform.execute(noted).fetchall() == [("1", "pdf"), ("1", "zip")]
    platform.execute("ALTER TABLE app.documents RENAME COLUMN kind TO file_type")
    assert observatory("install").exit_code == 0


@pytest.mark.parametrize(
    "breaks",
    [
        "ALTER TABLE app.documents RENAME COLUMN file_type TO kind",
        "ALTER TABLE app.documents DROP COLUMN file_type CASCADE; ALTER TABLE app.documents ADD COLUMN file_type int[]",
    ],
)
def test_an_expression_that_fails_asks_for_a_rebuild_and_not_the_platform(
    platform: Connection, observatory: Observatory, breaks: str
) -> None:
    Path("observatory.yaml").write_text(yaml.safe_dump(WITH_EXPRESSION))
    assert observatory("install").exit_code == 0
    before = platform.execute("SELECT observatory_xid FROM app.documents").fetchall()
    for statement in breaks.split("; "):
        platform.execute(statement.encode())
    platform.execute("UPDATE app.documents SET status = 'failed'")
    assert platform.execute("SELECT observatory_xid FROM app.documents").fetchall() != before
    platform.execute("DELETE FROM app.documents")
    noted = platform.execute("SELECT DISTINCT key FROM analytics.retractions WHERE source = 'documents'")
    assert noted.fetchall() == [("",)], "the mark of a source that is to be counted anew"


@pytest.mark.parametrize("configuration", [{}, WITH_EXPRESSION])
def test_what_was_installed_holds_no_column_that_is_not_counted(
    platform: Connection, observatory: Observatory, configuration: dict[str, object]
) -> None:
    platform.execute("ALTER TABLE app.documents ADD COLUMN colour text")
    Path("observatory.yaml").write_text(yaml.safe_dump(configuration))
    assert observatory("install").exit_code == 0
    platform.execute("ALTER TABLE app.documents DROP COLUMN colour")
    platform.execute("UPDATE app.documents SET file_type = 'ZIP'")
    platform.execute("DELETE FROM app.documents")
    removed = observatory("uninstall", "--yes")
    assert removed.exit_code == 0, removed.output
