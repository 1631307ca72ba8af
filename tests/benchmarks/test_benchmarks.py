"""Every benchmark runs at a tiny size and says what it is meant to say. How fast anything is, is not looked at here."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import machine, ours, program, report
from benchmarks.catalogue import BENCHMARKS
from benchmarks.measure import Bar, Measure, percentile
from benchmarks.questions import QUESTIONS
from benchmarks.run import TINY, Run
from contract.catalogue import metric
from demo.database.server import ServerError
from provisioning import cli
from tests.conftest import install, thrown_away

UNTIMED = {
    "answers": ["answers differ"],
    "exactness": ["rows lost", "rows counted twice", "answers that differ"],
    "replicas": ["runs in which all is equal", "times that a counter fell"],
    "footprint": ["connections at most"],
}
"""Measures whose bar must be met on any machine, however slow."""


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Two tabs are opened, one of them with many queries to both sources: what the others ask is tried elsewhere."""
    with thrown_away("bench") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "install", _once(ours.install, install))
        patch.setattr(program, "observatory", _once(program.observatory, _observatory))
        folder.chmod(0o755)  # under root PostgreSQL is another user
        with Run(folder, TINY, shared_buffers="64MB", tabs=("overview", "one-request")) as made:
            yield made


def _once(process: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """The first time a process does it, as in benchmarks; each takes a second to start and more, so the others do without."""
    ways = chain([process], repeat(otherwise))
    return lambda *words, **more: next(ways)(*words, **more)


def _observatory(folder: Path, *words: str, ends: int = 0, **environment: str) -> float:
    """Milliseconds of a command in this process."""
    began = time.perf_counter()
    with chdir(folder):
        done = CliRunner(env=environment).invoke(cli.main, words)
    assert done.exit_code == ends, done.output
    return (time.perf_counter() - began) * 1e3


@pytest.mark.integration
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_at_a_tiny_size(name: str, run: Run) -> None:
    measures = list(BENCHMARKS[name].measure(run))
    assert measures
    assert all(measure.ours >= 0 or "slower" in measure.what for measure in measures), measures
    for words in UNTIMED.get(name, []):
        (measure,) = [measure for measure in measures if words in measure.what]
        assert measure.met, measure
    kept = json.loads(report.write(run.folder, name, measures, machine.facts(), TINY).read_text())
    assert [measure["what"] for measure in kept["measures"]] == [measure.what for measure in measures]
    assert kept["machine"]["cores"] == str(os.cpu_count())


def test_there_are_25_questions_of_metrics_of_the_contract() -> None:
    assert len(QUESTIONS) == len({question.name for question in QUESTIONS}) == 25
    for question in QUESTIONS:
        if question.metric:
            declared = {*metric(question.metric).labels}
            assert declared == {*question.labels, *dict(question.fixed)} - {"le"}, question.name


def test_a_question_is_asked_as_of_a_moment() -> None:
    text = next(question for question in QUESTIONS if question.name == "users_new_24h").at(datetime(2026, 3, 1, tzinfo=UTC))
    assert ":now" not in text
    assert "timestamptz '2026-03-01T00:00:00+00:00'" in text


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (0.99, 4.0), (1.0, 4.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value


def test_the_table_shows_bar_peer_and_verdict() -> None:
    console = Console(width=150, record=True, file=io.StringIO())
    fine, slow = Measure("fast", 2.0, "ms", Bar(3.0), 100.0, "raw"), Measure("slow", 150_000.0, "rows/s", Bar(200_000, True))
    report.show("Title", [fine, slow], console)
    rows = {words[1]: words for line in console.export_text().splitlines() if len(words := line.split("│")) > 2}
    (first,) = [cells for name, cells in rows.items() if "fast (peer: raw)" in name]
    (second,) = [cells for name, cells in rows.items() if "slow" in name]
    assert [cell.strip() for cell in first[2:-1]] == ["≤ 3 ms", "2 ms", "", "100 ms", "50×", "yes"]
    assert [cell.strip() for cell in second[2:-1]] == ["≥ 200,000 rows/s", "150,000 rows/s", "", "", "", "no"]


def test_an_unknown_benchmark_is_refused_with_the_names_that_there_are() -> None:
    result = CliRunner().invoke(command.main, ["--only", "speed"])
    assert result.exit_code == 2
    assert all(name in result.output for name in BENCHMARKS)


def test_a_missed_bar_is_exit_code_1_and_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    missed = [Measure("too slow", 2.0, "ms", Bar(1.0))]
    monkeypatch.setitem(BENCHMARKS, "render", command.BENCHMARKS["render"].__class__("Title", lambda _: iter(missed)))
    result = CliRunner().invoke(command.main, ["--only", "render"])
    assert result.exit_code == 1
    assert "render: too slow" in result.output
    assert json.loads((tmp_path / "render.json").read_text())["measures"][0]["met"] is False


def test_two_runs_at_once_do_not_take_the_database_from_each_other(run: Run) -> None:
    with pytest.raises(ServerError, match="another benchmark is running"), Run(run.folder):
        pass
