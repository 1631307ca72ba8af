"""Named queries hold on any platform, whatever its ids are."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg

from api.catalogue.endpoints import every_query
from contract.data_plane import Database
from contract.settings import Settings
from provisioning.database.installing import carry_out, prepared
from tests.database.database_platforms import create_supabase

GIVEN: dict[str, Any] = {
    "since": datetime(2020, 1, 1, tzinfo=UTC), "until": datetime(2030, 1, 1, tzinfo=UTC), "limit": 10, "offset": 0,
}  # fmt: skip


def test_every_named_query_is_answered_where_ids_are_uuids(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        create_supabase(connection)
        carry_out(connection, prepared(connection, Settings(database=Database(preset="supabase")), {}), lambda _: None)
        for query in every_query():
            ids = dict.fromkeys(query.needs, str(uuid.UUID(int=1)))
            connection.execute(query.statement(frozenset()).encode(), {**GIVEN, **ids})
