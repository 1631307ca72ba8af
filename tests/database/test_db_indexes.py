"""Indexes that the usual questions need: asked as people ask, answered by an index."""

from __future__ import annotations

import psycopg
import pytest
from database_steps import Connection, install, settings_of
from psycopg import sql

from api.catalogue.people import MOST_ACTIVE
from api.catalogue.single import ERROR_KINDS, LATEST_ERRORS
from contract.data_plane import Mapped
from exporters.database.catalogue import DRAFT, tables
from exporters.database.indexes import MARK, building, index_name
from exporters.database.removal import removal_steps
from exporters.rollups import functions

QUESTIONS = {
    "executions by start": ("app.agent_executions", "start_time >= now() - interval '1 hour'"),
    "executions of an agent": ("app.agent_executions", "agent_id = 7"),
    "executions of a session": ("app.agent_executions", "session_id = '00000000-0000-0000-0000-0000000000aa'"),
    "calls of a tool": ("app.tool_usage_metrics", "tool_name = 'search'"),
    "calls of an execution": ("app.tool_usage_metrics", "execution_id = '00000000-0000-0000-0000-000000000001'"),
    "runs of a kind of workflow": ("app.workflow_metrics", "workflow_type = 'refund'"),
    "runs of a session": ("app.workflow_metrics", "session_id = '00000000-0000-0000-0000-0000000000aa'"),
    "sessions of a user": ("app.session_metrics", "user_id = 7"),
    "sessions by start": ("app.session_metrics", "start_time >= now() - interval '1 hour'"),
    "conversations by start": ("app.conversations", "created_at >= now() - interval '1 hour'"),
    "messages of a conversation": ("app.messages", "conversation_id = 7"),
    "messages by time": ("app.messages", "created_at >= now() - interval '1 hour'"),
    "tickets by change": ("app.tickets", "updated_at >= now() - interval '1 hour'"),
    "documents by change": ("app.documents", "updated_at >= now() - interval '1 hour'"),
    "feedback by time": ("app.feedback", "created_at >= now() - interval '1 hour'"),
    "spans of a trace": ("app.trace_spans", "trace_id = 't'"),
}


def plan(connection: Connection, query: str) -> str:
    return "\n".join(line for (line,) in connection.execute(f"EXPLAIN {query}".encode()))


def indexes(connection: Connection, table: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT indexname FROM pg_indexes WHERE tablename = %s", (table,))}


def built_again(connection: Connection, column: str) -> list[sql.Composed]:
    """What builds our index over a column of the messages, of which the first statement removes the one that is there."""
    table = ("app", "messages")
    over = sql.SQL("({})").format(sql.Identifier(column))
    return list(building(tables(connection, [table])[table], index_name(table, column), over))


def test_the_usual_questions_use_an_index(installed: Connection) -> None:
    installed.execute("SET enable_seqscan = off")
    for name, (table, condition) in QUESTIONS.items():
        found = plan(installed, f"SELECT count(*) FROM {table} WHERE {condition}")
        assert "Seq Scan" not in found and "Index" in found, f"{name}\n{found}"


def test_a_redacted_view_uses_the_tables_index(installed: Connection) -> None:
    installed.execute("SET enable_seqscan = off")
    for condition in ("start_time >= now() - interval '1 hour'", "status = 'success' AND start_time >= now()"):
        found = plan(installed, f"SELECT agent_name, user_key FROM analytics.agent_executions WHERE {condition} LIMIT 20")
        assert "observatory_agent_executions_start_time" in found, found


def test_what_is_asked_of_a_part_comes_from_an_index_over_it(installed: Connection) -> None:
    installed.execute("VACUUM ANALYZE app.messages, app.agent_executions")
    installed.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    range_ = {"since": "2026-11-01", "until": "2026-11-30", "limit": 10, "offset": 0}
    for query, scan in (
        (ERROR_KINDS, "Index Scan using observatory_agent_executions_status_failed"),
        (LATEST_ERRORS, "Index Scan using observatory_agent_executions_status_failed"),
        (MOST_ACTIVE, "Index Only Scan using observatory_messages_role_own"),
    ):
        asked = f"EXPLAIN {query.statement(frozenset())}"
        found = "\n".join(line for (line,) in psycopg.ClientCursor(installed).execute(asked, range_))
        assert f"{scan} on" in found, found


def test_there_is_no_index_over_what_only_an_expression_tells(platform: Connection) -> None:
    """For the view asks for the expression, which the index does not know."""
    install(platform, settings_of(relations={"agent_executions": Mapped(columns={"status": "lower(status)"})}))
    assert indexes(platform, "agent_executions").isdisjoint({"observatory_agent_executions_status_failed"})
    assert "observatory_messages_role_own" in indexes(platform, "messages")


def test_a_part_follows_the_mapping(installed: Connection) -> None:
    """Another column tells it apart from now on, and another one is its time."""
    installed.execute("ALTER TABLE app.agent_executions ADD COLUMN state text")
    installed.execute("ALTER TABLE app.messages ADD COLUMN sent timestamptz")
    mapped = {"agent_executions": Mapped(columns={"status": "state"}), "messages": Mapped(columns={"created_at": "sent"})}
    install(installed, settings_of(relations=mapped))
    assert "observatory_agent_executions_state_failed" in indexes(installed, "agent_executions")
    asked = "SELECT pg_get_indexdef('app.observatory_messages_role_own'::regclass)"
    assert "(sent) INCLUDE" in installed.execute(asked).fetchone()[0]


def test_a_users_own_rows_come_by_index(installed: Connection) -> None:
    installed.execute("SET enable_seqscan = off")
    found = plan(installed, "SELECT * FROM analytics.own_conversations")
    assert "observatory_conversations_user_id" in found and "user_keys_user_key" in found, found
    assert "llm_calls_user_key" in plan(installed, "SELECT * FROM analytics.own_llm_calls")


def test_keys_of_users_are_looked_up_only_where_they_are_read(installed: Connection) -> None:
    assert "user_keys" not in plan(installed, "SELECT id, status FROM analytics.tickets")
    assert plan(installed, "SELECT user_key FROM analytics.tickets").count("user_keys") > 0


def test_an_index_that_is_there_already_is_not_made_twice(platform: Connection) -> None:
    platform.execute("CREATE INDEX theirs ON app.conversations (created_at, id)")
    install(platform, settings_of())
    names = indexes(platform, "conversations")
    assert "theirs" in names and "observatory_conversations_created_at" not in names


def test_what_an_interrupted_build_left_is_made_anew(installed: Connection) -> None:
    left = [f"app.{index_name(('app', 'messages'), of)}" for of in ("created_at", "role_own")]
    installed.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = ANY (%s::regclass[])", (left,))
    install(installed, settings_of())
    asked = "SELECT bool_and(indisvalid), count(*) FROM pg_index WHERE indexrelid = ANY (%s::regclass[])"
    assert installed.execute(asked, (left,)).fetchone() == (True, 2)


def test_what_an_interrupted_build_left_is_removed_with_the_rest(installed: Connection) -> None:
    """It was not marked yet: whole, or of an earlier version and not valid. What has such a name, is whole and theirs stays."""
    left, whole = (index_name(("app", "messages"), of) for of in ("role_own", "created_at"))
    installed.execute(sql.SQL("COMMENT ON INDEX app.{} IS NULL").format(sql.Identifier(left)))
    installed.execute(sql.SQL("COMMENT ON INDEX app.{} IS NULL").format(sql.Identifier(whole)))
    installed.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", (f"app.{left}",))
    *before, _ = built_again(installed, "conversation_id")
    for statement in before:
        installed.execute(statement)
    for step in removal_steps(installed, functions.names()):
        for statement in step.statements:
            installed.execute(statement)
    assert {name for name in indexes(installed, "messages") if name.startswith("observatory_")} == {whole}


@pytest.mark.parametrize("ends", range(4))
def test_wherever_a_build_is_interrupted_the_next_one_ends_it(installed: Connection, ends: int) -> None:
    index = index_name(("app", "messages"), "conversation_id")
    was = indexes(installed, "messages")
    for statement in built_again(installed, "conversation_id")[: ends + 1]:
        installed.execute(statement)
    install(installed, settings_of())
    assert indexes(installed, "messages") == was
    marked = installed.execute("SELECT obj_description(%s::regclass)", (f"app.{index}",)).fetchone()
    assert marked == (MARK,)


def test_who_builds_what_another_has_just_built_leaves_it(installed: Connection) -> None:
    was = indexes(installed, "messages")
    _, *rest = built_again(installed, "conversation_id")
    for statement in rest:
        installed.execute(statement)
    assert indexes(installed, "messages") == was


def test_long_names_fit() -> None:
    name = index_name(("app", "a" * 60), "created_at")
    assert len(name) <= 63 and name.startswith("observatory_")
    assert name != index_name(("app", "a" * 60), "updated_at")
    assert not index_name(("app", "draft_messages"), "created_at").startswith(DRAFT), "which is no index yet"
