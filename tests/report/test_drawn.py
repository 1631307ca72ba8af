"""The figures of a report are those of the panels, and those of the sources."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psycopg
import pytest
import requests

from contract.settings import Settings
from provisioning.interpolation import Span, sql_macros
from provisioning.report.drawn import Board, Drawn, run
from provisioning.report.model import Report as Made
from provisioning.report.model import Section, Table, moment
from tests.report.conftest import AMOUNTS, BOARD


def _section(drawn: Drawn, number: int) -> Section:
    [found] = [section for section in drawn.sections if section.key == f"panel-{number}"]
    return found


def _column(table: Table, name: str) -> tuple[object, ...]:
    [found] = [column for column in table.columns if column.name == name]
    return found.values


def test_what_draws_ends_with_the_command(tmp_path: Path) -> None:
    """It is asked to, for its browser would outlive it."""
    ended = tmp_path / "ended"
    read = "head -c 200000 /dev/zero"  # more than a pipe holds: it is over when somebody reads, and so waits for the end
    program = f"trap 'touch {ended}; exit 0' TERM; {read}; kill -INT $PPID; while :; do sleep 0.05; done"
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", program], os.environ)
    assert ended.exists()


def test_a_single_figure_has_its_value_its_text_and_its_unit(both: tuple[Drawn, Drawn]) -> None:
    [table] = _section(both[0], 1).tables
    assert table.form == "values"
    assert _column(table, "Value") == (9.5,)
    assert table.texts[0][1:] == ("9.50 s", "seconds (s)")


def test_a_table_is_what_the_database_says(both: tuple[Drawn, Drawn], span: Span, module_database: str) -> None:
    [table] = _section(both[0], 2).tables
    with psycopg.connect(module_database) as connection:
        rows = connection.execute(sql_macros(AMOUNTS, span).encode()).fetchall()
    assert len(rows) == 3
    told = [(str(at)[:19] + "Z", what, amount) for at, what, amount in table.rows]
    assert told == [(moment(at.timestamp()), what, amount) for at, what, amount in rows]
    [words] = [column for column in table.columns if column.name == "what"]
    assert words.texts == words.values, "what a panel shortens stands whole in a report"
    [amounts] = [column for column in table.columns if column.name == "amount"]
    assert amounts.kind == "number" and "Dollars" in amounts.unit and amounts.texts[0].startswith("$12.5")


def test_a_graph_has_its_legend_and_its_points(both: tuple[Drawn, Drawn], settings: Settings, span: Span) -> None:
    summary, points = _section(both[0], 3).tables
    assert (summary.form, points.form) == ("series", "points")
    asked = {"query": "agent_queries_in_progress", "time": str(span.end)}
    answer = requests.get(f"{settings.sources.prometheus.url}/api/v1/query", params=asked, timeout=5).json()
    [series] = answer["data"]["result"]
    assert summary.rows == (("clerk", float(series["value"][1]), float(series["value"][1]), ""),)
    assert {column.name for column in points.columns} == {"Time", "clerk"}
    assert set(_column(points, "clerk")) - {None} == {2}


def test_a_small_graph_in_a_table_is_the_figure_beside_it(both: tuple[Drawn, Drawn]) -> None:
    [table] = _section(both[0], 6).tables
    [trend] = [column for column in table.columns if column.name == "Trend"]
    assert (trend.kind, trend.values, trend.texts) == ("number", (2,), ("2 s",))


def test_figures_are_the_same_without_a_browser(
    both: tuple[Drawn, Drawn], settings: Settings, span: Span, tmp_path: Path
) -> None:
    board = Board(settings, "small", tmp_path)
    board.file.write_text(json.dumps(BOARD))
    read = board.draw(span, [], None, pictures=False)
    assert [(one.key, one.note, one.tables) for one in read.sections] == [
        (one.key, one.note, one.tables) for one in both[0].sections
    ]


def test_panels_that_say_nothing_say_why(both: tuple[Drawn, Drawn]) -> None:
    assert 'column "nothing" does not exist' in _section(both[0], 4).note
    assert _section(both[0], 5).note == "No data in this range."


def test_pictures_are_taken_of_the_range_only(both: tuple[Drawn, Drawn]) -> None:
    now, then = both
    for section in now.sections:
        assert section.picture and section.picture[:4] == b"RIFF" and section.picture[8:12] == b"WEBP"
    assert not any(section.picture for section in then.sections)


def test_what_changed(report: Made) -> None:
    [table] = report.sections[0].tables
    sums = [row for row in table.rows if row[0] == "Sum"]
    assert sums == [("Sum", "total", 5, 9.5, 4.5, 0.9, "seconds (s)")]
    assert table.texts[table.rows.index(sums[0])][2:6] == ("5.00 s", "9.50 s", "+4.5 s", "+90.0%")
