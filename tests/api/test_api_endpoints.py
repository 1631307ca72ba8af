"""Every address answers, in the words of its document, to those who may ask, and to nobody else."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import jsonschema
import psycopg
import pytest
from psycopg import sql

from api.catalogue.endpoints import ENDPOINTS, Endpoint, Role, every_query, named_queries
from api.catalogue.subjects import SUBJECTS
from tests.api.conftest import Lived, Served

RANGE = {"start_date": "2026-09-01", "end_date": "2026-11-19"}
WHOLE_DAYS = {"start_date": "2026-11-10", "end_date": "2026-11-18"}
NOBODY = "00000000-0000-0000-0000-000000000000"
PLAIN = [one for one in ENDPOINTS if not one.needs]
plain = pytest.mark.parametrize("endpoint", PLAIN, ids=lambda one: one.path)


@plain
def test_an_endpoint_answers_as_it_is_described(served: Served, endpoint: Endpoint) -> None:
    answer = served.get(endpoint.path, **(RANGE if endpoint.ranged else {}))
    assert answer.status_code == 200, answer.text
    document = served.get("/openapi.json").json()
    parts = answer.json()["parts"]
    assert set(parts) == {query.key for query in endpoint.of(Role.ADMIN)}
    for key, part in parts.items():
        schema = {**document["components"]["schemas"][key], "components": document["components"]}
        jsonschema.validate(part, schema)
        assert part["rows"], f"{key} has no rows, so that nothing is shown of it"


@plain
def test_a_role_sees_what_is_its_own(served: Served, endpoint: Endpoint) -> None:
    for role, token in ((Role.BUSINESS, served.callers.business), (Role.SELF, served.callers.person)):
        answer = served.get(endpoint.path, token, **(RANGE if endpoint.ranged else {}))
        wanted = {query.key for query in endpoint.of(role)}
        assert answer.status_code == (200 if wanted else 403), answer.text
        if wanted:
            assert set(answer.json()["parts"]) == wanted
            assert "user_key" not in answer.text


def test_a_stranger_sees_nothing(served: Served) -> None:
    for token in ("x", "obs_unknown", served.callers.admin[:-1]):
        answer = served.get("/api/analytics/summary", token)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_person_sees_own_rows_only(served: Served, lived: Lived) -> None:
    """What the two persons see is what the tables say of each, and differs."""
    seen = []
    for token, key in ((served.callers.person, lived.user_key), (served.callers.other, lived.other_key)):
        (row,) = served.get("/api/analytics/usage", token, **RANGE, part="own.usage").json()["parts"]["own.usage"]["rows"]
        with psycopg.connect(lived.dsn) as connection:
            expected = connection.execute("SELECT count(*) FROM analytics.conversations WHERE user_key = %s", (key,)).fetchone()
        assert expected == (row["conversations"],) != (0,)
        parts = served.get("/api/analytics/usage", token, **RANGE, environment="nowhere").json()["parts"]
        assert parts["own.usage"]["rows"] == [{"conversations": 0, "goals_achieved": 0}]
        assert parts["own.usage"]["filters"] == ["environment"] and parts["own.tickets"]["filters"] == []
        seen.append(served.get("/api/analytics/sessions/activity", token, **RANGE).json()["parts"]["own.sessions"]["rows"])
    ids = [{row["session_id"] for row in rows} for rows in seen]
    assert all(ids) and not ids[0] & ids[1]
    alien = ids[1].pop()
    assert served.get(f"/api/analytics/sessions/{alien}", served.callers.other).status_code == 200
    assert served.get(f"/api/analytics/sessions/{alien}", served.callers.person).status_code == 404


def test_the_database_itself_refuses_a_person_everything_else(lived: Lived, served: Served) -> None:
    """Not the catalogue alone: the login behind a person's token may read none of the views of all."""
    with psycopg.connect(served.setup.dsns[Role.SELF](), autocommit=True) as connection:
        for view in ("agent_executions", "usage_analytics_daily", "user_keys", "users"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM analytics.{view}".encode())
        assert connection.execute("SELECT count(*) FROM analytics.own_agent_executions").fetchone() == (0,)


def test_one_execution_and_its_tools(served: Served, lived: Lived) -> None:
    with psycopg.connect(lived.dsn) as connection:
        found = connection.execute(
            "SELECT e.execution_id::text, count(*) FROM analytics.agent_executions e"
            " JOIN analytics.tool_usage_metrics u ON u.execution_id = e.execution_id GROUP BY 1 HAVING count(*) > 1 LIMIT 1"
        ).fetchone()
    assert found is not None
    parts = served.get(f"/api/analytics/executions/{found[0]}").json()["parts"]
    assert parts["execution.execution"]["rows"][0]["execution_id"] == found[0]
    assert len(parts["execution.tools"]["rows"]) == found[1]
    assert served.get(f"/api/analytics/executions/{found[0]}", served.callers.business).status_code == 403
    for form in ("json", "csv"):
        assert served.get(f"/api/analytics/executions/{found[0]}", format=form).status_code == 200
        assert served.get(f"/api/analytics/executions/{NOBODY}", format=form).status_code == 404
    assert served.get("/api/analytics/executions/nonsense").status_code == 400


def test_pages_follow_each_other(served: Served) -> None:
    given = {**RANGE, "part": "costs.model_days"}
    path = "/api/v1/analytics/langfuse/cost-estimation"
    whole = served.get(path, **given, page_size=1000).json()["parts"]["costs.model_days"]
    pages, number, more = [], 1, True
    while more:
        part = served.get(path, **given, page_size=7, page=number).json()["parts"]["costs.model_days"]
        pages += part["rows"]
        number, more = number + 1, part["more"]
    assert not whole["more"] and pages == whole["rows"] and len(pages) > 14


def test_filters_choose(served: Served) -> None:
    path, given = "/api/analytics/agents/usage", {**RANGE, "part": "agents.compared"}
    agents = {row["agent"]: row for row in served.get(path, **given).json()["parts"]["agents.compared"]["rows"]}
    first, second, *_ = agents
    chosen = served.get(path, **given, agent=[first, second]).json()["parts"]["agents.compared"]
    assert chosen["rows"] == [agents[first], agents[second]] and chosen["filters"] == ["agent"]
    nobody = served.get(path, **given, agent="'; DROP SCHEMA analytics; --").json()["parts"]["agents.compared"]
    assert nobody["rows"] == []


def test_a_table_is_the_same_as_json(served: Served) -> None:
    given = {**RANGE, "part": "models.compared"}
    rows = served.get("/api/analytics/models", **given).json()["parts"]["models.compared"]["rows"]
    answer = served.get("/api/analytics/models", **given, format="csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    read = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["model"] for row in read] == [row["model"] for row in rows]
    assert [float(row["cost_usd"]) for row in read] == [row["cost_usd"] for row in rows]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_every_named_query_can_be_downloaded(served: Served, form: str) -> None:
    for token, role in ((served.callers.admin, Role.ADMIN), (served.callers.person, Role.SELF)):
        for key in named_queries(role):
            answer = served.get("/api/analytics/export", token, query=key, format=form, **WHOLE_DAYS)
            assert answer.status_code == 200, f"{key}: {answer.text}"
            assert key.replace(".", "-") in answer.headers["content-disposition"]
    assert served.get("/api/analytics/export", served.callers.person, query="costs.totals").status_code == 400


def test_every_measure_and_dimension_can_be_asked(served: Served) -> None:
    with served.client(served.callers.business) as client:
        for subject in SUBJECTS.values():
            by = [name for name in subject.dimensions if name not in ("hour", "week", "month")]
            measures = list(subject.measures)
            for begin in range(0, len(measures), 20):
                body = {"subject": subject.name, "measures": measures[begin : begin + 20], "by": by, **RANGE}
                answer = client.post("/api/analytics/query", json=body)
                assert answer.status_code == 200, answer.text
                (part,) = answer.json()["parts"].values()
                assert part["rows"] and list(part["rows"][0]) == [*by, *body["measures"]]


def test_a_free_question_is_the_named_one(served: Served) -> None:
    named = served.get("/api/analytics/costs", **RANGE, part="costs.agents").json()["parts"]["costs.agents"]["rows"]
    body = {"subject": "costs", "measures": ["cost_usd"], "by": ["agent"], "order": ["-cost_usd"], **RANGE}
    with served.client(served.callers.business) as client:
        free = client.post("/api/analytics/query", json=body).json()["parts"]["query"]["rows"]
    assert free == [{"agent": row["agent"], "cost_usd": row["cost_usd"]} for row in named]


def test_an_answer_is_the_same_in_whatever_order_rows_are_read(lived: Lived) -> None:
    """The server may read rows in any order at any time; here it has each roll-up as a table, in one order and the reverse."""
    given = {"since": datetime(2026, 9, 1, tzinfo=UTC), "until": datetime(2026, 11, 19, tzinfo=UTC)}
    answers: list[list[Any]] = []
    for order in ("ASC", "DESC"):
        with psycopg.connect(lived.dsn) as connection:
            connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            for subject in SUBJECTS.values():
                name = sql.Identifier(subject.view.name)
                copied = sql.SQL("CREATE TEMP TABLE {0} AS SELECT * FROM analytics.{0} AS r ORDER BY md5(r::text) {1}")
                connection.execute(copied.format(name, sql.SQL(order)))  # type: ignore[arg-type]
            asked = [subject.query("q", "", subject.view.labels[:1], subject.measures) for subject in SUBJECTS.values()]
            texts = [query.statement(frozenset()).replace("FROM analytics.", "FROM pg_temp.") for query in asked]
            answers.append(
                [connection.execute(text.encode(), {**given, "limit": 1000, "offset": 0}).fetchall() for text in texts]
            )
            connection.rollback()
    assert answers[0] == answers[1]


def test_what_has_not_changed_is_not_sent_again(served: Served) -> None:
    first = served.get("/api/analytics/usage", **RANGE)
    assert 0 < int(first.headers["cache-control"].removeprefix("private, max-age=")) <= 300
    with served.client(served.callers.admin) as client:
        again = client.get("/api/analytics/usage", params=RANGE, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        for told in ("*", f'"other", {first.headers["etag"].removeprefix("W/")}'):
            assert client.get("/api/analytics/usage", params=RANGE, headers={"If-None-Match": told}).status_code == 304
        other = client.get("/api/analytics/usage", params=WHOLE_DAYS, headers={"If-None-Match": first.headers["etag"]})
        assert other.status_code == 200


def test_names_are_used_once() -> None:
    keys = [query.key for query in every_query()]
    assert len(keys) == len(set(keys))
    by_key: dict[str, object] = {}
    for endpoint in ENDPOINTS:
        for query in endpoint.every:
            assert by_key.setdefault(query.key, query) is query


def test_the_catalogue_says_what_can_be_asked(served: Served) -> None:
    found = served.get("/api/analytics/catalogue").json()
    assert {one["query"] for one in found["queries"]} == set(named_queries(Role.ADMIN))
    assert {one["subject"] for one in found["subjects"]} == set(SUBJECTS)
    assert found["metrics"] == dict(served.setup.metrics)
    own = served.get("/api/analytics/catalogue", served.callers.person).json()
    assert {one["query"] for one in own["queries"]} == set(named_queries(Role.SELF)) and own["subjects"] == []


def test_health_says_which_source_is_down(served: Served) -> None:
    found = served.get("/api/analytics/health").json()
    assert found["status"] == "degraded"
    assert found["sources"]["database"]["status"] == "ok" and found["sources"]["prometheus"]["status"] == "down"
