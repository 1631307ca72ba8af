"""Routes, receivers and templates are brought to a real Alertmanager, as a whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from served import Site, house

from contract.settings import Settings
from provisioning.findings import Finding
from provisioning.plan import ownership
from provisioning.plan.apply import carry_out
from provisioning.plan.objects import Key
from provisioning.plan.paging import of_plan
from provisioning.plan.reports import plan_text
from provisioning.plan.verdict import Verdict

OWNER = "agent-observatory"
CONFIGURATION = Key("alertmanager configuration", "alertmanager.yml")
CANARY = "canary-4711"
BY_HAND = f"""\
# by hand
global: {{smtp_smarthost: "127.0.0.1:1", smtp_from: a@example.com, smtp_auth_password: {CANARY}}}
route:
  receiver: people
  routes:
  - {{receiver: people, match: {{team: x}}, match_re: {{kind: "a|b"}}, mute_time_intervals: [nights]}}
mute_time_intervals:
- name: nights
  time_intervals: [{{times: [{{start_time: 22:00, end_time: 24:00}}], weekdays: ['monday:friday', sunday], months: ['1:3']}}]
receivers:
- name: people
  email_configs: [{{to: a@example.com}}]
  webhook_configs: [{{url: 'http://127.0.0.1:1/{CANARY}'}}]
  slack_configs: [{{api_url: 'http://127.0.0.1:1/{CANARY}', channel: x}}]
"""


class Built:
    """What is built for a site whose teams differ from the default ones as given. Each is built once."""

    def __init__(self, folder: Path) -> None:
        self._secret = folder / "slack"
        self._secret.write_text("http://127.0.0.1:1/hook")
        self._known: dict[str, dict[str, bytes]] = {}

    def __call__(self, **teams: dict[str, Any]) -> dict[str, bytes]:
        name = json.dumps(teams, sort_keys=True)
        if name not in self._known:
            standard = [team.model_dump() for team in Settings().teams]
            notifications = {
                "slack": {"webhook_url_file": str(self._secret)},
                "history_url": f"http://127.0.0.1:1/{CANARY}",
            }
            changed = [{**team, **teams.get(team["name"], {})} for team in standard]
            settings = Settings.model_validate({"teams": changed, "notifications": notifications})
            self._known[name] = house(settings)
        return self._known[name]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("built"))


def taken_over(alertmanager: Site, artefacts: dict[str, bytes]) -> None:
    """The configuration that the server was started with becomes ours, then the wanted one."""
    taken = ownership.adopt([alertmanager.target(artefacts)], CONFIGURATION, OWNER)
    assert not taken.findings
    outcome = alertmanager.apply(artefacts)
    assert outcome.complete, outcome.findings


def receivers(alertmanager: Site) -> set[str]:
    return {receiver["name"] for receiver in alertmanager.get("/api/v2/receivers")}


def one(findings: list[Finding]) -> str:
    (finding,) = findings
    assert finding.severity == "error"
    return str(finding)


def test_a_configuration_by_hand_is_adopted_first_and_then_replaced(alertmanager: Site, built: Built) -> None:
    artefacts = built()
    own = alertmanager.folder / "alertmanager.yml"
    own.write_text(BY_HAND)
    alertmanager.reload()
    before = own.read_bytes()
    assert alertmanager.verdicts(artefacts)[str(CONFIGURATION)] is Verdict.ADOPT
    assert of_plan(alertmanager.plan(artefacts)) == ()
    assert alertmanager.apply(artefacts).complete
    assert own.read_bytes() == before

    taken = ownership.adopt([alertmanager.target(artefacts)], CONFIGURATION, OWNER)
    assert not taken.findings
    assert own.read_bytes().endswith(before)
    assert alertmanager.verdicts(artefacts) == {str(CONFIGURATION): Verdict.UPDATE}
    plan = alertmanager.plan(artefacts)
    assert "receiver agents-page" in [difference.place for difference in plan.changes[0].differences]
    assert CANARY not in plan_text(plan) + repr(plan.changes[0].differences)
    told = of_plan(plan)
    assert any("was Slack x, mail a@example.com" in sentence and "now Slack #agent-alerts" in sentence for sentence in told)
    assert CANARY not in repr(told)

    outcome = alertmanager.apply(artefacts)
    assert outcome.complete, outcome.findings
    assert "agents-page" in receivers(alertmanager)
    assert alertmanager.verdicts(artefacts) == {}
    hidden = [path for path in alertmanager.folder.glob(".*") if path.is_file()]
    assert not any(CANARY in path.read_text() for path in hidden)


def test_only_what_differs_is_a_change(alertmanager: Site, built: Built) -> None:
    taken_over(alertmanager, built())
    other = built(agents={"slack_channel": "#elsewhere", "hours": {"timezone": "Europe/Berlin"}})
    (change,) = alertmanager.plan(other).changes
    assert (change.key, str(change.label)) == (CONFIGURATION, "routing")
    places = [difference.place for difference in change.differences]
    assert any("receiver agents-page" in place and "channel" in place for place in places)
    assert "times hours-agents" in places
    said = of_plan(alertmanager.plan(other))
    assert "AgentErrorsPage (production)" in said[0]
    assert said[0].endswith("now Slack #elsewhere, mail agents@example.com and webhook http://127.0.0.1:1/…")
    assert alertmanager.apply(other).complete
    assert "#elsewhere" in alertmanager.get("/api/v2/status")["config"]["original"]
    assert alertmanager.verdicts(other) == {}


def test_another_spelling_is_no_change_and_an_edit_is(alertmanager: Site, built: Built) -> None:
    artefacts = built()
    taken_over(alertmanager, artefacts)
    own = alertmanager.folder / "alertmanager.yml"
    text = own.read_text()
    own.write_text(text.replace("group_wait: 30s", "group_wait: 0m30s").replace('team="agents"', "team=agents"))
    assert alertmanager.verdicts(artefacts) == {}
    own.write_text(text.replace("#agent-alerts", "#other"))
    assert alertmanager.verdicts(artefacts) == {str(CONFIGURATION): Verdict.DRIFT}
    assert alertmanager.apply(artefacts, overwrite=True).complete
    assert own.read_text() == text


def test_a_template_is_an_object_of_its_own(alertmanager: Site, built: Built) -> None:
    artefacts = built()
    taken_over(alertmanager, artefacts)
    fewer = {path: body for path, body in artefacts.items() if not path.endswith("words.tmpl")}
    assert alertmanager.verdicts(fewer) == {"message templates words": Verdict.PRUNE}
    changed = {**artefacts, "alertmanager/templates/words.tmpl": artefacts["alertmanager/templates/words.tmpl"] + b"\n"}
    assert alertmanager.verdicts(changed) == {"message templates words": Verdict.UPDATE}
    assert alertmanager.apply(changed).complete
    assert alertmanager.verdicts(changed) == {}


def test_templates_of_others_stay_to_the_byte(alertmanager: Site, built: Built) -> None:
    artefacts = built()
    (alertmanager.folder / "templates").mkdir()
    theirs = alertmanager.folder / "templates" / "theirs.tmpl"
    theirs.write_text('{{ define "theirs" }}x{{ end }}')
    taken_over(alertmanager, artefacts)
    assert theirs.read_text() == '{{ define "theirs" }}x{{ end }}'
    assert alertmanager.verdicts(artefacts) == {}


def test_a_template_that_alertmanager_refuses_is_taken_back(alertmanager: Site, built: Built) -> None:
    artefacts = built()
    taken_over(alertmanager, artefacts)
    before = alertmanager.files()
    other = built(agents={"slack_channel": "#elsewhere"})
    broken = {**other, "alertmanager/templates/words.tmpl": b'{{ define "x" '}
    plan = alertmanager.plan(broken)
    target = plan.parts[0].target
    target.sound = lambda _wanted: None  # type: ignore[attr-defined]  # nothing looks at it before Alertmanager does
    said = one(carry_out(plan, lambda _: None).findings)
    assert "failed to parse templates: template: words.tmpl" in said
    assert "2 files are as they were, and Alertmanager works with what it had before" in said
    assert alertmanager.files() == before
    assert "#agent-alerts" in alertmanager.get("/api/v2/status")["config"]["original"]


def test_what_leads_nowhere_is_refused_before_it_is_written(alertmanager: Site, built: Built) -> None:
    artefacts = built()
    taken_over(alertmanager, artefacts)
    before = alertmanager.files()
    configuration = yaml.safe_load(artefacts["alertmanager/alertmanager.yml"])
    configuration["route"]["receiver"] = "nowhere"
    wrong = {
        **artefacts,
        "alertmanager/alertmanager.yml": yaml.safe_dump(configuration).encode(),
        "alertmanager/templates/words.tmpl": artefacts["alertmanager/templates/words.tmpl"] + b"\n",
    }
    outcome = alertmanager.apply(wrong)
    assert "there is no receiver nowhere" in one(outcome.findings)
    assert outcome.done == []
    assert alertmanager.files() == before
    assert alertmanager.verdicts(artefacts) == {}


def test_what_is_not_in_force_is_loaded_by_an_apply(alertmanager: Site, built: Built) -> None:
    artefacts = built()
    taken_over(alertmanager, artefacts)
    own = alertmanager.folder / "alertmanager.yml"
    kept = own.read_bytes()
    own.write_bytes(kept.replace(b"#agent-alerts", b"#other"))
    alertmanager.reload()
    own.write_bytes(kept)
    plan = alertmanager.plan(artefacts)
    assert [str(change.key) for change in plan.changes] == ["in force alertmanager"]
    assert "receivers agents-page.slack_configs[0].channel is another one" in plan_text(plan)
    assert alertmanager.apply(artefacts).complete
    assert alertmanager.verdicts(artefacts) == {}


def test_a_configuration_that_is_let_go_is_nobodys(alertmanager: Site, built: Built) -> None:
    artefacts = built()
    taken_over(alertmanager, artefacts)
    taken = ownership.release([alertmanager.target(artefacts)], CONFIGURATION, OWNER)
    assert not taken.findings
    assert (alertmanager.folder / "alertmanager.yml").read_bytes() == artefacts["alertmanager/alertmanager.yml"]
    assert alertmanager.verdicts(artefacts) == {str(CONFIGURATION): Verdict.ADOPT}


@pytest.mark.parametrize("text", ["{{", "[]", f"route: {CANARY}", f"x: *{CANARY}", f"global: {{smtp_auth_password: {CANARY}}}"])
def test_what_is_no_configuration_is_told_without_repeating_it(alertmanager: Site, built: Built, text: str) -> None:
    artefacts = built()
    taken_over(alertmanager, artefacts)
    (alertmanager.folder / "alertmanager.yml").write_text(f"# Owned by {OWNER}: \n{text}")
    plan = alertmanager.plan(artefacts)
    assert [change.verdict for change in plan.changes] == [Verdict.DRIFT]
    assert CANARY not in plan_text(plan) + repr([live for part in plan.parts for live in part.state.objects])
    assert alertmanager.apply(artefacts, overwrite=True).complete


def test_secrets_are_neither_in_documents_nor_in_differences(alertmanager: Site, built: Built) -> None:
    (alertmanager.folder / "alertmanager.yml").write_text(BY_HAND)
    state = alertmanager.target(built()).live()
    (live,) = (live for live in state.objects if live.key == CONFIGURATION)
    assert CANARY not in repr(live)
    assert live.document["global"]["smtp_auth_password"] == "(hidden)"
