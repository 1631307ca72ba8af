"""The page of benchmarks says what the files of the last runs hold, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks import report
from benchmarks.catalogue import BENCHMARKS
from benchmarks.measure import Bar, Measure
from benchmarks.page import page
from benchmarks.run import Scale

MACHINE = {
    "measured_at": "2026-01-31T10:00:00+00:00", "cores": "2", "memory": "24 GiB", "python": "3.11.7", "load_before": "0.1",
}  # fmt: skip
WRITTEN = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def test_a_result_is_on_the_page_as_it_was_measured(tmp_path: Path) -> None:
    measures = [
        Measure("busy", 13.94, "ms", Bar(10), spread=(12.0, 16.5), peer=1394.0, against="raw SQL"),
        Measure("rows counted", 212_345, "rows/s", Bar(200_000, at_least=True)),
        Measure("seen", 3, ""),
    ]
    report.write(tmp_path, "cycle", measures, MACHINE, replace(Scale(), rows=1_000_000))
    written = page(tmp_path)
    assert '`make bench ARGS="--only cycle --rows 1000000"`: 2026-01-31, 2 cores, 24 GiB, Python 3.11.7, load 0.1.' in written
    assert [line for line in written.splitlines() if line.count("|") == 7][2:] == [
        "| busy (peer: raw SQL) | ≤ 10 ms | 13.9 ms | 12–16.5 | 1,394 ms | **no** |",
        "| rows counted | ≥ 200,000 rows/s | 212,345 rows/s |  |  | yes |",
        "| seen |  | 3 |  |  |  |",
    ]


def test_the_page_explains_every_benchmark_as_they_are_today(tmp_path: Path) -> None:
    head, _, _ = page(tmp_path).partition("Nothing was measured")
    assert WRITTEN.read_text().startswith(head.rstrip()), "`make benchmarks` writes it anew"
    assert all(f"| {name} | {one.title} |" in head for name, one in BENCHMARKS.items())
