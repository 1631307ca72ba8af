"""Counters, histograms and stocks from roll-ups, each equal to a plain SQL query over the platform's tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.business import plain
from tests.business.figures import Figures, of
from tests.business.installed import Exporter, install
from tests.business.life import Life

NOW = datetime.now(UTC).replace(microsecond=0)
"""The server's clock decides for how long minutes are kept, so the test lives now."""


@pytest.fixture(scope="module")
def lived(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    install(module_database, tmp_path_factory.mktemp("config"))
    Life(module_database, NOW).write()
    return module_database


@pytest.fixture(scope="module")
def found(lived: str) -> Figures:
    exporter = Exporter.of(lived)
    figures = exporter.collect(NOW.timestamp())
    exporter.close()
    return figures


def test_all_succeed(found: Figures) -> None:
    assert {labels for labels, value in of(found, "exporter_query_success").items() if not value} == set()


WINDOWED = plain.WINDOWED | {"platform_feedback_response_ratio": plain.FEEDBACK_RESPONSE_FIRST}


@pytest.mark.parametrize("name", WINDOWED)
def test_a_figure_of_windows_equals_plain_sql(lived: str, found: Figures, name: str) -> None:
    expected = plain.windowed(lived, WINDOWED[name], NOW)
    assert of(found, name) == pytest.approx(expected)


@pytest.mark.parametrize("name", plain.STANDING)
def test_what_stands_in_tables_equals_plain_sql(lived: str, found: Figures, name: str) -> None:
    expected = plain.answer(lived, plain.STANDING[name], NOW)
    assert expected
    assert {labels: value for labels, value in of(found, name).items() if value} == pytest.approx(expected)
