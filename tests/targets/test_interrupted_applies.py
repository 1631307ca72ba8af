"""An apply that is killed at any step is taken up by the next one, and can still be gone back from."""

from __future__ import annotations

import multiprocessing
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from served import Site

from provisioning.plan.target import Refused
from provisioning.plan.verdict import Verdict
from provisioning.targets.folder import Folder

KILLED = 9


def rules(*names: str, value: int = 1) -> dict[str, bytes]:
    def file(name: str) -> bytes:
        return yaml.safe_dump({"groups": [{"name": name, "rules": [{"record": name, "expr": f"vector({value})"}]}]}).encode()

    return {f"prometheus/rules/{name}.yml": file(name) for name in names}


BEFORE = rules("kept", "changed", "removed")
AFTER = {**rules("kept", "created"), **rules("changed", value=2)}
REFUSED = {**AFTER, "prometheus/rules/wrong.yml": b"groups: [{name: wrong, rules: [{record: a, expr: 'rate(up)'}]}]"}


def evaluated(site: Site) -> dict[str, str]:
    groups = site.get("/api/v1/rules")["data"]["groups"]
    return {rule["name"]: rule["query"] for group in groups for rule in group["rules"]}


def killed_at(step: int, site: Site, artefacts: dict[str, bytes]) -> bool:
    """Apply in a process of its own that dies before its so-many-th step; whether it has died by that."""

    def run() -> None:
        steps = iter(range(1000))

        def dying(act: Callable[..., Any]) -> Callable[..., Any]:
            def acted(*arguments: Any, **options: Any) -> Any:
                if next(steps) == step:
                    os._exit(KILLED)
                return act(*arguments, **options)

            return acted

        Path.replace = dying(Path.replace)  # type: ignore[method-assign]
        Path.unlink = dying(Path.unlink)  # type: ignore[method-assign]
        os.link = dying(os.link)
        tempfile.mkstemp = dying(tempfile.mkstemp)
        requests.post = dying(requests.post)
        os._exit(0 if site.apply(artefacts).complete else 1)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode in (0, KILLED)
    return process.exitcode == KILLED


def until_the_end(site: Site, check: Callable[[int], None]) -> int:
    """`check` after an apply from BEFORE to AFTER was killed at each of its steps; how many there are."""
    for step in range(100):
        assert site.apply(BEFORE).complete
        assert site.verdicts(BEFORE) == {}
        if not killed_at(step, site, AFTER):
            return step
        check(step)
    raise AssertionError("an apply without an end")


def test_the_next_apply_does_the_rest(prometheus: Site) -> None:
    foreign = prometheus.folder / "rules" / "hand.yml"
    foreign.write_text("groups: [{name: hand, rules: [{record: hand, expr: vector(0)}]}]")
    foreign.chmod(0o640)
    held = (foreign.read_bytes(), foreign.stat())

    def taken_up(step: int) -> None:
        verdicts = {change.verdict for change in prometheus.plan(AFTER).changes}
        assert verdicts <= {Verdict.CREATE, Verdict.UPDATE, Verdict.PRUNE}, f"at step {step}"
        assert prometheus.apply(AFTER).complete
        assert prometheus.verdicts(AFTER) == {}, f"at step {step}"
        assert evaluated(prometheus) == {
            "hand": "vector(0)",
            "kept": "vector(1)",
            "created": "vector(1)",
            "changed": "vector(2)",
        }
        assert prometheus.hidden() == [".agent-observatory-ledger.json", ".agent-observatory.lock"], f"at step {step}"

    assert until_the_end(prometheus, taken_up) > 10
    assert (foreign.read_bytes(), foreign.stat()) == held


def test_after_an_interruption_there_still_is_a_way_back(prometheus: Site) -> None:
    assert prometheus.apply(BEFORE).complete
    before = prometheus.files()

    def gone_back(step: int) -> None:
        outcome = prometheus.apply(REFUSED)
        assert not outcome.complete
        assert prometheus.files() == before, f"at step {step}"
        assert evaluated(prometheus) == {"kept": "vector(1)", "changed": "vector(1)", "removed": "vector(1)"}
        assert prometheus.verdicts(BEFORE) == {}, f"at step {step}"

    assert until_the_end(prometheus, gone_back) > 10


def test_what_people_do_after_an_interruption_is_not_gone_back_from(prometheus: Site) -> None:
    """Whatever becomes of a later apply, files that somebody made or edited meanwhile stay as they are."""
    made = "groups: [{name: created, rules: [{record: by_hand, expr: vector(5)}]}]"

    def left_alone(step: int) -> None:
        places = [prometheus.folder / "rules" / f"{name}.yml" for name in ("created", "changed")]
        for place in places:
            place.write_text(made)
        assert not prometheus.apply(REFUSED).complete
        assert [place.read_text() for place in places] == [made, made], f"at step {step}"
        for place in places:
            place.unlink()

    assert until_the_end(prometheus, left_alone) > 10


def test_a_file_of_others_that_may_not_be_read_does_not_matter(prometheus: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (prometheus.folder / "rules" / "closed.yaml").write_text("closed")
    readable = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed.yaml" and readable(path, mode))
    assert prometheus.apply(BEFORE).complete
    assert prometheus.verdicts(BEFORE) == {}


def test_what_is_changed_keeps_its_rights(prometheus: Site) -> None:
    prometheus.apply(BEFORE)
    place = prometheus.folder / "rules" / "changed.yml"
    place.chmod(0o640)
    assert prometheus.apply(AFTER).complete
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    assert stat.S_IMODE((place.parent / "created.yml").stat().st_mode) == 0o644


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that others may read, and nobody may write to; not in pytest's own, which others may not even enter."""
    with tempfile.TemporaryDirectory(prefix="observatory-targets-") as name:
        folder = Path(name)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_said(closed: Path) -> None:
    """Without the rights of the administrator, who may write everywhere."""

    def run(told: Any) -> None:
        if os.geteuid() == 0:
            os.setegid(65534)
            os.seteuid(65534)
        try:
            Folder(closed, "agent-observatory", "targets.prometheus.folder").begin("")
        except Refused as problem:
            told.send(str(problem))

    ours, theirs = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=run, args=(theirs,))
    process.start()
    process.join(30)
    assert ours.poll()
    said = ours.recv()
    assert f"{closed}/.agent-observatory.lock: Permission denied" in said
    assert "let this user read and write" in said


def test_a_file_system_without_second_names_is_fine(prometheus: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(1, "no links here")

    prometheus.apply(BEFORE)
    before = prometheus.files()
    monkeypatch.setattr(os, "link", refuse)
    assert not prometheus.apply(REFUSED).complete
    assert prometheus.files() == before
    assert prometheus.apply(AFTER).complete


@pytest.mark.parametrize("file", ["created", "ledger"])
def test_a_full_disk_changes_nothing(prometheus: Site, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    prometheus.apply(BEFORE)
    before = prometheus.files()
    made = tempfile.mkstemp

    def full(*arguments: Any, **options: Any) -> Any:
        handle, name = made(*arguments, **options)
        if file not in options["prefix"]:
            return handle, name
        os.close(handle)
        return os.open("/dev/full", os.O_WRONLY), name

    monkeypatch.setattr(tempfile, "mkstemp", full)
    outcome = prometheus.apply(AFTER)
    (finding,) = outcome.findings
    assert f"{prometheus.folder}: No space left on device; make room there" in str(finding)
    assert not outcome.done
    assert prometheus.files() == before
    assert not list(prometheus.folder.rglob("*.new")), "they would keep the little room there is"
    monkeypatch.undo()
    assert prometheus.verdicts(BEFORE) == {}
    assert prometheus.apply(AFTER).complete
