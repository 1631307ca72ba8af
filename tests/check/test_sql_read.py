"""SQL is read without a database: what PostgreSQL would refuse at first sight, and nothing of what it takes."""

from __future__ import annotations

import pytest

from contract.settings import Settings
from provisioning import boards, build
from provisioning.check.queries import statements
from provisioning.check.sql import sql_findings

WRONG = [
    ("sql/syntax", "SELECT (1", "line 1: ( is never closed"),
    ("sql/syntax", "SELECT 1\n)", "line 2: ) closes nothing"),
    ("sql/syntax", "SELECT a[1) FROM b", "line 1: ) closes nothing"),
    ("sql/syntax", "SELECT 'a FROM b", "line 1: a quote that does not end"),
    ("sql/syntax", "SELECT 1 ? 2", "'?' is no SQL"),
    ("sql/syntax", "SELECT 1 FROM a\nGROUP BY b\nWHERE c", "line 3: WHERE after GROUP"),
    ("sql/syntax", "SELECT 1 WHERE a FROM b", "line 1: FROM after WHERE"),
    ("sql/syntax", "SELECT 1 FROM (SELECT 2 FROM b LIMIT 1 ORDER BY 1) c", "ORDER after LIMIT"),
    ("sql/syntax", "SELECT 1 FROM a WHERE b WHERE c", "WHERE after WHERE"),
    ("sql/column", "SELECT u.nam FROM app.users u", "line 1: app.users has no column nam"),
    ("sql/column", "SELECT 1 FROM app.users AS u\nJOIN app.agents a ON a.idd = u.id", "line 2: app.agents has no column idd"),
    ("sql/column", "SELECT users.role_ FROM app.users", "app.users has no column role_"),
    ("sql/column", 'SELECT u."Role" FROM app.users u', "app.users has no column Role"),
    ("sql/column", "SELECT u.email FROM analytics.users u", "analytics.users has no column email"),
]
RIGHT = [
    "SELECT 1",
    "SELECT 'it''s (fine', $$a ' ( b$$, E'x', \"odd \"\" name\" -- ( '\n/* ( ' */",
    "SELECT extract(epoch FROM now()), substring('a' FROM 1), count(*) FILTER (WHERE true) FROM app.users GROUP BY 1",
    "SELECT u.id, u.created_at FROM app.users u WHERE u.role IS DISTINCT FROM 'x' ORDER BY u.id LIMIT 5 OFFSET 2",
    "SELECT 1 FROM app.users OFFSET 2 LIMIT 5",
    "SELECT 1 FROM a WHERE b UNION ALL SELECT 2 FROM c WHERE d ORDER BY 1",
    "SELECT row_number() OVER (PARTITION BY a ORDER BY b), percentile_cont(0.5) WITHIN GROUP (ORDER BY c) FROM d GROUP BY a, b",
    "WITH users AS (SELECT 1 AS mine) SELECT users.mine FROM users",
    "SELECT t.anything FROM (SELECT id AS anything FROM app.users) t",
    "SELECT x.one FROM app.users x UNION SELECT x.two FROM (SELECT 2 AS two) x",
    "SELECT app.users.id FROM app.users",
    "SELECT u.* FROM app.users u CROSS JOIN LATERAL jsonb_each(u.id::text::jsonb) AS e (key, value) WHERE e.key = 'a'",
    "SELECT array_agg(a ORDER BY b)[1:2], ARRAY[1, 2], a -> 'b' ->> 'c', a::date, 1e-3 FROM c",
    "SELECT count(*) FROM app.users u, app.agents a WHERE u.id > 1 AND a.name = 'x'",
]


@pytest.mark.parametrize(("check", "text", "message"), WRONG)
def test_what_postgresql_would_refuse(check: str, text: str, message: str) -> None:
    (found,) = sql_findings("place", text)
    assert (found.check, found.severity, found.place) == (check, "error", "place") and message in found.message


def test_a_wrong_column_comes_with_the_right_one() -> None:
    (found,) = sql_findings("place", "SELECT u.creatd_at FROM app.users u")
    assert found.remedy == "did you mean created_at?"


@pytest.mark.parametrize("text", RIGHT)
def test_what_postgresql_takes(text: str) -> None:
    assert [str(finding) for finding in sql_findings("place", text)] == []


def test_every_statement_of_the_house_is_read() -> None:
    found = list(statements(boards.read(build.artefacts(Settings())), Settings()))
    assert len(found) > 200 and not any("${" in text or "$__" in text for _, text in found), "variables are filled in"
