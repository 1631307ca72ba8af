"""An alert is muted in a real Alertmanager, recorded, and told again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml

from exporters.database.roles import Role
from provisioning.actions import audit
from tests.actions.cases import as_role, at_once, log, run
from tests.actions.killing import POINTS, Point, killed
from tests.alert_rules.delivery import Delivery, running

pytestmark = pytest.mark.integration
NAME = "AgentErrorRatioCritical"
MUTE = ("alert", "mute", NAME, "--where", "agent=billing", "--for", "2h", "--reason", "known", "--yes")


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory, prometheus_tools: Any) -> Iterator[Delivery]:
    with running(tmp_path_factory.mktemp("alertmanager"), prometheus_tools, {}) as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, delivery: Delivery, platform: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration that knows the Alertmanager, and the record of changes."""
    monkeypatch.chdir(tmp_path)
    Path("observatory.yaml").write_text(yaml.safe_dump({"sources": {"alertmanager": {"url": delivery.url}}}))
    monkeypatch.setenv(audit.VARIABLE, as_role(platform, Role.ACTIONS))
    monkeypatch.setenv(audit.ACTOR_VARIABLE, "ada")
    for silence in silences(delivery):
        requests.delete(f"{delivery.url}/api/v2/silence/{silence['id']}", timeout=10).raise_for_status()
    return platform


def silences(delivery: Delivery) -> list[dict[str, Any]]:
    answer = requests.get(f"{delivery.url}/api/v2/silences", timeout=10).json()
    return [silence for silence in answer if silence["status"]["state"] == "active"]


def test_muted_and_told_again(site: str, delivery: Delivery) -> None:
    assert run(*MUTE[:-1], "--dry-run").exit_code == 0 and not silences(delivery) and not log(site)
    done = run(*MUTE)
    assert done.exit_code == 0, done.output
    [silence] = silences(delivery)
    assert (silence["createdBy"], silence["comment"]) == ("ada", "known")
    assert {(m["name"], m["value"]) for m in silence["matchers"]} == {("alertname", NAME), ("agent", "billing")}
    assert "nothing to do" in run(*MUTE).output and len(silences(delivery)) == 1
    longer = run(*(word if word != "2h" else "3h" for word in MUTE))
    assert longer.exit_code == 0 and len(silences(delivery)) == 1, longer.output
    unmuted = run(*shlex.split(done.output.strip().splitlines()[-1])[1:], "--yes")
    assert unmuted.exit_code == 0 and not silences(delivery), unmuted.output
    rows = log(site)
    assert [row[1] for row in rows] == ["alert mute", "alert mute", "alert unmute"]
    assert rows[0][4] == {"for": "2h", "reason": "known"} and rows[2][3:] == ({"for": "3h"}, None)
    assert run(*shlex.split(unmuted.output.strip().splitlines()[-1])[1:], "--yes").exit_code == 0
    assert [silence["comment"] for silence in silences(delivery)] == ["again"]


def test_a_record_that_cannot_be_made_leaves_it_told(site: str, delivery: Delivery) -> None:
    with psycopg.connect(site, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;"
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON analytics.audit_log DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    assert run(*MUTE).exit_code == 2
    assert not silences(delivery) and not log(site)


def test_without_rights_it_is_told_on(site: str, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(audit.VARIABLE, as_role(site, Role.GRAFANA_BUSINESS))
    refused = run(*MUTE)
    assert refused.exit_code == 2 and "observatory_actions" in refused.output, refused.output
    assert not silences(delivery) and not log(site)


def test_several_at_once_mute_it_once(site: str, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = at_once(monkeypatch, MUTE[:-1], 3)
    assert len(refused) == 2 and len(log(site)) == 1 and len(silences(delivery)) == 1, refused


def test_what_others_muted_stays(site: str, delivery: Delivery) -> None:
    other = {
        "matchers": [{"name": "alertname", "value": NAME, "isRegex": False, "isEqual": True}], "createdBy": "bob",
        "comment": "mine", "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    requests.post(f"{delivery.url}/api/v2/silences", json=other, timeout=10).raise_for_status()
    assert run(*MUTE).exit_code == 0
    assert run("alert", "unmute", NAME, "--where", "agent=billing", "--yes").exit_code == 0
    assert [silence["createdBy"] for silence in silences(delivery)] == ["bob"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mute", "Watchdog", "--for", "1h", "--reason", "x"), "not to be muted"),
        (("mute", "AgentErrorRatioCritica", "--for", "1h", "--reason", "x"), f"did you mean {NAME}?"),
        (("mute", NAME, "--where", "model=x", "--for", "1h", "--reason", "x"), "has no label model"),
        (("mute", NAME, "--where", "agent", "--for", "1h", "--reason", "x"), "LABEL=VALUE"),
        (("mute", NAME, "--for", "30d", "--reason", "x"), "between 1m and 7d"),
    ],
)
def test_what_cannot_be_is_said(site: str, words: tuple[str, ...], said: str) -> None:
    done = run("alert", *words, "--yes")
    assert done.exit_code == 2 and said in done.output, done.output
    assert not log(site)


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_between(site: str, delivery: Delivery, point: Point) -> None:
    """Muted and not recorded at the worst: then the next one records it."""
    target = json.loads(run(*MUTE, "--dry-run", "--format", "json").output)["target"]
    killed(site, point, target, *MUTE)
    left, recorded = silences(delivery), log(site)
    assert bool(left) == (point != "before anything")
    assert bool(recorded) == (point == "as it commits, which still arrives")
    again = run(*MUTE)
    assert again.exit_code == 0, again.output
    assert len(silences(delivery)) == 1 and [row[2] for row in log(site)] == [target]
