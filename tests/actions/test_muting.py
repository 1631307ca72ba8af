"""An alert is muted in a real Alertmanager, recorded, and told again."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
import requests
import yaml

from contract.settings import Settings
from exporters.database.roles import Role
from provisioning.actions import audit, muting
from provisioning.findings import InputError, Unreachable
from tests.actions.cases import as_role, log, run, silences
from tests.actions.killing import unrecorded
from tests.alert_rules.delivery import Delivery

pytestmark = pytest.mark.integration
NAME = "AgentErrorRatioCritical"
MUTE = ("alert", "mute", NAME, "--where", "agent=billing", "--for", "2h", "--reason", "known", "--yes")


@pytest.fixture
def site(tmp_path: Path, unmuted: Delivery, platform: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration that knows the Alertmanager, and the record of changes."""
    monkeypatch.chdir(tmp_path)
    Path("observatory.yaml").write_text(yaml.safe_dump({"sources": {"alertmanager": {"url": unmuted.url}}}))
    monkeypatch.setenv(audit.VARIABLE, as_role(platform, Role.ACTIONS))
    monkeypatch.setenv(audit.ACTOR_VARIABLE, "ada")
    return platform


def test_muted_and_told_again(site: str, alertmanager: Delivery) -> None:
    assert run(*MUTE[:-1], "--dry-run").exit_code == 0 and not silences(alertmanager.url) and not log(site)
    done = run(*MUTE)
    assert done.exit_code == 0, done.output
    [silence] = silences(alertmanager.url)
    assert (silence["createdBy"], silence["comment"]) == ("ada", "known")
    assert {(m["name"], m["value"]) for m in silence["matchers"]} == {("alertname", NAME), ("agent", "billing")}
    assert "nothing to do" in run(*MUTE).output and len(silences(alertmanager.url)) == 1
    instead = tuple(word if word != "2h" else "3h" for word in MUTE)
    with unrecorded(site):
        assert run(*instead).exit_code != 0
    [left] = silences(alertmanager.url)
    assert (left["endsAt"], left["createdBy"], left["comment"]) == (silence["endsAt"], "ada", "known"), "it is put back"
    longer = run(*instead)
    assert longer.exit_code == 0 and len(silences(alertmanager.url)) == 1, longer.output
    unmuted = run(*shlex.split(done.output.strip().splitlines()[-1])[1:], "--yes")
    assert unmuted.exit_code == 0 and not silences(alertmanager.url), unmuted.output
    rows = log(site)
    assert [row[1] for row in rows] == ["alert mute", "alert mute", "alert unmute"]
    assert rows[0][4] == {"for": "2h", "reason": "known"} and rows[2][3:] == ({"for": "3h"}, None)
    assert run(*shlex.split(unmuted.output.strip().splitlines()[-1])[1:], "--yes").exit_code == 0
    assert [silence["comment"] for silence in silences(alertmanager.url)] == ["again"]


def test_a_mute_that_is_nearly_over_lasts_anew(site: str, alertmanager: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was as long as the one that is wanted, but people would be told in a moment."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(minutes=115)

    url = f"{alertmanager.url}/api/v2/silences"
    assert run(*MUTE).exit_code == 0
    monkeypatch.setattr(muting, "datetime", Later)
    done = run(*MUTE)
    assert done.exit_code == 0 and '-until: "' in done.output, done.output
    ends = [datetime.fromisoformat(silence["endsAt"]) for silence in requests.get(url, timeout=10).json()]
    assert timedelta(minutes=114) < max(ends) - datetime.now(UTC) - timedelta(hours=2) <= timedelta(minutes=115)


def test_what_others_muted_stays(site: str, alertmanager: Delivery) -> None:
    other = {
        "matchers": [{"name": "alertname", "value": NAME, "isRegex": False, "isEqual": True}], "createdBy": "bob",
        "comment": "mine", "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    requests.post(f"{alertmanager.url}/api/v2/silences", json=other, timeout=10).raise_for_status()
    assert run(*MUTE).exit_code == 0
    assert run("alert", "unmute", NAME, "--where", "agent=billing", "--yes").exit_code == 0
    assert [silence["createdBy"] for silence in silences(alertmanager.url)] == ["bob"]


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


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [(200, "<title>Sign in</title>", "is not Alertmanager"), (200, "{}", "is not Alertmanager"), (302, "", "HTTP 302")],
)
def test_whatever_answers_in_its_place_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, said: str
) -> None:
    answer = requests.Response()
    answer.status_code, answer._content = status, body.encode()
    monkeypatch.setattr(requests.Session, "request", lambda *_, allow_redirects, **__: answer)
    with pytest.raises((InputError, Unreachable), match=said):
        muting.Mute(None, Settings(), NAME, {}, "1h", "known", "anna").planned(None)
