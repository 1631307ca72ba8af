"""Sub-selects that are asked anew for each row are found, and nothing that PostgreSQL asks once or joins."""

from __future__ import annotations

import re

import pytest

from api.catalogue.endpoints import every_query
from provisioning.check.subselects import per_row_findings

_COUNT = "(SELECT count(*) FROM app.messages m WHERE m.user_id = u.id)"
_OWN = "(SELECT max(m.id) FROM app.messages m WHERE m.user_id = x.id)"
PER_ROW = {
    "in the list": f"SELECT u.id, {_COUNT} FROM app.users u",
    "of a table without an alias": "SELECT (SELECT 1 FROM app.messages m WHERE m.user_id = users.id) FROM app.users",
    "within a function and CASE": f"SELECT CASE WHEN coalesce({_COUNT}, 0) > 1 THEN 1 END FROM app.users u",
    "as an array": "SELECT ARRAY(SELECT m.id FROM app.messages m WHERE m.user_id = u.id) FROM app.users u",
    "EXISTS in the list": "SELECT EXISTS (SELECT FROM app.messages m WHERE m.user_id = u.id) FROM app.users u",
    "compared in WHERE": f"SELECT 1 FROM app.users u WHERE {_COUNT} > 5",
    "in the order": f"SELECT u.id FROM app.users u ORDER BY {_COUNT}",
    "in a condition of a join": f"SELECT 1 FROM app.agents a JOIN app.users u ON a.id = u.id AND {_COUNT} > 5",
    "of a table that is a SELECT": f"SELECT {_OWN}\nFROM (SELECT 1 AS id) x",
    "of a function": f"SELECT {_OWN} FROM generate_series(1, 9) AS x (id)",
    "within WITH": f"WITH a AS (SELECT {_COUNT} AS n FROM app.users u) SELECT a.n FROM a",
    "of a WITH query": "WITH a AS (SELECT 1 AS n) SELECT (SELECT count(*) FROM a b WHERE b.n > u.id) FROM app.users u",
    "in the second branch": f"SELECT 1 FROM app.agents a UNION ALL SELECT {_COUNT} FROM app.users u",
    "two deep": f"SELECT (SELECT 1 FROM app.agents a WHERE a.id = {_COUNT}) FROM app.users u",
    "by a table within": f"SELECT (SELECT sum(t.n) FROM {_COUNT} t) FROM app.users u",
}
JOINED = {
    "asked once": "SELECT u.id, (SELECT max(u.id) FROM app.messages u) FROM app.users u",
    "a table": "SELECT m.n FROM app.users u JOIN (SELECT user_id, 1 AS n FROM app.messages) m ON m.user_id = u.id",
    "said to be looked up": f"SELECT m.n FROM app.users u CROSS JOIN LATERAL {_COUNT} AS m (n)",
    "EXISTS as a condition": "SELECT 1 FROM app.users u WHERE EXISTS (SELECT FROM app.messages m WHERE m.user_id = u.id)",
    "IN as a condition": "SELECT 1 FROM app.users u WHERE u.id NOT IN (SELECT m.user_id FROM app.messages m WHERE m.id > u.id)",
    "ANY as a condition": "SELECT 1 FROM app.users u WHERE u.id = ANY (SELECT m.user_id FROM app.messages m WHERE m.id > u.id)",
    "several to be looked up": f"SELECT m.n FROM app.users u CROSS JOIN LATERAL ({_COUNT} UNION ALL {_COUNT}) AS m (n)",
    "a column called as a clause": 'SELECT 1 FROM app.users u WHERE "limit" IN (SELECT 1 FROM app.messages m WHERE m.id > u.n)',
    "of the whole, at the end": "WITH a AS (SELECT 1 AS n) SELECT a.n FROM a WHERE a.n = (SELECT max(a.n) FROM app.users u, a)",
    "a table called as a clause": 'SELECT (SELECT max("order".id) FROM app.messages "order") FROM app.users "order"',
    "the row's own values": "SELECT (SELECT count(*) FROM jsonb_array_elements(e.tools_called) t) FROM app.agent_executions e",
    "a clause word in a function": "SELECT extract(epoch FROM u.at), (SELECT max(m.id) FROM app.messages m) FROM app.users u",
}


@pytest.mark.parametrize("text", PER_ROW.values(), ids=PER_ROW)
def test_what_is_asked_for_each_row(text: str) -> None:
    findings = list(per_row_findings("place", text))
    assert findings and {(one.check, one.severity) for one in findings} == {("sql/per-row", "error")}


@pytest.mark.parametrize("text", JOINED.values(), ids=JOINED)
def test_what_is_asked_once(text: str) -> None:
    assert list(per_row_findings("place", text)) == []


def test_the_line_is_that_of_the_sub_select() -> None:
    (found,) = per_row_findings("place", f"SELECT u.id,\n  {_COUNT} AS n\nFROM app.users u")
    assert found.message.startswith("line 2: ")


def test_answers_of_the_query_api_are_joined() -> None:
    asked = {query.key: query.statement(frozenset(query.filters)) for query in every_query()}
    assert len(asked) > 50
    for key, text in asked.items():
        assert [str(one) for one in per_row_findings(key, re.sub(r"%\(\w+\)s", "NULL", text))] == []
