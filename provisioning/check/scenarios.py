"""The scenarios of alerts, proved by promtool: the longest stories take many seconds, so what passed once is remembered."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from provisioning.check.excerpts import excerpt
from provisioning.check.programs import Program, laid_out
from provisioning.check.proofs import Proofs
from provisioning.findings import Finding

Which = Literal["changed", "all", "none"]
"""Whether scenarios are proved that have not passed before as they are, every one of them, or none."""
TESTS = "prometheus/tests/"
_MANY = 5


def scenario_findings(
    artefacts: Mapping[str, bytes], which: Which = "changed", say: Callable[[str], None] = lambda _: None
) -> Iterator[Finding]:
    """What promtool finds in the test files of a build; nothing where it is not installed. `say` is told when it takes long."""
    promtool = Program.found("promtool")
    if promtool is None or which == "none":
        return
    waiting = [
        path for path in artefacts if path.startswith(TESTS) and (which == "all" or not _passed(path, artefacts, promtool))
    ]
    if len(waiting) > _MANY:
        say(f"promtool proves {len(waiting)} files of scenarios, which may take a minute; what passes is remembered")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda path: _proved(path, artefacts, promtool), waiting):
            yield from found


def proved(path: str, artefacts: Mapping[str, bytes]) -> list[Finding]:
    """What promtool finds in one test file of a build, with the rules that it asks for; nothing when it passed before."""
    promtool = Program.found("promtool")
    if promtool is None or _passed(path, artefacts, promtool):
        return []
    return _proved(path, artefacts, promtool)


def _passed(path: str, artefacts: Mapping[str, bytes], promtool: Program) -> bool:
    return Proofs(promtool.version).of(excerpt(path, artefacts)).exists()


def _proved(path: str, artefacts: Mapping[str, bytes], promtool: Program) -> list[Finding]:
    asked = excerpt(path, artefacts)
    with tempfile.TemporaryDirectory(prefix="observatory-check-") as folder:
        laid_out(asked, Path(folder))
        found = promtool.findings(["test", "rules", path], Path(folder))
    if not found:
        proofs = Proofs(promtool.version)
        proofs.keep(proofs.of(asked))
    return found
