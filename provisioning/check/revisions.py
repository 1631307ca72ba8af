"""What another revision builds, and which findings are of what has changed since.

That revision's own code builds, in a folder of its own, with this interpreter; no commit has to hold built files, and nothing
of the checkout is touched. A finding is new when it stands in an artefact that is built otherwise now (a panel, a rule, a
page), or when today's checks do not find it in what was built then: a query that a removed rule has broken is new, though
itself it has not changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioning import boards
from provisioning.check.excerpts import excerpt
from provisioning.check.scenarios import TESTS
from provisioning.findings import Finding, InputError
from provisioning.rule_files import rule_groups

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 120
_ELSEWHERE = ("gridPos", "id")
"""What of a panel changes when another one moves."""


@dataclass(frozen=True)
class Since:
    """A revision of git, and the configuration that is checked: that revision's own, where it has the file."""

    revision: str
    config: Path | None = None


def built(since: Since, root: Path = ROOT) -> dict[str, bytes]:
    """What that revision builds, by path. Raises InputError when there is no such revision, or when it does not build."""
    commit = _commit(since.revision, root)
    with tempfile.TemporaryDirectory(prefix="observatory-revision-") as name:
        tree, out = Path(name) / "tree", Path(name) / "out"
        with tempfile.TemporaryFile() as archive:
            subprocess.run(["git", "archive", commit], cwd=root, stdout=archive, timeout=_SECONDS, check=True)
            archive.seek(0)
            tree.mkdir()
            # Python's own tarfile asks how far to trust an archive, or cannot, from one patch of a version to the next.
            subprocess.run(["tar", "-x", "-C", str(tree)], stdin=archive, timeout=_SECONDS, check=True)
        command = [sys.executable, "-P", "-m", "provisioning.cli", "build", "--out", str(out)]
        if since.config:
            command += ["--config", str(_configuration(since.config, tree, root))]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).replace(str(tree), since.revision)
            raise InputError(f"error: {since.revision} does not build, so changes since then cannot be told\n{said}")
        paths = (path for path in sorted(out.rglob("*")) if path.is_file())
        return {
            path.relative_to(out).as_posix(): path.read_bytes().replace(str(tree).encode(), str(root).encode())
            for path in paths
        }


def _commit(revision: str, root: Path) -> str:
    asked = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    try:
        done = subprocess.run(asked, cwd=root, capture_output=True, text=True, timeout=_SECONDS, check=False)
        inside = subprocess.run(["git", "rev-parse"], cwd=root, capture_output=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        raise InputError("error: --changed-since asks git, which is not installed here") from None
    if inside.returncode != 0:
        raise InputError(f"error: --changed-since: {root} is no git repository")
    if done.returncode != 0:
        remedy = "git log shows which there are; a shallow clone has only the last one (git fetch --unshallow)"
        raise InputError(f"error: --changed-since: there is no revision {revision} here\n    {remedy}")
    return done.stdout.strip()


def _configuration(config: Path, tree: Path, root: Path) -> Path:
    whole = config.absolute()
    then = tree / whole.relative_to(root) if whole.is_relative_to(root) else whole
    return then if then.is_file() else whole


def changed(
    findings: Iterable[Finding], old_findings: Iterable[Finding], now: Mapping[str, bytes], then: Mapping[str, bytes]
) -> set[tuple[str, str]]:
    """Check and place of the findings that are new: in what is built otherwise `now`, or not among those of `then`."""
    before, after = dict(_subjects(then)), dict(_subjects(now))
    old = set(old_findings)
    return {
        (finding.check, finding.place)
        for finding in findings
        if finding not in old or before.get(subject := _subject(finding.place, after)) != after.get(subject)
    }


def _subject(place: str, subjects: Mapping[str, str]) -> str:
    """The artefact that a place is in: the place without its last parts."""
    while place and place not in subjects:
        place = place.rpartition(", ")[0]
    return place


def _subjects(artefacts: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Every artefact that findings name, by the name that they have for it, with a digest of all that it says."""
    found: dict[str, list[Any]] = {}
    for board in boards.read(artefacts):
        parts = ("panels", "templating")
        found[board.place] = [{key: value for key, value in board.model.items() if key not in parts}]
        for panel in board.panels:
            said = {key: value for key, value in panel.items() if key not in _ELSEWHERE}
            found.setdefault(board.panel_place(panel), []).append(said)
        for name, variable in board.variables.items():
            found[f"{board.place}, variable {name}"] = [variable]
    for group in rule_groups(artefacts):
        found.setdefault(f"rule group {group.get('name')}", []).append(group)
        for rule in group.get("rules", []):
            name = f"alert {rule['alert']}" if "alert" in rule else f"recording rule {rule.get('record')}"
            found.setdefault(name, []).append([rule, group.get("interval")])
    for path, body in artefacts.items():
        if path.startswith("runbooks/"):
            found[f"runbook {Path(path).stem}"] = [body.decode()]
        elif path.startswith(TESTS):
            asked = excerpt(path, artefacts)
            found[f"promtool test rules {path}"] = [[name, asked[name].decode()] for name in sorted(asked)]
    for name, whole in found.items():
        yield name, hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
