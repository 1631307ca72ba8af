"""PostgreSQL prepares and plans every query of every dashboard with the login of the panels, and runs none."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg import sql

from contract.settings import Settings
from provisioning import build
from provisioning.check.prepared import prepared_findings
from provisioning.findings import Unreachable

SOURCE = {"type": "grafana-postgresql-datasource", "uid": "postgres"}


def _asking(text: str) -> dict[str, bytes]:
    target = {"refId": "A", "datasource": SOURCE, "rawSql": text}
    model = {"uid": "x", "title": "X", "panels": [{"id": 1, "title": "Rows", "type": "table", "targets": [target]}]}
    return {"grafana/dashboards/x.json": json.dumps(model).encode()}


def test_the_queries_of_the_house_are_fine_on_an_installed_database(installed_database: str) -> None:
    settings = Settings()
    assert [str(one) for one in prepared_findings(build.artefacts(settings), settings, installed_database)] == []


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("SELECT 1 FROM app.tickets WHERE priority > interval '1 day'", "operator does not exist", ""),
        ("SELECT count(*), id FROM app.users", "must appear in the GROUP BY", ""),
        ("SELECT 1 FROM analytics.agents", 'relation "analytics.agents" does not exist', "observatory db install"),
        ("SELECT nothing FROM app.users", 'column "nothing" does not exist', "observatory db install"),
    ],
)
def test_what_the_database_refuses_is_said(platform_database: str, text: str, said: str, remedy: str) -> None:
    (found,) = prepared_findings(_asking(text), Settings(), platform_database)
    assert (found.check, found.place) == ("sql/refused", "dashboard X, panel Rows, query A")
    assert said in found.message and remedy in found.remedy


def test_nothing_is_run_and_nothing_stays(platform_database: str) -> None:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE app.asked")
        before = connection.execute("SELECT last_value, is_called FROM app.asked").fetchone()
        assert list(prepared_findings(_asking("SELECT nextval('app.asked')"), Settings(), platform_database)) == []
        assert connection.execute("SELECT last_value, is_called FROM app.asked").fetchone() == before


def test_a_missing_right_is_found_without_reading_a_row(platform_database: str) -> None:
    name = sql.Identifier("reader_of_nothing")
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA app TO {}").format(name))
        try:
            login = psycopg.conninfo.make_conninfo(platform_database, user="reader_of_nothing")
            (found,) = prepared_findings(_asking("SELECT id FROM app.users"), Settings(), login)
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
            connection.execute(sql.SQL("DROP ROLE {}").format(name))
    assert "permission denied" in found.message and "grant this login SELECT" in found.remedy


def test_a_database_that_is_not_there(database: str) -> None:
    gone = psycopg.conninfo.make_conninfo(database, dbname="nothing_here", password="hunter2")
    with pytest.raises(Unreachable) as refused:
        list(prepared_findings(_asking("SELECT 1"), Settings(), gone))
    assert "nothing_here" in str(refused.value) and "hunter2" not in str(refused.value)
