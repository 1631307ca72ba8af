"""Named queries are answered by a command, as the service answers them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from psycopg.conninfo import make_conninfo

from api.catalogue.endpoints import Role, named_queries
from provisioning.cli import main
from tests.api.conftest import LOGINS, Lived, Served
from tests.provisioning.conftest import free_port

RANGE = {"start_date": "2026-11-10", "end_date": "2026-11-18"}
OPTIONS = ("--start-date", RANGE["start_date"], "--end-date", RANGE["end_date"])


@pytest.fixture
def site(lived: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, make_conninfo(lived.dsn, user=LOGINS[Role.ADMIN]))
    return tmp_path


def written(folder: Path, dsn: str) -> None:
    (folder / "dsn").touch(mode=0o600)
    (folder / "dsn").write_text(dsn)
    (folder / "observatory.yaml").write_text(yaml.safe_dump({"api": {"dsn_files": {"admin": "dsn"}}}))


def asked(*words: str) -> Result:
    return CliRunner().invoke(main, ["api", "ask", *words])


def test_a_query_is_answered_as_the_service_does(site: Path, served: Served) -> None:
    done = asked("agents.compared", *OPTIONS)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["parts"]["agents.compared"]
    assert (
        found == served.get("/api/analytics/agents/usage", **RANGE, part="agents.compared").json()["parts"]["agents.compared"]
    )
    first, second, *_ = [row["agent"] for row in found["rows"]]
    table = asked("agents.compared", *OPTIONS, "--where", f"agent={first}", "--where", f"agent={second}", "--format", "csv")
    assert [row["agent"] for row in csv.DictReader(io.StringIO(table.stdout))] == [first, second]


def test_without_a_name_the_names_are_listed(site: Path) -> None:
    assert [line.split()[0] for line in asked().stdout.splitlines()] == list(named_queries(Role.ADMIN))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "there is no query 'nothing'"),
        (("costs.models", "--where", "agent"), "write LABEL=VALUE"),
        (("costs.models", "--where", "agent=x"), "'agent' is no parameter here"),
        (("costs.models", "--days", "x"), "days is a whole number"),
        (("advice.savings", "--days", "3"), "'days' is no parameter here"),
    ],
)
def test_a_wrong_question_is_said_in_words(site: Path, words: tuple[str, ...], said: str) -> None:
    done = asked(*words)
    assert done.exit_code == 2 and said in done.output


def test_files_are_found_from_the_configuration_wherever_one_stands(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    done = asked("agents.compared", *OPTIONS, "--config", str(site / "observatory.yaml"))
    assert done.exit_code == 0 and json.loads(done.stdout)["parts"], done.output


def test_a_database_that_is_gone_is_said_without_its_password(site: Path) -> None:
    written(site, f"postgresql://me:canary@127.0.0.1:{free_port()}/x")
    done = asked("costs.models")
    assert done.exit_code == 3 and "cannot be reached" in done.output and "canary" not in done.output
    (site / "observatory.yaml").write_text("api: {}\n")
    assert "api.dsn_files" in asked("costs.models").output
