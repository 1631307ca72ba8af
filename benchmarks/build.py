"""What `observatory build` and `observatory check` take, as people run them: from the start of a process to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Bar, Measure, median
from benchmarks.program import ProgramError
from benchmarks.run import Run

_ROOT = Path(__file__).resolve().parent.parent
_BAR = Bar(3000)


def measure(run: Run) -> Iterator[Measure]:
    with tempfile.TemporaryDirectory(prefix="observatory-build-") as name:
        build = ("build", "--out", f"{name}/build")
        check = ("check",) if run.scale.scenarios else ("check", "--scenarios", "none")
        yield Measure("the first build, into an empty folder", _run(name, *build), "ms")
        if run.scale.scenarios:
            _run(name, *check)  # proves what has changed since the last check
        built, checked = [], []
        for _ in range(run.scale.runs):
            built.append(_run(name, *build))
            checked.append(_run(name, *check))
        yield median("build", built)
        yield median("check, scenarios proved before", checked)
        both = [sum(pair) for pair in zip(built, checked, strict=True)]
        yield median("build, then check, scenarios proved before", both, bar=_BAR)
        one = [_run(name, *check, "--out", f"{name}/build") for _ in range(run.scale.runs)]
        yield median("check --out, which does both", one, bar=_BAR)
        if run.scale.scenarios:
            run.say("every scenario of every alert anew, which takes a minute or more")
            yield Measure("check, no scenario proved before", _run(name, *check, "--scenarios", "all") / 1e3, "s")


def _run(folder: str, *words: str) -> float:
    """Milliseconds of one command under the defaults, in a folder without a configuration."""
    paths = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OBSERVATORY_")}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "provisioning.cli", *words],
        cwd=folder,
        env={**environment, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    taken = (time.perf_counter() - began) * 1e3
    if done.returncode:
        raise ProgramError(f"observatory {' '.join(words)} ended with {done.returncode}: {done.stderr or done.stdout}")
    return taken
