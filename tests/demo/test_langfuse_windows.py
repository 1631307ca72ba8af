"""Time: windows, buckets, gaps, order and limits, and when a row can be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langfuse_rows import Desk, at, by, iso, metrics, observation, score

from demo.langfuse import times

HOURLY = {"timeDimension": {"granularity": "hour"}}


def _hours(rows: list[dict[str, Any]]) -> list[str]:
    return [row["time_dimension"][11:13] for row in rows]


def _spread(desk: Desk, *clocks: str) -> Desk:
    desk.insert(observation(f"o{i}", at(clock)) for i, clock in enumerate(clocks))
    return desk


@pytest.mark.parametrize("mode", ["v3", "v4"])
def test_both_ends_belong_to_a_window_of_metrics(mode: str) -> None:
    desk = _spread(Desk(mode), "10:00:00", "11:00:00", "12:00:00")
    first = desk.metrics(fromTimestamp=iso("10:00:00"), toTimestamp=iso("11:00:00"))
    second = desk.metrics(fromTimestamp=iso("11:00:00"), toTimestamp=iso("12:00:00"))
    assert (first, second) == ([{"count_count": 2}], [{"count_count": 2}])


@pytest.mark.parametrize(("mode", "count"), [("v3", 1), ("v4", 0)])
def test_version_3_stores_milliseconds_and_version_4_microseconds(mode: str, count: int) -> None:
    desk = _spread(Desk(mode), "11:00:00.000400")
    assert desk.metrics(fromTimestamp=iso("10:00:00"), toTimestamp=iso("11:00:00")) == [{"count_count": count}]


@pytest.mark.parametrize(
    ("path", "start", "end"),
    [
        ("v2/observations", "fromStartTime", "toStartTime"),
        ("v3/scores", "fromTimestamp", "toTimestamp"),
    ],
)
def test_the_end_does_not_belong_to_a_window_of_rows(path: str, start: str, end: str) -> None:
    desk = _spread(Desk(), "10:00:00", "11:00:00", "12:00:00")
    desk.insert(scores=[score(f"s{hour}", at(f"{hour}:00:00")) for hour in (10, 11, 12)])
    assert [row["id"][-1] for row in desk.rows(path, **{start: iso("10:00:00"), end: iso("11:00:00")})] == ["0"]
    assert len(desk.rows(path, **{start: iso("10:00:00"), end: iso("13:00:00")})) == 3


@pytest.mark.parametrize(
    ("granularity", "bucket"),
    [
        ("minute", "2026-11-20T10:17:00Z"),
        ("hour", "2026-11-20T10:00:00Z"),
        ("day", "2026-11-20"),
        ("week", "2026-11-16"),
        ("month", "2026-11-01"),
    ],
)
def test_buckets_are_utc_and_long_ones_are_dates(granularity: str, bucket: str) -> None:
    desk = _spread(Desk(), "10:17:42")
    order = {"orderBy": [{"field": "time_dimension", "direction": "asc"}]}
    assert desk.metrics(timeDimension={"granularity": granularity}, **order) == [{"time_dimension": bucket, "count_count": 1}]


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0.08, "2026-11-20T10:17:00Z"),
        (2.9, "2026-11-20T10:00:00Z"),
        (59, "2026-11-20"),
        (364, "2026-11-16"),
        (366, "2026-11-01"),
    ],
)
def test_the_window_decides_what_auto_means(days: float, text: str) -> None:
    desk = _spread(Desk(), "10:17:42")
    start = datetime(2026, 11, 20, 10, tzinfo=UTC)
    window = {"fromTimestamp": start.isoformat(), "toTimestamp": (start + timedelta(days=days)).isoformat()}
    order = {"orderBy": [{"field": "count_count", "direction": "desc"}]}
    assert desk.metrics(timeDimension={"granularity": "auto"}, **order, **window)[0]["time_dimension"] == text


def test_gaps_are_filled_up_to_the_bucket_of_the_end() -> None:
    desk = _spread(Desk(), "10:30:00", "13:05:00")
    window = {"fromTimestamp": iso("09:30:00"), "toTimestamp": iso("13:15:00")}
    rows = desk.metrics(dimensions=by("name", "environment", "tags"), **HOURLY, **window)
    assert _hours(rows) == ["09", "10", "11", "12", "13"]
    assert rows[0] == {"name": "", "environment": None, "tags": [], "time_dimension": "2026-11-20T09:00:00Z", "count_count": 0}
    assert _hours(desk.metrics(**HOURLY, **{**window, "toTimestamp": iso("13:01:00")})) == ["09", "10", "11", "12"]


def test_an_order_of_ones_own_fills_no_gaps() -> None:
    desk = _spread(Desk(), "10:30:00", "12:30:00")
    rows = desk.metrics(**HOURLY, orderBy=[{"field": "time_dimension", "direction": "desc"}])
    assert _hours(rows) == ["12", "10"]


def test_the_limit_comes_last_and_counts_filled_rows() -> None:
    desk = _spread(Desk(), "01:00:00", "22:00:00")
    desk.now = at("23:00:00")
    assert _hours(desk.metrics(**HOURLY, config={"row_limit": 3})) == ["00", "01", "02"]
    falling = {"orderBy": [{"field": "time_dimension", "direction": "desc"}], "config": {"row_limit": 1}}
    assert _hours(desk.metrics(**HOURLY, **falling)) == ["22"]


def test_100_rows_unless_asked_for_more_but_all_of_them_in_version_3() -> None:
    rows = [observation(f"o{i}", at("10:00:00"), model=f"m{i}") for i in range(130)]
    for mode, plain in (("v4", 100), ("v3", 130)):
        desk = Desk(mode)
        desk.insert(rows)
        asked = {"dimensions": by("providedModelName")}
        assert len(desk.metrics(**asked)) == plain
        assert len(desk.metrics(**asked, config={"row_limit": 120})) == 120


def test_without_an_order_the_first_metric_leads_and_nulls_come_last() -> None:
    desk = Desk()
    desk.insert(
        [
            observation("a", at("10:00:00"), 1.0, model="quick"),
            observation("b", at("10:00:00"), 3.0, model="slow"),
            observation("c", at("10:00:00"), None, model="open"),
        ]
    )
    asked = {"dimensions": by("providedModelName"), "metrics": metrics("p95_latency", "count_count")}
    assert [row["providedModelName"] for row in desk.metrics(**asked)] == ["slow", "quick", "open"]
    rising = [{"field": "p95_latency", "direction": "asc"}]
    assert [row["providedModelName"] for row in desk.metrics(**asked, orderBy=rising)] == ["quick", "slow", "open"]
    by_name = [{"field": "providedModelName", "direction": "asc"}]
    assert [row["providedModelName"] for row in desk.metrics(**asked, orderBy=by_name)] == ["open", "quick", "slow"]


def test_a_row_is_read_some_time_after_its_end_in_the_bucket_of_its_start() -> None:
    desk = Desk(now=at("10:03:01"))
    desk.insert([observation("long", at("10:00:00"), 180.0)], [score("s", at("10:03:00"), trace_id="t-long")])
    order = {"orderBy": [{"field": "time_dimension", "direction": "asc"}], "timeDimension": {"granularity": "minute"}}
    assert (desk.metrics(**order), desk.rows("v2/observations"), desk.rows("v3/scores")) == ([], [], [])
    desk.now = at("10:03:02")
    assert desk.metrics(**order) == [{"time_dimension": "2026-11-20T10:00:00Z", "count_count": 1}]
    assert len(desk.rows("v2/observations")) == len(desk.rows("v3/scores")) == 1


def test_sums_can_fall_when_traces_are_deleted() -> None:
    desk = _spread(Desk(), "10:00:00", "11:00:00")
    desk.standin.store.delete_traces(["t-o0"])
    assert desk.metrics() == [{"count_count": 1}]


SPANS = {"minute": times.MINUTE, "hour": times.HOUR, "day": times.DAY, "week": times.WEEK, "month": 31 * times.DAY}
TIMES = st.integers(min_value=times.WEEK, max_value=4_000_000_000_000_000)


@given(TIMES, st.sampled_from(list(SPANS)))
def test_a_time_lies_in_its_bucket_and_buckets_meet(micros: int, granularity: str) -> None:
    start = times.bucket_start(micros, granularity)
    assert start <= micros
    assert times.bucket_start(start, granularity) == start
    following = times.buckets(start, start + 2 * SPANS[granularity], granularity)[1]
    assert micros < following
    assert times.bucket_start(following - 1, granularity) == start


@given(st.lists(TIMES, min_size=1, max_size=5))
def test_buckets_of_sql_are_those_of_python(found: list[int]) -> None:
    desk = Desk()
    for granularity in SPANS:
        sql = times.bucket_sql("value", granularity)
        rows = desk.standin.store.select(f"SELECT {sql} FROM json_each(:times)", {"times": str(found)})
        assert [row[0] for row in rows] == [times.bucket_start(micros, granularity) for micros in found]
