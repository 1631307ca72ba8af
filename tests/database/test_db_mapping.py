"""The mapping without a database: presets, changes of the configuration, and mistakes in it."""

from __future__ import annotations

from typing import Any

import pytest
from database_steps import settings_of

from contract.data_plane import Mapped
from contract.relations import RELATIONS
from exporters.database.expressions import expression_problem, is_constant, is_name, query_problem
from exporters.database.mapping import Mapping, MappingError


def mapping_of(preset: str = "contract", **relations: Any) -> Mapping:
    return Mapping.of(settings_of(preset=preset, relations={name: Mapped(**said) for name, said in relations.items()}))


def test_a_relation_that_nobody_mapped_is_the_table_itself() -> None:
    mapping = mapping_of()
    for name in RELATIONS:
        assert mapping.table(name).as_string(None) == f'"app"."{name}"'
        assert mapping.driving(name) == ("app", name)


def test_columns_are_renamed_computed_and_left_out() -> None:
    mapping = mapping_of(chunks={"table": "public.parts", "columns": {"token_count": "length / 4", "document_id": "doc"}})
    assert mapping.table("chunks").as_string(None) == (
        '(SELECT "id" AS "id", "doc" AS "document_id", "created_at"::timestamptz AS "created_at", '
        '(length / 4)::integer AS "token_count" FROM "public"."parts")'
    )
    assert mapping.expression("chunks", "document_id", "OLD").as_string(None) == 'OLD."doc"'
    assert mapping.expression("chunks", "token_count", "t").as_string(None) == (
        '(SELECT (length / 4) FROM (SELECT "t".*) AS mapped)::integer'
    )
    assert mapping.column("chunks", "token_count") is None


def test_what_people_wrote_is_null_unless_it_is_asked_for() -> None:
    mapping = mapping_of(feedback={"table": "public.votes"})
    assert 'NULL::text AS "comment"' in mapping.table("feedback").as_string(None)
    assert '"comment"::text AS "comment"' in mapping.table("feedback", texts=True).as_string(None)


def test_an_absent_relation_has_no_rows_and_the_right_columns() -> None:
    text = mapping_of(login_events={"absent": True}).table("login_events").as_string(None)
    assert text.endswith("WHERE false)")
    for column in ("id", "user_id", "at", "result"):
        assert f'AS "{column}"' in text


def test_a_site_changes_single_columns_of_a_preset() -> None:
    mapping = mapping_of("supabase", conversations={"columns": {"intent": "metadata ->> 'intent'"}})
    text = mapping.table("conversations").as_string(None)
    assert "(metadata ->> 'intent')::text AS \"intent\"" in text
    assert 'FROM "public"."agent_conversations"' in text and '"agent_name" AS "agent_id"' in text


def test_a_site_has_what_a_preset_has_not() -> None:
    mapping = mapping_of("supabase", login_events={"table": "public.logins", "columns": {"at": "created_at"}})
    assert mapping.driving("login_events") == ("public", "logins")
    assert mapping.is_absent("messages")


def test_a_stamped_query_takes_the_stamp_of_its_driving_table() -> None:
    text = mapping_of("supabase").stamped("users").as_string(None)
    assert 'FROM "public"."profiles") AS driving ON driving.driving_key = mapped."id")' in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a; DROP TABLE users", "semicolon"),
        ("a -- b", "comment"),
        ("a /* b", "comment"),
        ("(a", "opens a bracket"),
        ("a) FROM secrets WHERE (true", "closes a bracket"),
        ("a[1)", "closes a bracket"),
        ("'a", "quote"),
        ('"a', "quote"),
        ("a, b", "comma"),
        ("$$a$$", "dollar"),
        ("", "empty"),
    ],
)
def test_what_is_not_one_expression_is_refused(text: str, why: str) -> None:
    assert why in expression_problem(text)
    with pytest.raises(MappingError, match=r"database\.relations\.users\.columns\.role: "):
        mapping_of(users={"columns": {"role": text}})


@pytest.mark.parametrize("text", ["a", "coalesce(a, 'x')", "'it''s; -- fine'", "a -> 'b' ->> 'c'", "(a)[1]", "a - -b", '"a;b"'])
def test_one_expression_is_taken(text: str) -> None:
    assert expression_problem(text) == ""


def test_a_query_begins_as_one_and_is_one() -> None:
    assert query_problem("SELECT a, b FROM c") == ""
    assert query_problem("WITH x AS (SELECT 1) SELECT * FROM x") == ""
    assert "not a query" in query_problem("DELETE FROM users")
    assert "semicolon" in query_problem("SELECT 1; SELECT 2")


def test_names_and_constants_are_told_from_expressions() -> None:
    assert is_name("created_at") and not is_name("a.b") and not is_name("NULL") and not is_name("a b")
    assert is_constant("'production'") and is_constant("-1.5") and is_constant("true") and is_constant("'x'::text")
    assert not is_constant("a") and not is_constant("'a' || b") and not is_constant("now()")


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(MappingError) as said:
        mapping_of(users={"table": "users", "columns": {"role": "a; b", "status": None}}, chunks={"query": "nothing"})
    assert len(said.value.mistakes) == 4
    text = str(said.value)
    assert "database.relations.users.table: 'users' is no name of a table; write schema.table" in text
    assert "database.relations.users.columns.status: null, but every row needs one" in text
    assert "database.relations.chunks.query: not a query" in text


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('"Odd ""place"""."agent.runs 100%"', ('Odd "place"', "agent.runs 100%")),
        ('public."Läufe"', ("public", "Läufe")),
    ],
)
def test_a_name_that_is_not_plain_is_written_in_quotes(written: str, name: tuple[str, str]) -> None:
    assert mapping_of("contract", documents={"table": written}).driving("documents") == name


@pytest.mark.parametrize("written", ['public."runs', 'public.""', "public.a b", 'public."a"b"', '"public.runs"'])
def test_a_name_in_half_a_quote_is_none(written: str) -> None:
    with pytest.raises(MappingError, match="is no name of a table"):
        mapping_of("contract", documents={"table": written})
