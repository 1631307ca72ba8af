"""A tenant of Mimir as the target of a plan: every verdict, limits, secrets, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.settings import Settings
from provisioning import build
from provisioning.findings import ConfigError, InputError, Unreachable
from provisioning.plan import apply, changes
from provisioning.plan.changes import Choice, Plan
from provisioning.plan.objects import Key, State, digest
from provisioning.plan.target import Moved, Refused
from provisioning.plan.verdict import Verdict
from provisioning.targets import mimir as target_of
from provisioning.targets.mimir import client as asking
from provisioning.targets.mimir.tenant import Tenant
from tests.mimir.server import RULES, Fault, World, basic, bearer, mimir

ME, TENANT = "agent-observatory", "team"
KEY = Key("alert rules", "agent_alerts")
ROUTES = Key("alertmanager configuration", TENANT)
A_FEW = ("rules/agent_", "alertmanager/")
CANARY = "https://hooks.example.com/CANARY-slack"


@pytest.fixture(scope="module")
def built() -> dict[str, bytes]:
    everything = build.artefacts(Settings())
    return {path: body for path, body in everything.items() if any(word in path for word in A_FEW)}


@dataclass
class Site:
    """A tenant with what is built, and the pauses that were made on the way."""

    url: str
    world: World
    folder: Path
    built: dict[str, bytes]
    given: dict[str, Any] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)

    def target(self) -> Tenant:
        settings = Settings.model_validate({"targets": {"mimir": {"url": self.url, "tenant": TENANT, **self.given}}})
        made = target_of.target(settings, self.built)
        assert isinstance(made, Tenant)
        made._client._pause = self.pauses.append
        return made

    def plan(self, overwrite: bool = False) -> Plan:
        return changes.make((self.target(),), Choice(ME, overwrite_edits=overwrite))

    def apply(self, overwrite: bool = False) -> None:
        outcome = apply.carry_out(self.plan(overwrite), lambda _: None)
        assert outcome.complete, outcome

    def groups(self, namespace: str = ME) -> dict[str, dict[str, Any]]:
        return self.world.of(TENANT, namespace)


@pytest.fixture
def site(tmp_path: Path, built: dict[str, bytes]) -> Iterator[Site]:
    """With groups and a tenant of others. The file that the configuration for Alertmanager names holds a canary."""
    slack = tmp_path / "slack"
    slack.write_text(CANARY)
    own = dict(built)
    routes = yaml.safe_load(own["alertmanager/alertmanager.yml"])
    routes["global"]["slack_api_url_file"] = str(slack)
    own["alertmanager/alertmanager.yml"] = yaml.safe_dump(routes).encode()
    with mimir() as (url, world):
        world.of(TENANT, "theirs")["by-hand"] = {"name": "by-hand", "rules": [{"record": "a:b", "expr": "up"}]}
        world.of("another", ME)["agent_alerts"] = {"name": "agent_alerts", "rules": [{"alert": "A", "expr": "up == 0"}]}
        yield Site(url, world, tmp_path, own)


def verdicts(plan: Plan) -> list[Verdict]:
    return [change.verdict for change in plan.changes]


def test_everything_is_created_once_and_a_second_plan_is_empty(site: Site) -> None:
    site.given["alertmanager"] = True
    theirs = yaml.safe_dump([site.groups("theirs"), site.world.groups["another"]])
    first = site.plan()
    assert set(verdicts(first)) == {Verdict.CREATE} and first.parts[0].foreign == 1
    assert first.changes[0].key == ROUTES, "routes are there before the alerts that they bring to people"
    kinds = [change.key.kind for change in first.changes[1:]]
    assert kinds == sorted(kinds, reverse=True), "recorded series before the alerts that read them"
    site.apply()
    again = site.plan()
    assert not again.changes and again.parts[0].same == len(first.changes)
    assert yaml.safe_dump([site.groups("theirs"), site.world.groups["another"]]) == theirs
    group = yaml.safe_load(site.built["prometheus/rules/agent_alerts.yml"])["groups"][0]
    assert site.groups()["agent_alerts"] == group


def test_a_change_here_is_an_update(site: Site) -> None:
    site.apply()
    path = "prometheus/rules/agent_alerts.yml"
    site.built[path] = site.built[path].replace(b"for: 5m", b"for: 7m", 1)
    (change,) = site.plan().changes
    assert change.verdict is Verdict.UPDATE and str(change.label) == "threshold"
    site.apply()
    assert not site.plan().changes


def test_an_edit_there_is_shown_and_kept_until_it_is_overwritten(site: Site) -> None:
    site.apply()
    site.groups()["agent_alerts"]["rules"][0]["expr"] = "vector(1)"
    found = site.plan()
    assert verdicts(found) == [Verdict.DRIFT] and not found.todo
    site.apply()
    assert site.groups()["agent_alerts"]["rules"][0]["expr"] == "vector(1)"
    site.apply(overwrite=True)
    assert not site.plan().changes


def test_the_same_rules_in_another_spelling_are_the_same(site: Site) -> None:
    site.apply()
    group = site.groups()["agent_alerts"]
    for rule in group["rules"]:
        rule["expr"] = f"  {rule['expr']}  "
        if rule.get("for") == "1h":
            rule["for"] = "60m"
    assert not site.plan().changes


def test_deleted_there_recreated_and_no_longer_wanted_removed(site: Site) -> None:
    site.apply()
    del site.groups()["agent_alerts"]
    assert verdicts(site.plan()) == [Verdict.RECREATE]
    site.apply()
    assert "agent_alerts" in site.groups()
    del site.built["prometheus/rules/agent_pages.yml"]
    assert verdicts(site.plan()) == [Verdict.PRUNE]
    site.apply()
    assert "agent_pages" not in site.groups() and not site.plan().changes


def test_a_group_that_was_made_by_hand_in_our_namespace_is_a_conflict(site: Site) -> None:
    site.groups()["agent_alerts"] = {"name": "agent_alerts", "rules": [{"alert": "Mine", "expr": "up == 0"}]}
    site.groups()["extra"] = {"name": "extra", "rules": [{"alert": "Mine", "expr": "up == 0"}]}
    assert {Verdict.CONFLICT, Verdict.EDITED} < set(verdicts(site.plan()))
    site.apply()
    assert site.groups()["extra"] and site.groups()["agent_alerts"]["rules"][0]["alert"] == "Mine"


def test_alerts_that_become_recorded_series_are_replaced(site: Site) -> None:
    site.apply()
    group = {"name": "agent_pages", "interval": "15s", "rules": [{"record": "a:b:c", "expr": "sum(up)"}]}
    site.built["prometheus/rules/agent_pages.yml"] = yaml.safe_dump({"groups": [group]}).encode()
    assert verdicts(site.plan()) == [Verdict.CREATE, Verdict.PRUNE]
    site.apply()
    assert site.groups()["agent_pages"] == group and not site.plan().changes


def test_routes_of_somebody_else_are_left_until_they_are_adopted_and_can_be_released(site: Site) -> None:
    site.given["alertmanager"] = True
    their = {"alertmanager_config": "# by hand\nroute: {receiver: x}\nreceivers: [{name: x}]\n", "template_files": {}}
    site.world.alertmanager[TENANT] = yaml.safe_dump(their)
    assert Verdict.ADOPT in verdicts(site.plan())
    site.apply()
    assert yaml.safe_load(site.world.alertmanager[TENANT]) == their

    def marked(owner: str) -> None:
        one = site.target()
        state = one.live()
        (live,) = (live for live in state.objects if live.key == ROUTES)
        one.begin(state)
        ledger = {key: last for key, last in state.ledger.items() if key != ROUTES}
        now = one.mark(live, owner)
        one.remember({**ledger, ROUTES: digest(now.document)} if owner else ledger)

    marked(ME)
    assert verdicts(site.plan()) == [Verdict.UPDATE]
    marked("")
    assert yaml.safe_load(site.world.alertmanager[TENANT]) == their
    marked(ME)
    site.apply()
    assert not site.plan().changes


def test_a_group_cannot_be_released_from_our_namespace(site: Site) -> None:
    site.apply()
    (live,) = (live for live in site.target().live().objects if live.key == KEY)
    with pytest.raises(Refused, match="ours by its namespace"):
        site.target().mark(live, "")
    assert site.target().mark(live, ME) is live


def test_secrets_are_sent_and_never_shown(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.given["alertmanager"] = True
    first = site.plan()
    site.apply()
    stored = yaml.safe_load(yaml.safe_load(site.world.alertmanager[TENANT])["alertmanager_config"])
    assert stored["global"]["slack_api_url"] == CANARY and "slack_api_url_file" not in stored["global"]
    state = site.target().live()
    shown = [(one.key, one.title, one.document, one.revision) for one in state.objects]
    assert "CANARY" not in repr((first.changes, shown, state.unverified, state.ledger))
    assert any("not compared" in text for text in state.unverified)

    routes = yaml.safe_load(site.built["alertmanager/alertmanager.yml"])
    site.built["alertmanager/alertmanager.yml"] = yaml.safe_dump({"global": routes["global"], "route": {}}).encode()
    outcome = apply.carry_out(site.plan(), lambda _: None)
    assert "no receivers beside (hidden)" in str(outcome.findings[0]) and "CANARY" not in repr(outcome)
    (site.folder / "slack").unlink()
    outcome = apply.carry_out(site.plan(), lambda _: None)
    assert "cannot be read" in str(outcome.findings[0])
    assert "CANARY" not in "".join(capsys.readouterr())


def test_more_than_the_tenant_takes_is_refused_before_anything_is_sent(site: Site) -> None:
    site.given["groups"] = 5
    with pytest.raises(ConfigError, match=r"rule groups, and Mimir takes 5 at most.*ruler_max_rule_groups_per_tenant"):
        site.plan()
    site.given.update(groups=70, rules_per_group=3)
    with pytest.raises(ConfigError, match="ruler_max_rules_per_rule_group"):
        site.plan()
    assert not [request for request in site.world.seen if request[0] != "GET"]


def test_what_mimir_refuses_is_told_in_its_words(site: Site) -> None:
    site.world.most_rules = 1
    outcome = apply.carry_out(site.plan(), lambda _: None)
    assert "per-user rules per rule group limit" in str(outcome.findings[0])


def test_an_interrupted_apply_is_taken_up_again(site: Site) -> None:
    class Killed(BaseException):
        pass

    made: list[changes.Change] = []

    def say(change: changes.Change) -> None:
        made.append(change)
        if len(made) == 3:
            raise Killed

    with pytest.raises(Killed):
        apply.carry_out(site.plan(), say)
    rest = site.plan()
    assert rest.parts[0].same == 3 and rest.changes
    site.apply()
    assert not site.plan().changes


def test_of_two_applies_at_once_one_stops(site: Site) -> None:
    plan, other = site.plan(), site.target()
    state = other.live()
    begun: list[changes.Change] = []

    def say(change: changes.Change) -> None:
        if not begun:
            other.begin(other.live())
        begun.append(change)

    outcome = apply.carry_out(plan, say)
    assert not outcome.complete and "another apply is at work" in str(outcome.findings[0]) and len(begun) == 1
    with pytest.raises(Moved, match="somebody has applied since"):
        site.target().begin(state)


def test_a_world_that_moved_is_not_written_over(site: Site) -> None:
    site.apply()
    one = site.target()
    (live,) = (live for live in one.live().objects if live.key == KEY)
    (wanted,) = (want for want in one.wanted() if want.key == KEY)
    site.groups()["agent_alerts"]["interval"] = "3m"
    calls: list[Callable[[], object]] = [
        lambda: one.write(wanted, live),
        lambda: one.remove(live),
        lambda: one.write(wanted, None),
    ]
    for call in calls:
        with pytest.raises(Moved):
            call()
    del site.groups()["agent_alerts"]
    with pytest.raises(Moved):
        one.write(wanted, live)
    one.remove(live)


def test_an_edit_during_the_apply_is_found_at_its_end(site: Site) -> None:
    one = site.target()
    state = one.live()
    one.begin(state)
    for wanted in one.wanted():
        one.write(wanted, None)
    site.groups()["agent_alerts"]["interval"] = "3m"
    (finding,) = one.finish("")
    assert finding.place == f"mimir {KEY}" and "not what was written" in finding.message


def test_what_passes_is_tried_again_and_mimir_is_waited_for(site: Site) -> None:
    site.world.faults = [Fault("GET", 503, 2), Fault("POST", 429, 1, {"Retry-After": "7"})]
    site.apply()
    assert site.pauses == [0.5, 1.0, 7.0] and not site.plan().changes


def test_what_does_not_pass_is_unreachable(site: Site) -> None:
    site.world.faults = [Fault("GET", 500, 99)]
    with pytest.raises(Unreachable, match=r"answers with 500.*asked 5 times"):
        site.plan()
    site.world.faults = [Fault("GET", 429, 1, {"Retry-After": "3600"})]
    with pytest.raises(Unreachable, match=r"429.*asked 1 times"):
        site.plan()
    assert sum(site.pauses) < 10


def test_nobody_there_is_unreachable(site: Site) -> None:
    site.url = "http://127.0.0.1:9"
    with pytest.raises(Unreachable, match="does not answer"):
        site.plan()


def test_credentials(site: Site) -> None:
    token = site.folder / "token"
    token.write_text("CANARY-token\n")
    site.given["token_file"] = str(token)
    site.world.login = bearer("CANARY-token")
    site.plan()
    site.world.login = basic("4711", "CANARY-token")
    with pytest.raises(InputError, match=r"does not let us GET.*targets\.mimir\.tenant") as refused:
        site.plan()
    assert "CANARY" not in str(refused.value)
    site.given["user"] = "4711"
    site.plan()
    token.write_text("two words")
    with pytest.raises(InputError, match="holds no token"):
        site.plan()
    token.unlink()
    with pytest.raises(InputError, match=r"targets\.mimir\.token_file"):
        site.plan()


def test_an_address_that_is_no_ruler_is_said(site: Site) -> None:
    site.given["prefix"] = "/elsewhere"
    with pytest.raises(InputError, match=r"no ruler at .*/elsewhere.*targets\.mimir\.prefix"):
        site.plan()
    with pytest.raises(InputError, match=r"targets\.mimir\.url"):
        asking.connected(Settings())


@pytest.mark.parametrize("text", ["<html>\n<title>Sign in: Acme</title>\n</html>", "ours: [5]", "ours: [{rules: []}]", "a: [b"])
def test_whatever_answers_in_its_place_is_told_apart(site: Site, text: str) -> None:
    """Such as the page of a login that stands before it."""
    for ask in (site.plan, lambda: site.target().begin(State())):
        site.world.faults = [Fault("GET", 200, 1, text=text)]
        with pytest.raises(Unreachable, match="is not Mimir"):
            ask()


def test_an_empty_tenant_is_empty(site: Site) -> None:
    site.world.groups.clear()
    state = site.target().live()
    assert not state.objects and not state.ledger
    assert site.world.seen[-1] == ("GET", RULES)


def test_a_ledger_that_cannot_be_read_is_none(site: Site) -> None:
    site.apply()
    site.groups()["applied"]["rules"][0]["annotations"]["digests"] = "no JSON"
    state = site.target().live()
    assert not state.ledger and not site.plan().changes, "what is as wanted is taken as written"
