"""Rules and scrape targets are brought to a real Prometheus, and only what is ours is touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from served import Site, house

from contract.grafana import GrafanaContents
from provisioning.findings import Finding, InputError, Unreachable
from provisioning.plan import changes, ownership
from provisioning.plan.apply import carry_out
from provisioning.plan.changes import Choice
from provisioning.plan.objects import Key
from provisioning.plan.paging import of_plan
from provisioning.plan.target import Moved
from provisioning.plan.verdict import Verdict
from provisioning.targets import prometheus as module

OWNER = "agent-observatory"
RATES = "recording rules rates"
ALERTS = "alert rules errors"
IN_FORCE = "in force prometheus"
FOREIGN = b"# by hand\ngroups:\n- {name: mine, rules: [{record: hand_made, expr: 'vector( 1 )'}]}\n"


def rules(expr: str = "sum(rate(calls_total[5m]))", limit: str = "0.05", hold: str = "2m") -> dict[str, bytes]:
    """What `build` might have written: one file of recordings, one of alerts, one of scrape targets."""
    rates = {"groups": [{"name": "rates", "interval": "15s", "rules": [{"record": "calls:rate5m", "expr": expr}]}]}
    alert = {
        "alert": "ErrorsHigh",
        "expr": f"errors:ratio > {limit}",
        "for": hold,
        "keep_firing_for": "0s",
        "labels": {"severity": "page"},
        "annotations": {"summary": "{{ $value | humanize }} \N{EM DASH} too many"},
    }
    errors = {"groups": [{"name": "errors", "rules": [alert]}]}
    return {
        "prometheus/prometheus.yml": b"{}",
        "prometheus/rules/errors.yml": yaml.safe_dump(errors, allow_unicode=True).encode(),
        "prometheus/rules/rates.yml": yaml.safe_dump(rates).encode(),
        "prometheus/targets/platform.json": b'[{"targets": ["127.0.0.1:1"]}]\n',
        "prometheus/tests/errors.yml": b"{}",
    }


def edit(site: Site, file: str, old: str, new: str) -> None:
    place = site.folder / "rules" / file
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


def in_force(site: Site) -> dict[str, str]:
    """Expressions of all rules that Prometheus evaluates, by name."""
    groups = site.get("/api/v1/rules")["data"]["groups"]
    return {rule["name"]: rule["query"] for group in groups for rule in group["rules"]}


def test_what_is_wanted_is_written_and_evaluated_and_then_nothing_differs(prometheus: Site) -> None:
    assert prometheus.verdicts(rules()) == {
        ALERTS: Verdict.CREATE,
        RATES: Verdict.CREATE,
        "scrape targets platform": Verdict.CREATE,
    }
    outcome = prometheus.apply(rules())
    assert outcome.complete, outcome.findings
    assert in_force(prometheus) == {"calls:rate5m": "sum(rate(calls_total[5m]))", "ErrorsHigh": "errors:ratio > 0.05"}
    assert prometheus.verdicts(rules()) == {}
    assert prometheus.hidden() == [".agent-observatory-ledger.json", ".agent-observatory.lock"]


def test_every_rule_of_the_house_is_in_force_as_it_was_built(prometheus: Site) -> None:
    artefacts = house(prometheus.settings())
    outcome = prometheus.apply(artefacts)
    assert outcome.complete, outcome.findings
    assert len(in_force(prometheus)) > 250
    assert prometheus.verdicts(artefacts) == {}


def test_only_what_differs_is_written(prometheus: Site) -> None:
    prometheus.apply(rules())
    untouched = (prometheus.folder / "rules" / "rates.yml").stat()
    assert prometheus.verdicts(rules(limit="0.1")) == {ALERTS: Verdict.UPDATE}
    plan = prometheus.plan(rules(limit="0.1"))
    assert [str(change.label) for change in plan.changes] == ["threshold"]
    assert of_plan(plan) == ("ErrorsHigh: fires above 0.1 instead of 0.05",)
    assert prometheus.apply(rules(limit="0.1")).complete
    assert in_force(prometheus)["ErrorsHigh"] == "errors:ratio > 0.1"
    assert (prometheus.folder / "rules" / "rates.yml").stat() == untouched


def test_another_spelling_of_the_same_rule_is_no_change(prometheus: Site) -> None:
    prometheus.apply(rules())
    edit(prometheus, "rates.yml", "sum(rate(calls_total[5m]))", "sum( rate( calls_total[300s] ) )")
    edit(prometheus, "errors.yml", "for: 2m", "for: 120s")
    assert prometheus.verdicts(rules()) == {}


def test_an_edit_by_hand_is_shown_left_alone_and_put_back_only_when_asked(prometheus: Site) -> None:
    prometheus.apply(rules())
    edit(prometheus, "errors.yml", "0.05", "0.5")
    assert prometheus.verdicts(rules()) == {ALERTS: Verdict.DRIFT}
    assert prometheus.verdicts(rules(limit="0.1")) == {ALERTS: Verdict.CONFLICT}
    before = prometheus.files()
    assert prometheus.apply(rules()).done == []
    assert prometheus.files() == before
    assert prometheus.apply(rules(), overwrite=True).complete
    assert in_force(prometheus)["ErrorsHigh"] == "errors:ratio > 0.05"
    assert prometheus.verdicts(rules()) == {}


def test_an_edit_that_is_left_alone_does_not_hold_up_the_rest(prometheus: Site) -> None:
    prometheus.apply(rules())
    edit(prometheus, "errors.yml", "0.05", "0.5")
    outcome = prometheus.apply(rules(expr="sum(rate(calls_total[1m]))"))
    assert outcome.complete, outcome.findings
    assert in_force(prometheus)["calls:rate5m"] == "sum(rate(calls_total[1m]))"
    assert prometheus.verdicts(rules(expr="sum(rate(calls_total[1m]))")) == {ALERTS: Verdict.DRIFT}


def test_a_file_that_is_gone_is_written_again(prometheus: Site) -> None:
    prometheus.apply(rules())
    (prometheus.folder / "rules" / "rates.yml").unlink()
    found = prometheus.plan(rules())
    assert {str(change.key): change.verdict for change in found.changes} == {RATES: Verdict.RECREATE, IN_FORCE: Verdict.UPDATE}
    assert any("rules/rates.yml: is evaluated" in sentence for sentence in found.parts[0].state.unverified)
    assert prometheus.apply(rules()).complete
    assert prometheus.verdicts(rules()) == {}


def test_what_is_no_longer_wanted_is_removed_and_no_longer_evaluated(prometheus: Site) -> None:
    prometheus.apply(rules())
    fewer = {path: body for path, body in rules().items() if "errors" not in path and "platform" not in path}
    assert prometheus.verdicts(fewer) == {ALERTS: Verdict.PRUNE, "scrape targets platform": Verdict.PRUNE}
    assert prometheus.apply(fewer).complete
    assert in_force(prometheus) == {"calls:rate5m": "sum(rate(calls_total[5m]))"}
    assert sorted(prometheus.files()) == ["prometheus.yml", "rules/rates.yml"]


def test_what_others_made_stays_to_the_byte(prometheus: Site) -> None:
    for name in ("hand.yml", "other.yaml", "notes.txt"):
        (prometheus.folder / "rules" / name).write_bytes(FOREIGN)
    (prometheus.folder / "targets").mkdir()
    (prometheus.folder / "targets" / "theirs.json").write_text("[]")
    (prometheus.folder / "rules" / "broken.yaml").write_text("{{ not yaml")
    before = prometheus.files()
    assert prometheus.apply(rules()).complete
    assert prometheus.apply({}).complete
    assert prometheus.files() == before
    assert in_force(prometheus) == {"hand_made": "vector(1)"}


@pytest.mark.parametrize(
    ("place", "key"), [("rules/rates.yml", "recording rules rates"), ("targets/platform.json", "scrape targets platform")]
)
def test_a_file_made_by_hand_in_the_place_of_ours_is_adopted_first(prometheus: Site, place: str, key: str) -> None:
    own = FOREIGN if place.startswith("rules") else b'[{"targets": ["127.0.0.1:2"]}]'
    (prometheus.folder / place).parent.mkdir(exist_ok=True)
    (prometheus.folder / place).write_bytes(own)
    assert prometheus.verdicts(rules())[key] is Verdict.ADOPT
    assert prometheus.apply(rules()).complete
    assert (prometheus.folder / place).read_bytes() == own

    kind, name = key.rsplit(" ", 1)
    taken = ownership.adopt([prometheus.target(rules())], Key(kind, name), OWNER)
    assert not taken.findings
    assert (prometheus.folder / place).read_bytes().endswith(own)
    assert prometheus.verdicts(rules()) == {key: Verdict.UPDATE}
    assert prometheus.apply(rules()).complete
    assert prometheus.verdicts(rules()) == {}


def test_a_released_file_keeps_its_contents_and_is_nobodys(prometheus: Site) -> None:
    prometheus.apply(rules())
    taken = ownership.release([prometheus.target(rules())], Key("recording rules", "rates"), OWNER)
    assert not taken.findings
    assert (prometheus.folder / "rules" / "rates.yml").read_bytes() == rules()["prometheus/rules/rates.yml"]
    assert prometheus.verdicts(rules()) == {RATES: Verdict.ADOPT}
    assert prometheus.verdicts({}) == {ALERTS: Verdict.PRUNE, "scrape targets platform": Verdict.PRUNE}


def test_whether_it_is_in_force_belongs_to_nobody(prometheus: Site) -> None:
    prometheus.apply(rules())
    target, key = prometheus.target(rules()), Key("in force", "prometheus")
    with pytest.raises(InputError, match="we have no in force prometheus; known: alert rules, recording rules, scrape targets"):
        ownership.release([target], key, OWNER)
    with pytest.raises(InputError, match="the configuration wants no in force prometheus; known: alert rules, "):
        ownership.adopt([target], key, OWNER)


def test_what_is_no_rule_file_is_told_as_a_text(prometheus: Site) -> None:
    prometheus.apply(rules())
    (prometheus.folder / "rules" / "rates.yml").write_bytes(b"# agent-observatory\n{")
    (change,) = [one for one in prometheus.plan(rules(), overwrite=True).changes if one.wanted and str(one.key) == RATES]
    first, second = map(str, change.differences)
    assert first.startswith("a text that cannot be read (this is no rule file: ")
    assert second == "group rates added"


def test_a_folder_that_is_a_file_is_told_as_such(prometheus: Site, tmp_path: Path) -> None:
    place = tmp_path / "rules.yml"
    place.write_text("")
    served = prometheus.settings().targets.prometheus.model_copy(update={"folder": str(place)})
    targets = prometheus.settings().targets.model_copy(update={"prometheus": served})
    target = module.target(prometheus.settings().model_copy(update={"targets": targets}), rules())
    with pytest.raises(InputError, match=rf"targets.prometheus.folder: {place} is a file; name the folder"):
        target.live()


def test_a_copy_of_one_of_ours_is_not_ours(prometheus: Site) -> None:
    prometheus.apply(rules())
    ours = prometheus.folder / "rules" / "errors.yml"
    copy = prometheus.folder / "rules" / "mine.yml"
    copy.write_bytes(ours.read_bytes().replace(b"ErrorsHigh", b"Mine").replace(b"name: errors", b"name: mine"))
    before = copy.read_bytes()
    assert prometheus.verdicts(rules()) == {}
    assert prometheus.apply({}, overwrite=True).complete
    assert copy.read_bytes() == before


def test_scrape_targets_that_nobody_reads_are_said(prometheus: Site) -> None:
    prometheus.apply(rules())
    (said,) = prometheus.plan(rules()).parts[0].state.unverified
    assert said == "no file_sd_configs in prometheus.yml names targets/platform.json, so nothing in it is scraped"
    job = "{job_name: platform, file_sd_configs: [{files: ['targets/plat*.json']}]}"
    with (prometheus.folder / "prometheus.yml").open("a") as file:
        file.write(f"scrape_configs: [{job}]\n")
    prometheus.reload()
    assert prometheus.plan(rules()).parts[0].state.unverified == ()


def test_alerts_that_grafana_evaluates_are_not_evaluated_here_as_well(prometheus: Site) -> None:
    prometheus.apply(rules())
    settings = prometheus.settings().model_copy(update={"grafana": GrafanaContents(alerts=True)})
    target = module.target(settings, rules())
    assert [str(item.key) for item in target.wanted()] == [RATES, "scrape targets platform", IN_FORCE]
    plan = changes.make([target], Choice(OWNER))
    assert [(str(change.key), change.verdict) for change in plan.changes] == [(ALERTS, Verdict.PRUNE)]


def test_the_files_of_another_owner_are_not_ours(prometheus: Site) -> None:
    prometheus.apply(rules())
    plan = prometheus.plan(rules(), owner="somebody-else")
    assert {change.reason for change in plan.left} == {
        "belongs to agent-observatory, which has to release it first",
        'is not ours; `observatory adopt "scrape targets" platform` makes it so',
    }
    assert prometheus.plan({}, owner="somebody-else").changes == ()


def one(findings: list[Finding]) -> str:
    (finding,) = findings
    assert finding.severity == "error"
    return str(finding)


def test_rules_that_prometheus_refuses_are_taken_back_to_the_byte(prometheus: Site) -> None:
    (prometheus.folder / "rules" / "hand.yml").write_bytes(FOREIGN)
    prometheus.apply(rules())
    before, evaluated = prometheus.files(), in_force(prometheus)
    wrong = {
        **rules(limit="0.2", expr="sum(rate(calls_total))"),
        "prometheus/rules/new.yml": b"groups: [{name: new, rules: []}]",
    }
    said = one(prometheus.apply(wrong).findings)
    assert "failed to reload config" in said
    assert "expected type range vector" in said
    assert "3 files are as they were, and Prometheus works with what it had before" in said
    assert prometheus.files() == before
    assert in_force(prometheus) == evaluated
    assert prometheus.get("/api/v1/query?query=prometheus_config_last_reload_successful")["status"] == "success"
    assert prometheus.verdicts(rules()) == {}


def test_rules_that_prometheus_does_not_read_are_taken_back(prometheus: Site) -> None:
    (prometheus.folder / "prometheus.yml").write_text("{}")
    prometheus.reload()
    said = one(prometheus.apply(rules()).findings)
    assert f'rule_files: ["{prometheus.folder}/rules/*.yml"]' in said
    assert sorted(prometheus.files()) == ["prometheus.yml"]


def test_files_that_are_not_in_force_are_loaded_by_an_apply(prometheus: Site) -> None:
    prometheus.apply(rules())
    kept = (prometheus.folder / "prometheus.yml").read_text()
    (prometheus.folder / "prometheus.yml").write_text("{}")
    prometheus.reload()
    (prometheus.folder / "prometheus.yml").write_text(kept)
    assert prometheus.verdicts(rules()) == {IN_FORCE: Verdict.UPDATE}
    assert prometheus.apply(rules()).complete
    assert prometheus.verdicts(rules()) == {}


def test_a_server_that_goes_down_leaves_everything_as_it_was(prometheus: Site) -> None:
    prometheus.apply(rules())
    before, plan = prometheus.files(), prometheus.plan(rules(limit="0.2"))
    prometheus.stop()
    said = one(carry_out(plan, lambda _: None).findings)
    assert f"Prometheus at {prometheus.url} does not answer: Connection refused" in said
    assert "1 file is as it was, and Prometheus could not be told so" in said
    assert prometheus.files() == before
    with pytest.raises(Unreachable, match="does not answer"):
        prometheus.plan(rules())
    prometheus.start()
    assert prometheus.verdicts(rules()) == {}
    assert prometheus.apply(rules(limit="0.2")).complete


def test_a_server_that_takes_no_reload_over_http_is_told_of(prometheus: Site) -> None:
    prometheus.stop()
    prometheus.command.remove("--web.enable-lifecycle")
    prometheus.start()
    said = one(prometheus.apply(rules()).findings)
    assert "takes no reload over HTTP (Lifecycle API is not enabled.); start it with --web.enable-lifecycle" in said
    assert sorted(prometheus.files()) == ["prometheus.yml"]


def test_a_reload_by_signal(prometheus: Site, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    pid.write_text(f"{prometheus.pid}\n")
    prometheus.served |= {"reload": "signal", "pid_file": str(pid)}
    assert prometheus.apply(rules()).complete
    assert "ErrorsHigh" in in_force(prometheus)
    before = prometheus.files()
    said = one(prometheus.apply(rules(expr="rate(x)")).findings)
    assert "Prometheus cannot load what stands in its folder" in said
    assert prometheus.files() == before


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (lambda: f"{os.getpid()}", "is not Prometheus"),
        (lambda: "1", "holds 1, which is no process id of Prometheus"),
        (lambda: "none", "does not hold a process id"),
    ],
)
def test_only_prometheus_is_signalled(prometheus: Site, tmp_path: Path, written: Any, said: str) -> None:
    """This very process is called with the name of this file, in which Prometheus stands, and is none all the same."""
    (tmp_path / "pid").write_text(written())
    prometheus.served |= {"reload": "signal", "pid_file": str(tmp_path / "pid")}
    assert said in one(prometheus.apply(rules()).findings)
    assert sorted(prometheus.files()) == ["prometheus.yml"]


def test_a_prometheus_that_never_notices_is_told_after_a_bound(prometheus: Site) -> None:
    prometheus.served |= {"reload": "itself", "within": "1s"}
    assert "has not loaded what stands in its folder within 1s" in one(prometheus.apply(rules()).findings)
    assert sorted(prometheus.files()) == ["prometheus.yml"]


def test_a_world_that_moved_is_not_written_to(prometheus: Site) -> None:
    prometheus.apply(rules())
    target = prometheus.target(rules(limit="0.2"))
    state = target.live()
    live = next(live for live in state.objects if str(live.key) == ALERTS)
    wanted = next(item for item in target.wanted() if item.key == live.key)
    edit(prometheus, "errors.yml", "0.05", "0.07")
    target.begin(state)
    with pytest.raises(Moved, match=r"errors\.yml is no longer what the plan was made from"):
        target.write(wanted, live)
    target.abandon()
    assert prometheus.apply(rules(expr="sum(rate(calls_total[1m]))")).complete
    with pytest.raises(Moved, match="somebody has applied"):
        target.begin(state)


def test_of_two_applies_at_once_one_waits(prometheus: Site) -> None:
    first, second = prometheus.target(rules()), prometheus.target(rules())
    first.begin(first.live())
    with pytest.raises(Moved, match="another apply is at work"):
        second.begin(second.live())
    first.abandon()
    second.begin(second.live())
    second.abandon()


def test_a_folder_that_is_not_there_or_not_named_is_said(prometheus: Site) -> None:
    prometheus.served["folder"] = str(prometheus.folder / "nowhere")
    with pytest.raises(InputError, match=r"targets\.prometheus\.folder: there is no folder .*nowhere"):
        prometheus.plan(rules())
    prometheus.served["folder"] = None
    with pytest.raises(InputError, match=r"targets\.prometheus\.folder: name the folder that Prometheus reads"):
        module.target(prometheus.settings(), rules())


def test_links_are_not_written_through(prometheus: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yml"
    prometheus.apply(rules())
    place = prometheus.folder / "rules" / "errors.yml"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert "is a link" in one(prometheus.apply(rules(limit="0.2")).findings)
    assert elsewhere.read_bytes() == before


def test_a_ledger_that_somebody_changed_is_not_believed(prometheus: Site) -> None:
    prometheus.apply(rules())
    ledger = prometheus.folder / ".agent-observatory-ledger.json"
    for text in ("[]", "{", '{"applied": {"../../etc/passwd": "0"}}', '{"applied": {"/etc/passwd": "0"}}'):
        ledger.write_text(text)
        with pytest.raises(InputError, match="is not what apply wrote there"):
            prometheus.plan(rules())
    ledger.unlink()
    assert prometheus.verdicts(rules()) == {"scrape targets platform": Verdict.ADOPT}
