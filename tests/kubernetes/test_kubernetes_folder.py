"""A folder of manifests as the target of a plan: every verdict of the table, and everything that can come between."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from contract.settings import Settings
from provisioning.findings import InputError
from provisioning.plan import apply, changes, paging
from provisioning.plan.changes import Choice, Plan
from provisioning.plan.objects import Key, digest
from provisioning.plan.target import Moved, Refused, Target
from provisioning.plan.verdict import Verdict
from provisioning.targets.kubernetes import target as kubernetes_target

ME = "agent-observatory"
RULE = "prometheusrule-agent-observatory-agent-alerts.yaml"
KEY = Key("prometheus rule", "agent-observatory-agent-alerts")
BUILT: dict[str, bytes] = {}
"""What build writes at the moment."""
A_FEW = ("observatory-overview.json", "rules/agent_", "alertmanager/")
STRANGERS = {
    "theirs.yaml": "# kept by hand\nkind: PrometheusRule\nmetadata: {name: theirs}\nspec: {}\n",
    "many.yml": "kind: Service\nmetadata: {name: a}\n---\nkind: ConfigMap\nmetadata: {name: b, namespace: elsewhere}\n",
    "password.yaml": "kind: Secret\nmetadata: {name: login}\nstringData: {password: CANARY-1}\n",
    "template.yaml": "kind: {{ .Values.kind }}\n",
    "ports.yaml": "kind: ConfigMap\nmetadata: {name: ports, creationTimestamp: 2026-01-31T00:00:00Z}\ndata: {9000: a/b:80}\n",
    "dated.yaml": "kind: ConfigMap\nmetadata: {name: dated, namespace: null}\ndata: {a.yaml: 'since: 2026-01-31'}\n",
    "odd.yaml": "kind: [a]\nmetadata: {name: a}\n---\nkind: ConfigMap\nmetadata: {name: a, labels: b}\n---\n"
                "kind: ConfigMap\nmetadata: {name: a, annotations: [b]}\n---\nkind: Secret\nmetadata: {name: a}\ndata: 5\n",
    "itself.yaml": "kind: ConfigMap\nmetadata: {name: itself}\nspec: &a [*a]\n",
    "kustomization.yaml": "kind: Kustomization\nresources: [theirs.yaml]\n",
    "notes.txt": "nothing of ours",
}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, built: dict[str, bytes]) -> Path:
    """A folder with files of others. Ours are made of a few files of a build: what is done with one is done with all."""
    BUILT.clear()
    BUILT.update({path: body for path, body in built.items() if any(word in path for word in A_FEW)})
    place = tmp_path / "cluster"
    place.mkdir()
    for name, text in STRANGERS.items():
        (place / name).write_text(text)
    return place


def target(place: Path, **kubernetes: object) -> Target:
    settings = Settings.model_validate({"targets": {"kubernetes": {"folder": str(place), **kubernetes}}})
    return kubernetes_target(settings, dict(BUILT))


def plan(place: Path, overwrite: bool = False, **kubernetes: object) -> Plan:
    return changes.make((target(place, **kubernetes),), Choice(ME, overwrite_edits=overwrite))


def applied(place: Path, overwrite: bool = False, **kubernetes: object) -> apply.Outcome:
    outcome = apply.carry_out(plan(place, overwrite, **kubernetes), lambda _: None)
    assert outcome.complete, outcome
    return outcome


def verdicts(found: Plan) -> dict[Verdict, int]:
    return {
        verdict: [one.verdict for one in found.changes].count(verdict) for verdict in {one.verdict for one in found.changes}
    }


def edit(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before


def test_everything_is_created_once_and_a_second_plan_is_empty(site: Path) -> None:
    first = plan(site)
    assert set(verdicts(first)) == {Verdict.CREATE} and first.parts[0].foreign == 5
    assert len(applied(site).done) == len(first.todo) > 20
    again = plan(site)
    assert not again.changes and again.parts[0].same == len(first.todo)
    assert {name: (site / name).read_text() for name in STRANGERS} == STRANGERS
    assert not list(site.glob(".*"))


def test_what_is_written_carries_the_mark_and_the_digest_of_itself(site: Path) -> None:
    applied(site)
    metadata = yaml.safe_load((site / RULE).read_text())["metadata"]
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == ME
    (live,) = (one for one in target(site).live().objects if one.key == KEY)
    assert metadata["annotations"] == {f"{ME}/applied": digest(live.document)}


def test_other_settings_are_an_update_told_by_name(site: Path) -> None:
    applied(site)
    found = plan(site, labels={"release": "stack"})
    assert set(verdicts(found)) == {Verdict.UPDATE}
    assert "release" in str(next(one for one in found.changes if one.key == KEY).differences[0])
    applied(site, labels={"release": "stack"})
    assert not plan(site, labels={"release": "stack"}).changes


def test_what_changes_within_a_dashboard_is_told(site: Path) -> None:
    applied(site)
    path = "grafana/dashboards/Business/observatory-overview.json"
    BUILT[path] = BUILT[path].replace(b'"refresh": "', b'"refresh": "1', 1)
    (change,) = plan(site).changes
    assert change.verdict is Verdict.UPDATE and "refresh" in str(change.differences[0])


def test_who_would_be_paged_differently_is_told(site: Path) -> None:
    applied(site)
    rules, routes = "prometheus/rules/agent_alerts.yml", "alertmanager/alertmanager.yml"
    BUILT[rules] = BUILT[rules].replace(b"for: 5m", b"for: 9m", 1)
    told = paging.of_plan(plan(site))
    assert len(told) == 1 and "9m" in told[0]
    changed = yaml.safe_load(BUILT[routes])
    changed["route"] = {"receiver": "nobody"}
    BUILT[routes] = yaml.safe_dump(changed).encode()
    assert any("no longer" in sentence for sentence in paging.of_plan(plan(site)))


def test_an_edit_by_hand_is_shown_and_kept_until_it_is_overwritten(site: Path) -> None:
    applied(site)
    edit(site / RULE, lambda text: text.replace("interval: ", "interval: 1", 1))
    edited = (site / RULE).read_text()
    found = plan(site)
    assert verdicts(found) == {Verdict.DRIFT: 1} and not found.todo
    applied(site)
    assert (site / RULE).read_text() == edited
    applied(site, overwrite=True)
    assert not plan(site).changes and (site / RULE).read_text() != edited


def test_an_edit_here_and_there_is_a_conflict(site: Path) -> None:
    applied(site)
    edit(site / RULE, lambda text: text.replace("interval: ", "interval: 1", 1))
    assert verdicts(plan(site, labels={"a": "b"}))[Verdict.CONFLICT] == 1


def test_what_was_deleted_by_hand_comes_back(site: Path) -> None:
    applied(site)
    (site / RULE).unlink()
    assert verdicts(plan(site)) == {Verdict.CREATE: 1}, "the digest went with the object"
    applied(site)
    assert (site / RULE).exists() and not plan(site).changes


def test_what_is_no_longer_wanted_is_removed_unless_it_was_edited(site: Path) -> None:
    applied(site)
    service = site / "service-agent-observatory-exporter.yaml"
    edit(service, lambda text: text.replace("ClusterIP", "NodePort"))
    found = plan(site, exporter=None)
    assert verdicts(found) == {Verdict.PRUNE: 5, Verdict.EDITED: 1}
    applied(site, exporter=None)
    assert [path.name for path in site.glob("*-exporter.yaml")] == [service.name]
    applied(site, overwrite=True, exporter=None)
    assert not list(site.glob("*-exporter.yaml")) and not plan(site, exporter=None).changes
    assert {name: (site / name).read_text() for name in STRANGERS} == STRANGERS


def test_one_of_somebody_else_is_left_until_it_is_adopted(site: Path) -> None:
    theirs = f"# written by hand\nkind: PrometheusRule\nmetadata: {{name: {KEY.name}}}\nspec: {{groups: []}}\n"
    (site / "by-hand.yaml").write_text(theirs)
    assert verdicts(plan(site))[Verdict.ADOPT] == 1
    applied(site)
    assert (site / "by-hand.yaml").read_text() == theirs and not (site / RULE).exists()

    one = target(site)
    state = one.live()
    (live,) = (live for live in state.objects if live.key == KEY)
    one.begin(state)
    adopted = one.mark(live, ME)
    one.remember({**state.ledger, KEY: digest(adopted.document)})
    one.abandon()
    assert verdicts(plan(site)) == {Verdict.UPDATE: 1}
    applied(site)
    assert not plan(site).changes and not (site / RULE).exists(), "it stays in its file"


def test_what_is_released_stays_and_is_ours_no_more(site: Path) -> None:
    applied(site)
    one = target(site)
    state = one.live()
    (live,) = (live for live in state.objects if live.key == KEY)
    one.begin(state)
    one.mark(live, "")
    one.remember({key: last for key, last in state.ledger.items() if key != KEY})
    one.abandon()
    metadata = yaml.safe_load((site / RULE).read_text())["metadata"]
    assert "annotations" not in metadata and "app.kubernetes.io/managed-by" not in metadata["labels"]
    assert verdicts(plan(site)) == {Verdict.ADOPT: 1}
    assert verdicts(plan(site, exporter=None))[Verdict.PRUNE] == 6


def test_an_interrupted_apply_is_taken_up_again(site: Path) -> None:
    class Killed(BaseException):
        pass

    made = []

    def say(change: changes.Change) -> None:
        made.append(change)
        if len(made) == 7:
            raise Killed

    with pytest.raises(Killed):
        apply.carry_out(plan(site), say)
    rest = plan(site)
    assert set(verdicts(rest)) == {Verdict.CREATE} and rest.parts[0].same == 7
    applied(site)
    assert not plan(site).changes


def test_two_applies_at_once_are_told_apart(site: Path) -> None:
    one, other = target(site), target(site)
    state = one.live()
    one.begin(state)
    with pytest.raises(Moved, match="another apply"):
        other.begin(state)
    one.abandon()
    other.begin(state)
    other.abandon()


def test_a_folder_that_moved_since_is_not_written_to(site: Path) -> None:
    first = plan(site)
    (site / "new.yaml").write_text("kind: Service\nmetadata: {name: new}\n")
    outcome = apply.carry_out(first, lambda _: None)
    assert not outcome.complete and "plan again" in str(outcome.findings[0]) and not (site / RULE).exists()


def test_an_object_that_moved_while_applying_is_not_written_over(site: Path) -> None:
    applied(site)
    one = target(site)
    (live,) = (live for live in one.live().objects if live.key == KEY)
    (wanted,) = (want for want in one.wanted() if want.key == KEY)
    edit(site / RULE, lambda text: text + "# edited\n")
    for call in (lambda: one.write(wanted, live), lambda: one.remove(live), lambda: one.write(wanted, None)):
        with pytest.raises(Moved):
            call()
    (site / RULE).unlink()
    one.remove(live)


def test_an_object_among_others_in_a_file_is_refused(site: Path) -> None:
    (site / "both.yaml").write_text(
        f"kind: PrometheusRule\nmetadata: {{name: {KEY.name}}}\n---\nkind: Service\nmetadata: {{name: x}}\n"
    )
    one = target(site)
    (live,) = (live for live in one.live().objects if live.key == KEY)
    with pytest.raises(Refused, match="a file of its own"):
        one.mark(live, ME)


def test_what_cannot_be_read_is_said_and_secrets_are_not_read(site: Path) -> None:
    applied(site)
    (site / "copy.yaml").write_text((site / RULE).read_text())
    their_routes = "kind: Secret\nmetadata: {name: routes}\nstringData: {alertmanager.yaml: 'slack_api_url: CANARY-2'}\n"
    (site / "routes.yaml").write_text(their_routes)
    state = target(site).live()
    assert state.unverified == (
        "itself.yaml was not looked into: it is no YAML",
        "template.yaml was not looked into: it is no YAML",
        f"{KEY} stands in copy.yaml and in {RULE}; the first is looked at",
    )
    assert "CANARY" not in repr([(one.key, one.document) for one in state.objects])
    assert Key("alertmanager secret", "routes") in {one.key for one in state.objects}
    assert Key("alertmanager secret", "login") not in {one.key for one in state.objects}


def test_no_folder_is_said() -> None:
    with pytest.raises(InputError, match=r"targets\.kubernetes\.folder"):
        kubernetes_target(Settings(), {})


def test_a_folder_is_made_and_what_is_none_is_said(site: Path) -> None:
    applied(site / "new")
    assert (site / "new" / RULE).exists()
    with pytest.raises(InputError, match=r"there is no folder .*missing; create it"):
        apply.carry_out(plan(site / "missing" / "new"), lambda _: None)
    with pytest.raises(InputError, match=r"notes.txt is a file; name a folder"):
        plan(site / "notes.txt")


@pytest.mark.parametrize("call", ["tempfile.mkstemp", "pathlib.Path.replace"])
def test_a_folder_that_cannot_be_written_to_is_said(site: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(call, refused)
    outcome = apply.carry_out(plan(site), lambda _: None)
    assert "cannot be written: Permission denied" in str(outcome.findings[0])
    assert {path.name for path in site.iterdir()} == set(STRANGERS)


def test_the_lock_leaves_nothing_behind(site: Path) -> None:
    applied(site)
    handle = os.open(site, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)
