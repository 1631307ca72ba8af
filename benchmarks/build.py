"""What `observatory build` and `observatory check` take, as people run them: from the start of a process to its end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import program
from benchmarks.measure import Bar, Measure, median
from benchmarks.run import Run

_BAR = Bar(3000)


def measure(run: Run) -> Iterator[Measure]:
    """Under the defaults: the folder has no configuration."""
    with tempfile.TemporaryDirectory(prefix="observatory-build-") as name:
        folder = Path(name)
        build = ("build", "--out", f"{name}/build")
        check = ("check",) if run.scale.scenarios else ("check", "--scenarios", "none")
        yield Measure("the first build, into an empty folder", program.observatory(folder, *build), "ms")
        if run.scale.scenarios:
            program.observatory(folder, *check)  # proves what has changed since the last check
        built, checked = [], []
        for _ in range(run.scale.runs):
            built.append(program.observatory(folder, *build))
            checked.append(program.observatory(folder, *check))
        yield median("build", built)
        yield median("check, scenarios proved before", checked)
        both = [sum(pair) for pair in zip(built, checked, strict=True)]
        yield median("build, then check, scenarios proved before", both, bar=_BAR)
        one = [program.observatory(folder, *check, "--out", f"{name}/build") for _ in range(run.scale.runs)]
        yield median("check --out, which does both", one, bar=_BAR)
        if run.scale.scenarios:
            run.say("every scenario of every alert anew, which takes a minute or more")
            every = program.observatory(folder, *check, "--scenarios", "all")
            yield Measure("check, no scenario proved before", every / 1e3, "s")
