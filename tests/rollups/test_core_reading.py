"""Folding, reading and deleting what was counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contract.data_plane import Retention
from exporters.rollups import retention
from exporters.rollups.fresh import Fresh, Latest, Moment, NotFolded
from exporters.rollups.model import FIGURES
from exporters.rollups.read import Cell, Totals, totals, window
from tests.rollups.counted import NOON, Counted

_VIEWS = ("minutes", "hours", "days")


@pytest.fixture(autouse=True)
def _installed(counted: Counted) -> None:
    counted.install()


def _said(counted: Counted) -> dict[str, list[Any]]:
    found = {
        name: counted.connection.execute(f"SELECT * FROM analytics.{name} ORDER BY 1, 2".encode()).fetchall()
        for name in ("counters", "stocks")
    }
    for view in _VIEWS:
        found[view] = counted.connection.execute(
            f"SELECT fact, labels, bucket, sum(n), sum(s1), sum(h2), sum(h9) FROM analytics.{view}"
            " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3".encode()
        ).fetchall()
    return found


def _some(counted: Counted, hours: int = 0) -> None:
    at = NOON + timedelta(hours=hours)
    for status, milliseconds in (("success", 100.0), ("success", 900.0), ("failure", 100.0), ("timeout", None)):
        counted.execution(status, at, milliseconds, end_time=at)
    counted.execution("in_progress", at, None, end_time=None)


def test_a_fold_changes_nothing_that_is_read(counted: Counted) -> None:
    for hours in (0, 30, 30):
        _some(counted, hours)
        counted.advance()
    before = _said(counted)
    assert counted.fold()
    assert counted.one("SELECT count(*) FROM analytics.fresh") == 0
    assert _said(counted) == before
    assert counted.fold() == 0
    _some(counted, 30)
    counted.advance()
    both = _said(counted)
    counted.fold()
    assert _said(counted) == both != before


def test_two_do_not_fold_at_once(counted: Counted) -> None:
    _some(counted)
    counted.advance()
    with counted.connect() as other, counted.transaction(other):
        from exporters.rollups.fold import fold

        assert fold(other)
        assert counted.fold() is None


def _by_cell(cells: list[Cell]) -> dict[tuple[str, tuple[str, ...]], Cell]:
    return {(cell.fact, cell.labels): cell for cell in cells}


def test_totals_that_are_kept_equal_totals_read_anew(counted: Counted) -> None:
    kept = Totals()
    for step in range(6):
        _some(counted, step)
        counted.run("DELETE FROM app.agent_executions WHERE status = 'in_progress'")
        counted.advance()
        if step in (2, 3):
            counted.fold()
        assert _by_cell(kept.read(counted.connection)) == _by_cell(totals(counted.connection))
    assert _by_cell(kept.read(counted.connection)) == _by_cell(totals(counted.connection))


def test_totals_miss_nothing_that_is_counted_late(counted: Counted) -> None:
    kept = Totals()
    kept.read(counted.connection)
    counted.execution()
    counted.insert("users", {"id": 1, "created_at": NOON, "role": "customer", "status": "active"})
    with counted.connect() as other:
        with counted.transaction(other):
            from exporters.rollups.advance import advance

            assert advance(other, counted.forms["executions"])
            with counted.transaction() as connection:
                assert advance(connection, counted.forms["users"])
            assert {cell.fact for cell in kept.read(counted.connection)} == {"users_created", "stock:users"}
        facts = {cell.fact for cell in kept.read(counted.connection)}
    assert facts == {"users_created", "stock:users", "executions_started", "executions_ended"}


def _ask(counted: Counted, fresh: Fresh) -> None:
    while not fresh.add(counted.connection.execute(fresh.question()).fetchall()):
        pass


def test_what_was_read_for_totals_is_all_that_is_not_folded(counted: Counted) -> None:
    kept, asking, taking = Totals(), Fresh(["executions_ended"], ["s1"]), Fresh(["executions_ended"], ["s1"])
    well = []
    for step in range(5):
        _some(counted, step)
        counted.advance()
        if step in (2, 3):
            counted.fold()
        kept.read(counted.connection)
        _ask(counted, asking)
        well.append(taking.take(kept.not_folded))
        assert taking.counts == asking.counts
        assert bool(taking.counts) == (step not in (2, 3))
    assert well == [False, True, False, False, True], "false where something was folded before"


def test_what_another_read_earlier_is_left(counted: Counted) -> None:
    kept, fresh = Totals(), Fresh(["executions_ended"])
    kept.read(counted.connection)
    _some(counted)
    counted.advance()
    _ask(counted, fresh)
    found, moment = dict(fresh.counts), fresh.moment
    assert fresh.take(kept.not_folded)
    assert (fresh.counts, fresh.moment) == (found, moment)
    _some(counted, 1)
    counted.advance()
    kept.read(counted.connection)
    assert fresh.take(kept.not_folded)
    assert sum(n for (n,) in fresh.counts.values()) == 2 * sum(n for (n,) in found.values())


def test_what_another_read_is_of_its_place_and_its_time() -> None:
    found, latest = NotFolded(Moment("primary"), {}), Latest(20.0)
    assert latest.at(100.0, "primary") is None
    latest.publish(found, 100.0)
    assert latest.at(120.0, "primary") is found
    assert latest.at(120.0, "standby") is latest.at(120.1, "primary") is None
    latest.withdraw()
    assert latest.at(100.0, "primary") is None


def test_of_two_moments_the_later_one_knows_more_transactions() -> None:
    snapshots = ["3:3:", "700:700:", "700:703:700,701", "701:703:701", "703:703:", "703:704:"]
    orders = [Moment(snapshot=snapshot).order for snapshot in snapshots]
    assert orders == sorted(set(orders))


def test_cells_hold_sums_and_histograms_as_declared(counted: Counted) -> None:
    _some(counted)
    counted.advance()
    for _ in range(2):
        found = _by_cell(totals(counted.connection))
        ended = found["executions_ended", ("alpha", "1", "production", "success", "success", "")]
        assert (ended.n, ended.sums) == (2, (1_000_000, 20, 0, 0))
        assert len(ended.histogram) == 28
        assert [number for number, count in enumerate(ended.histogram) if count] == [2, 10]
        late = found["executions_ended", ("alpha", "1", "production", "timeout", "failed", "timeout")]
        assert (late.n, sum(late.histogram)) == (1, 1)
        assert found["stock:executions_in_progress", ("alpha", "production")].n == 1
        counted.fold()


def test_a_window_begins_with_its_bucket(counted: Counted) -> None:
    for hours in (0, 1, 2):
        _some(counted, hours)
    counted.advance()
    since = NOON.replace(second=0) + timedelta(hours=1)
    (started,) = window(counted.connection, "minutes", ["executions_started"], since)
    assert started == Cell("executions_started", ("alpha", "1", "production"), 10, (), ())


def test_old_buckets_go_in_small_steps(counted: Counted) -> None:
    for hours in range(5):
        _some(counted, hours)
    counted.advance()
    counted.fold()
    counters = counted.counters("executions_ended")
    horizon = retention.horizons(Retention(hour="32d"), NOON + timedelta(days=32, hours=3))["hour"]
    deleted = []
    while not deleted or deleted[-1]:
        with counted.transaction() as connection:
            deleted.append(retention.step(connection, "hour", horizon, rows=4))
    assert deleted == [4, 4, 4, 0]
    assert counted.one("SELECT min(bucket) FROM analytics.rollup_hour") == NOON.replace(second=0) + timedelta(hours=3)
    assert counted.counters("executions_ended") == counters


def test_what_was_counted_first_comes_first_whatever_order_rows_are_sent_in() -> None:
    totals = Totals()
    nothing = [None] * (len(FIGURES) - 1)
    moment = ("", "3:3:", None, -1, *nothing, None)
    first, later = (("tickets_created", agent, None, 1, *nothing, stamp) for agent, stamp in (("b", "999"), ("a", "1000")))
    cells = totals.added([later, first, moment])
    assert cells is not None
    assert [cell.labels for cell in cells] == [("b",), ("a",)]
