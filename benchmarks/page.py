"""`docs/benchmarks.md`: what the benchmarks measured last, read from the files that they write.

`python -m benchmarks.page` prints it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.catalogue import BENCHMARKS
from benchmarks.measure import Bar
from benchmarks.report import digits
from benchmarks.run import Scale

FOLDER = Path(__file__).resolve().parent.parent / "var" / "bench"

_HEAD = """\
# Benchmarks

`make bench` measures what this project promises of itself, on the machine where it runs, and keeps each result in
`var/bench/NAME.json`. `make benchmarks` writes this page from these files: no figure here was written by hand.

    make bench                                             # everything, hours; ends with 1 where a bar is missed
    make bench ARGS="--only api"                           # one of them
    make bench ARGS="--only cycle --rows 1000000"          # with fewer agent executions than ten million
    make benchmarks                                        # this page

| name | what is measured | command |
|---|---|---|
"""
_READ = """\

## How to read it

- **bar**: what has to be kept: ≤ at most, ≥ at least. A figure without a bar is there to be compared.
- **measured**: the median, or what the first column says; **range** is from the least to the greatest of the runs.
- **peer**: the same done by raw SQL, by another program or without recorded series, as the first column says.
- **load**: how many processes waited for a processor when it began, over one, five and fifteen minutes. Above the number of
  processors others were at work, and times say little.
"""
_NONE = """
Nothing was measured on the machine that wrote this page.
"""


def page(folder: Path = FOLDER) -> str:
    """The whole page in Markdown, with the results that lie in a folder."""
    commands = [f'| {name} | {one.title} | `make bench ARGS="--only {name}"` |' for name, one in BENCHMARKS.items()]
    results = [json.loads(path.read_text()) for name in BENCHMARKS if (path := folder / f"{name}.json").exists()]
    parts = [_HEAD + "\n".join(commands), _READ, *(line for result in results for line in _result(result))]
    return "\n".join(parts) + ("" if results else _NONE)


def _result(result: dict[str, Any]) -> Iterator[str]:
    machine, name, rows = result["machine"], result["benchmark"], result["scale"]["rows"]
    size = "" if rows == Scale.rows else f" --rows {rows}"
    yield f"## {BENCHMARKS[name].title}\n"
    yield (
        f'`make bench ARGS="--only {name}{size}"`: '
        f"{machine['measured_at'][:10]}, {machine['cores']} cores, {machine['memory']}, Python {machine['python']}, "
        f"load {machine['load_before']}.\n"
    )
    yield "| what | bar | measured | range | peer | bar met |"
    yield "|---|---|---|---|---|---|"
    for one in result["measures"]:
        unit, bar = one["unit"], one["bar"] and Bar(**one["bar"])
        what = f"{one['what']} (peer: {one['against']})" if one["against"] else one["what"]
        cells = (
            what.replace("|", "\\|"),
            f"{'≥' if bar.at_least else '≤'} {_figure(bar.limit, unit)}" if bar else "",
            _figure(one["ours"], unit),
            "–".join(map(digits, one["spread"])) if one["spread"] else "",
            "" if one["peer"] is None else _figure(one["peer"], unit),
            {None: "", True: "yes", False: "**no**"}[one["met"]],
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _figure(value: float, unit: str) -> str:
    return f"{digits(value)} {unit}".rstrip()


if __name__ == "__main__":
    print(page(), end="")
