"""A platform that is counted, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.rollups.counted import Counted


@pytest.fixture(params=["literal", "planned"])
def counted(request: pytest.FixtureRequest, schema_database: str) -> Iterator[Counted]:
    """Executions, conversations, messages and tickets in capture by snapshots, by both forms of the step."""
    with psycopg.connect(schema_database, autocommit=True, prepare_threshold=None) as connection:
        yield Counted(connection, schema_database, planned=request.param == "planned")
