"""The table that people read and the JSON that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Bar, Measure
from benchmarks.run import Scale


def digits(value: float) -> str:
    """Three digits that matter, with separators: 12,345 · 3.14 · 0.052.

    >>> digits(12345.6), digits(3.14159), digits(0.0523), digits(0)
    ('12,346', '3.14', '0.0523', '0')
    """
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _with_unit(value: float | None, unit: str) -> str:
    return "" if value is None else f"{digits(value)} {unit}".rstrip()


def _bar(bar: Bar | None, unit: str) -> str:
    return "" if bar is None else f"{'≥' if bar.at_least else '≤'} {_with_unit(bar.limit, unit)}"


def _verdict(measure: Measure) -> str:
    return {None: "", True: "yes", False: "[red]no[/red]"}[measure.met]


def show(title: str, measures: Iterable[Measure], console: Console) -> None:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("what", overflow="fold")
    for column in ("bar", "ours", "range", "peer", "peer / ours"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("bar met", justify="center")
    for measure in measures:
        spread = "" if measure.spread is None else "–".join(digits(end) for end in measure.spread)
        peer = _with_unit(measure.peer, measure.unit)
        ratio = "" if measure.ratio is None else f"{digits(measure.ratio)}×"
        name = f"{measure.what} (peer: {measure.against})" if measure.against else measure.what
        ours = _with_unit(measure.ours, measure.unit)
        table.add_row(name, _bar(measure.bar, measure.unit), ours, spread, peer, ratio, _verdict(measure))
    console.print(table)


def write(folder: Path, name: str, measures: Iterable[Measure], machine: dict[str, str], scale: Scale) -> Path:
    """Keep the figures of one benchmark; the latest run of it replaces the one before."""
    path = folder / f"{name}.json"
    content = {"benchmark": name, "machine": machine, "scale": scale.plain(), "measures": [m.plain() for m in measures]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path
