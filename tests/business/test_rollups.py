"""Counters, histograms and stocks from roll-ups, each equal to a plain SQL query over the platform's tables."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from psycopg import sql

from contract.catalogue import metric
from exporters.database.sessions import Rows
from tests.business import plain
from tests.business.figures import Figures, of
from tests.business.installed import Exporter
from tests.business.life import Life

NOW = datetime.now(UTC).replace(microsecond=0)
"""The server's clock decides for how long minutes are kept, so the test lives now."""


@pytest.fixture(scope="module")
def lived(module_installed: str) -> str:
    Life(module_installed, NOW).write()
    return module_installed


@pytest.fixture(scope="module")
def found(lived: str) -> Figures:
    exporter = Exporter.of(lived)
    assert exporter.collect(NOW.timestamp()) == {}
    figures = exporter.served(NOW.timestamp())
    exporter.close()
    return figures


def test_all_succeed(found: Figures) -> None:
    assert {labels for labels, value in of(found, "exporter_query_success").items() if not value} == set()


def test_what_was_just_counted_is_not_asked_for_again(lived: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, asked = Exporter.of(lived), []
    figures = next(collector for collector in exporter.collectors if collector.name == "postgres")
    session = exporter.reading.session
    answers = session.answers

    def asking(*transactions: Sequence[sql.Composable | str]) -> list[Rows]:
        asked.extend(one if isinstance(one, str) else one.as_string() for statements in transactions for one in statements)
        return answers(*transactions)

    monkeypatch.setattr(session, "answers", asking)
    at = NOW.timestamp()
    assert exporter.collect(at) == {}
    asked.clear()
    assert exporter.collect(at) == {}
    assert not any("counted_since" in statement for statement in asked)
    figures.collect(at + 3600)
    assert any("counted_since" in statement for statement in asked), "what was read is too old"
    exporter.close()


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


@pytest.mark.parametrize("name", plain.COUNTERS)
def test_a_counter_equals_plain_sql(lived: str, found: Figures, name: str) -> None:
    expected = plain.answer(lived, plain.COUNTERS[name], NOW)
    assert {labels: value for labels, value in of(found, name).items() if value} == {k: v for k, v in expected.items() if v}
    assert sum(expected.values()) > 0


@pytest.mark.parametrize("name", plain.DURATIONS)
def test_a_histogram_has_every_observation_in_its_bucket(lived: str, found: Figures, name: str) -> None:
    durations = plain.observations(lived, plain.DURATIONS[name])
    assert durations
    assert {labels: count for labels, count in of(found, f"{name}_count").items() if count} == {
        labels: len(observed) for labels, observed in durations.items()
    }
    for labels, observed in durations.items():
        assert found[f"{name}_sum", *labels] == pytest.approx(sum(observed), abs=len(observed) * 1e-6)
        assert _buckets(found, name, labels) == _sorted_into(metric(name).buckets, observed)


def _buckets(found: Figures, name: str, labels: tuple[str, ...]) -> list[float]:
    return [found[f"{name}_bucket", *labels, f"{bound:g}"] for bound in (*metric(name).buckets, math.inf)]


def _sorted_into(bounds: tuple[float, ...], observed: list[float]) -> list[float]:
    """A value that is equal to a bound belongs below it. Counted in whole microseconds."""
    counts = [0.0] * (len(bounds) + 1)
    for seconds in observed:
        counts[bisect_left([round(bound * 1e6) for bound in bounds], round(seconds * 1e6))] += 1
    return counts


def test_every_metric_is_held_against_sql(found: Figures) -> None:
    """All metrics from PostgreSQL, save those about the roll-ups and the tables, which have tests of their own."""
    histograms = {f"{name}_{part}" for name in plain.DURATIONS for part in ("bucket", "sum", "count")}
    tried = {*WINDOWED, *plain.STANDING, *plain.COUNTERS, *histograms}
    given = {name for name, *_ in found if not name.startswith(("exporter_", "platform_rollup_", "platform_table_"))}
    assert given == tried
