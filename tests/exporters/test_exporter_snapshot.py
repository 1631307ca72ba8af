"""Samples keep the contract, and labels their limits."""

from __future__ import annotations

from contract import buckets
from contract.catalogue import metric
from contract.labels import LABELS, OVERFLOW
from contract.metrics import Metric, MetricType, Source
from exporters.limits import Limits
from exporters.snapshot import Distribution, Reading, Sample, Snapshot, distribution, sample, sift


def test_each_violation_of_the_contract_is_dropped_and_named() -> None:
    stranger = Metric("platform_strangers", MetricType.GAUGE, (), "not declared", Source.POSTGRES)
    good, problems = sift(
        [
            sample("platform_users", "admin", value=3),
            Sample(stranger, (), 1.0),
            sample("platform_users", value=3),
            sample("platform_users", "admin", value=4),
            sample("platform_users", "guest", value=float("nan")),
            sample("platform_conversations_started_total", "a", "production", value=-1),
            sample("langfuse_window_calls", "m", "production", "24h", value=1),
            Sample(metric("platform_execution_duration_seconds"), ("a", "1", "production", "success"), 1.0),
            Distribution(metric("platform_users"), ("admin",), (1,), 1.0),
            distribution("platform_kb_search_duration_seconds", buckets=[1] * 3, total=1.0),
            distribution("platform_kb_search_duration_seconds", buckets=[-1] + [1] * len(buckets.SEARCH), total=1.0),
            distribution("platform_kb_search_duration_seconds", buckets=[1] * (len(buckets.SEARCH) + 1), total=float("inf")),
        ],
        Source.POSTGRES,
    )
    assert good == [sample("platform_users", "admin", value=3)]
    assert [text.split(" ")[0].split("(")[0] for text in problems] == [
        "platform_strangers",
        "platform_users",
        "platform_users",
        "platform_users",
        "platform_conversations_started_total",
        "langfuse_window_calls",
        "platform_execution_duration_seconds",
        "platform_users",
        *["platform_kb_search_duration_seconds"] * 3,
    ]


def test_values_beyond_the_cap_are_summed_into_other_and_counted() -> None:
    cap = LABELS["model"].cap
    calls = [sample("langfuse_window_calls", f"m{n:03}", "production", "24h", value=n) for n in range(cap + 3)]
    kept, overflowed = Limits(10_000).apply("usage", calls)
    by_model = {item.labels[0]: item.value for item in kept}
    assert overflowed == 3
    assert len(by_model) == cap + 1
    assert by_model[OVERFLOW] == 0 + 1 + 2, "the smallest ones are merged"
    assert sum(by_model.values()) == sum(range(cap + 3)), "and nothing is lost"


def test_what_cannot_be_added_is_left_out_of_the_overflow() -> None:
    cap = LABELS["model"].cap
    latencies = [
        sample("langfuse_window_latency_seconds", f"m{n:03}", "production", "24h", value=n + 1) for n in range(cap + 2)
    ]
    kept, overflowed = Limits(10_000).apply("latency", latencies)
    assert overflowed == 2
    assert len(kept) == cap
    assert OVERFLOW not in {item.labels[0] for item in kept}


def test_a_value_keeps_its_name_while_it_appears() -> None:
    limits, cap = Limits(10_000), LABELS["environment"].cap
    first = [sample("platform_conversations", f"e{n}", value=100) for n in range(cap)]
    assert limits.apply("q", first) == (first, 0)
    kept, overflowed = limits.apply("q", [*first, sample("platform_conversations", "newer-and-greater", value=999)])
    assert overflowed == 1
    assert {item.labels[0] for item in kept} == {*(f"e{n}" for n in range(cap)), OVERFLOW}
    freed, overflowed = limits.apply("q", [*first[1:], sample("platform_conversations", "newer-and-greater", value=999)])
    assert overflowed == 0
    assert "newer-and-greater" in {item.labels[0] for item in freed}


def test_a_value_outside_a_closed_list_goes_to_other() -> None:
    found = [sample("platform_tickets", "open", "P0", value=2), sample("platform_tickets", "open", "high", value=3)]
    kept, overflowed = Limits(10_000).apply("tickets", found)
    assert {item.labels: item.value for item in kept} == {("open", "high"): 3.0, ("open", OVERFLOW): 2.0}
    assert overflowed == 1


def searches(count: int, total: float) -> Distribution:
    return distribution("platform_kb_search_duration_seconds", buckets=[count] + [0] * len(buckets.SEARCH), total=total)


def test_a_histogram_keeps_the_contract() -> None:
    assert sift([searches(3, 0.5)], Source.POSTGRES) == ([searches(3, 0.5)], [])


def test_histograms_are_merged_bucket_by_bucket() -> None:
    cap = LABELS["tool"].cap

    def calls(tool: str, *first: int, total: float) -> Distribution:
        counts = (*first, *(0,) * (len(buckets.TOOL) + 1 - len(first)))
        return distribution("platform_tool_call_duration_seconds", tool, "production", buckets=counts, total=total)

    great = [calls(f"t{n:02}", 9, 9, total=1.0) for n in range(cap)]
    found = [*great, calls("small", 1, 0, 2, total=0.25), calls("tiny", 0, 1, total=0.5)]
    kept, overflowed = Limits(10_000).apply("tools", found)
    assert overflowed == 2
    assert kept == [*great, calls(OVERFLOW, 1, 1, 2, total=0.75)]


def test_series_beyond_the_limit_of_a_metric_are_counted_together_and_names_are_kept() -> None:
    limits = Limits(4)

    def users(**counts: float) -> list[Sample]:
        return [sample("platform_users", role, value=count) for role, count in counts.items()]

    assert limits.apply("users", users(a=1, b=2, c=3)) == (users(a=1, b=2, c=3), 0)
    assert limits.apply("users", users(a=1, b=2, c=3, d=4, e=99)) == (users(a=1, b=2, c=3, other=103), 2)
    assert limits.apply("users", users(b=2, c=3, d=4, e=99)) == (users(b=2, c=3, other=4, e=99), 1)
    assert Limits(4).apply("users", users(a=1, b=2, c=3, d=4, e=99)) == (users(other=3, c=3, d=4, e=99), 2), "the greatest"


def test_a_histogram_counts_as_all_its_series() -> None:
    size = len(buckets.TOOL) + 3

    def calls(tool: str) -> Distribution:
        counts = [1] * (len(buckets.TOOL) + 1)
        return distribution("platform_tool_call_duration_seconds", tool, "production", buckets=counts, total=1.0)

    three = [calls(tool) for tool in ("a", "b", "c")]
    assert Limits(4 * size).apply("tools", three) == (three, 0)
    kept, overflowed = Limits(4 * size - 1).apply("tools", three)
    assert overflowed == 1
    assert [item.labels for item in kept] == [("a", "production"), ("b", "production"), (OVERFLOW, OVERFLOW)]


def test_what_is_not_presentable_goes_into_the_overflow() -> None:
    found = [sample("platform_users", role, value=1) for role in ("admin", "s3cret")]
    kept, overflowed = Limits(10_000, lambda value: value != "s3cret").apply("users", found)
    assert overflowed == 1
    assert kept == [sample("platform_users", "admin", value=1), sample("platform_users", OVERFLOW, value=1)]


def test_a_snapshot_serves_nothing_older_than_its_limit() -> None:
    up = sample("exporter_source_up", "postgres", value=0)
    old, young = sample("platform_users", "admin", value=1), sample("platform_documents", "done", value=1)
    snapshot = Snapshot("postgres", (Reading("users", 100.0, (old,)), Reading("documents", 200.0, (young,))), (up,))

    def stands_for(as_of: float) -> Sample:
        return sample("exporter_source_data_timestamp_seconds", "postgres", value=as_of)

    assert list(snapshot.samples(200.0, 100.0)) == [up, old, young, stands_for(100.0)]
    assert list(snapshot.samples(200.1, 100.0)) == [up, young, stands_for(200.0)], "what is not served does not count"
    assert list(snapshot.samples(1000.0, 100.0)) == [up, stands_for(200.0)], "the last figure's age keeps growing"


def test_figures_in_order_keep_names_by_their_place_and_what_was_not_counted_makes_room() -> None:
    cap = LABELS["tool"].cap
    counted = [sample("platform_tool_calls_total", f"t{cap - n:02}", "production", "success", value=n + 1) for n in range(cap)]
    expected = sample("platform_tool_calls_total", "a-new-tool", "production", "success", value=0)
    late = sample("platform_tool_calls_total", "a-late-tool", "production", "success", value=999)
    running, restarted = Limits(10_000), Limits(10_000)
    assert running.apply("tools", [*counted[:-1], expected], in_order=True) == ([*counted[:-1], expected], 0)
    for limits in (running, restarted):
        kept, overflowed = limits.apply("tools", [*counted, late, expected], in_order=True)
        assert kept == [*counted, late._replace(labels=(OVERFLOW, "production", "success"))]
        assert overflowed == 2
