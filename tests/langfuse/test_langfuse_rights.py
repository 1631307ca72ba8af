"""The ledger with the rights that an installation gives, and no more; and what the dashboards' roles see of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from ledger_world import NOON, call, score, world
from psycopg import sql
from psycopg.conninfo import make_conninfo

from contract.relations import RELATIONS, SQL_TYPES
from contract.settings import Settings
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from exporters.langfuse.cost import CostCollector
from provisioning.database.installing import carry_out, prepared


@pytest.fixture
def advancing(database: str) -> Iterator[SharedSession]:
    """A connection with the role that advances, to a database that was installed."""
    login = f"ledger_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA app")
        for relation in RELATIONS.values():
            columns = [
                f"{column.name} {SQL_TYPES.get(column.type, column.type)}{'' if column.nullable else ' NOT NULL'}"
                for column in relation.columns
            ]
            key = f"PRIMARY KEY ({', '.join(relation.key)})"
            admin.execute(f"CREATE TABLE {relation.qualified} ({', '.join([*columns, key])})".encode())
        carry_out(admin, prepared(admin, Settings(), {}), lambda _: None)
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE observatory_advance").format(sql.Identifier(login)))
    session = SharedSession(Session(lambda: make_conninfo(database, user=login), 10.0, read_only=False), 5.0)
    yield session
    session.close()
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def test_the_rights_of_an_installation_are_enough(advancing: SharedSession, database: str) -> None:
    with world(advancing) as here:
        exporter = here.exporter()
        begun = NOON + timedelta(minutes=1)
        with psycopg.connect(database, autocommit=True) as admin:
            admin.execute(
                "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, status, tool_count,"
                " retry_count, conversation_id, trace_id, api_calls_count, environment)"
                " VALUES (gen_random_uuid(), 1, 'writer', '7', %s, 'success', 0, 0, 42, 't-1', 0, 'production')",
                (begun,),
            )
        here.run(exporter)
        here.insert(call("1", begun, user_id="erika"), score("s", begun, 1.0))
        found = here.run(exporter)
        failed = [key for key, value in found.items() if key[0] == "exporter_query_success" and value == 0]
        assert failed == []
        assert found["langfuse_generations_total", "gpt-x", "production", "success"] == 1
        CostCollector(Settings(), advancing.seat()).collect(here.now[0].timestamp())
    with psycopg.connect(database) as admin:
        assert admin.execute("SELECT agent, conversation_id FROM analytics.llm_calls").fetchall() == [("writer", "42")]
        admin.execute("SET ROLE observatory_grafana_business")
        for private in ("sync_state", "fresh", "user_keys"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), admin.transaction():
                admin.execute(f"SELECT * FROM analytics.{private}".encode())
