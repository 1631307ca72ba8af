"""The contract is well-formed: the declarations agree with each other and with what Prometheus will do to them."""

from __future__ import annotations

import re
from dataclasses import replace

import promql_parser
import psycopg
import pytest

from contract import buckets, keys
from contract.catalogue import catalogue, series_catalogue
from contract.metrics import Metric, MetricType, Source
from contract.relations import RELATIONS, SQL_TYPES
from contract.signals import SIGNALS, _check
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, CAPACITY_USED
from contract.signals.conversations import CONVERSATIONS_STARTED
from contract.signals.model import Match, Rate, equal, like
from contract.signals.stores import REDIS_HIT_RATIO
from contract.status import FAILED, RUNNING, STATUSES, normalise, sql_failed, sql_normalise
from recording_rules import registry


def test_series_names_are_unique() -> None:
    names = [name for declared in catalogue().values() for name in declared.series_names]
    assert len(names) == len(set(names)) == len(series_catalogue())


def test_a_declaration_with_an_unknown_label_is_refused() -> None:
    with pytest.raises(ValueError, match="user_id"):
        Metric("x_total", MetricType.COUNTER, ("user_id",), "help", Source.PLATFORM)


def test_a_gauge_that_calls_itself_a_counter_is_refused() -> None:
    with pytest.raises(ValueError, match="_total"):
        Metric("x_total", MetricType.GAUGE, (), "help", Source.PLATFORM)


def test_buckets_rise_and_contain_the_bounds_that_objectives_use() -> None:
    for bounds in (
        buckets.HTTP,
        buckets.AGENT,
        buckets.LLM,
        buckets.WORKFLOW,
        buckets.DB,
        buckets.SEARCH,
        buckets.RESULTS,
        buckets.TOKENS,
    ):
        assert list(bounds) == sorted(set(bounds))
    assert {0.1, 0.5, 2.0, 5.0, 12.5} <= set(buckets.AGENT)


@pytest.mark.parametrize(
    ("bound", "spellings"),
    [
        (5.0, ("5", "5.0")),
        (1_000_000.0, ("1000000", "1000000.0", "1e+06")),
        (4.0**13, ("67108864", "67108864.0", "6.7108864e+07")),
    ],
)
def test_a_bound_is_matched_in_every_spelling(bound: float, spellings: tuple[str, ...]) -> None:
    pattern = buckets.bound_matcher(bound).removeprefix('le=~"').removesuffix('"')
    assert all(re.fullmatch(pattern, spelling) for spelling in spellings)
    assert buckets.bound_matcher(0.136) == 'le="0.136"'


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.key)
def test_every_signal_renders_as_promql(signal) -> None:  # type: ignore[no-untyped-def]
    for render in (signal.expression, lambda **asked: registry.query(signal, **asked)):
        promql_parser.parse(render(by=("environment",), window="5m", where=(equal("environment", "production"),)))


def test_an_exported_counter_is_merged_over_replicas_after_the_rate() -> None:
    assert "max without (instance) (rate(" in CONVERSATIONS_STARTED.expression()


def test_a_question_is_answered_from_the_recorded_series_that_fits() -> None:
    assert registry.query(AGENT_LATENCY, ("environment", "agent")) == "agent:query_duration_seconds:p95_5m"
    filtered = registry.query(AGENT_ERROR_RATIO, ("environment",), where=(like("agent", "a|b"),))
    assert "agent_queries_total" not in filtered
    assert registry.query(AGENT_ERROR_RATIO, ("environment", "agent", "version")) == "agent_version:query_errors:ratio_rate5m"
    assert "agent_version_status:queries:rate5m" in registry.query(AGENT_ERROR_RATIO, ("version",))
    by_instance = registry.query(AGENT_ERROR_RATIO, ("instance",))
    assert "agent_queries_total" in by_instance, "no recorded series keeps the instance"
    other_window = registry.query(AGENT_ERROR_RATIO, ("agent",), "2h")
    assert "agent_queries_total" in other_window


def test_recorded_series_are_unique_and_groups_small() -> None:
    records = [rule.record for group in registry.fixed_groups() for rule in group.rules]
    assert len(records) == len(set(records))


def test_a_histogram_is_asked_for_its_events_its_sum_and_those_below_a_bound() -> None:
    events = Rate("events", "", "", "ops", "kb_search_results")
    assert events.expression() == "sum(rate(kb_search_results_count[5m]))"
    assert replace(events, of="sum").expression() == "sum(rate(kb_search_results_sum[5m]))"
    assert replace(events, at_most=0).expression() == 'sum(rate(kb_search_results_bucket{le=~"0|0[.]0"}[5m]))'
    with pytest.raises(ValueError, match="4 is no bound of kb_search_results"):
        replace(events, at_most=4).expression()


def test_a_rate_is_divided_by_a_level() -> None:
    assert CAPACITY_USED.expression(("agent",)) == (
        "sum by (agent) (rate(agent_queries_total[5m])) / (max by (agent) (agent_capacity_requests_per_second) > 0)"
    )
    assert "offset 1d" in CAPACITY_USED.shifted("1d").expression()


def test_signals_are_added_up() -> None:
    hits, misses = "sum(rate(redis_keyspace_hits_total[5m]))", "sum(rate(redis_keyspace_misses_total[5m]))"
    assert REDIS_HIT_RATIO.expression() == f"{hits} / (({hits} + {misses}) > 0)"
    assert REDIS_HIT_RATIO.shifted("1h").expression().count("offset 1h") == 3


def test_a_signal_that_filters_by_what_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="agent_queries_total has no label tool"):
        _check(Rate("wrong", "", "", "ops", "agent_queries_total", (equal("tool", "x"),)))
    with pytest.raises(ValueError, match="goal is never reached; it is one of achieved, missed, unknown"):
        _check(Rate("wrong", "", "", "ops", "platform_conversations_ended_total", (equal("goal", "reached"),)))


def test_a_match_prints_as_promql() -> None:
    assert str(Match("a", "!=", "b")) == 'a!="b"'


def test_status_words_agree_in_python_and_sql(database: str) -> None:
    words = ["Success", "FAILED", "deadline_exceeded", "canceled", "completed", "never seen", "cancelled"]
    asked = f"SELECT word, {sql_normalise('word')}, {sql_failed('word')} FROM unnest(%s::text[]) AS word"
    with psycopg.connect(database) as connection:
        rows = connection.execute(asked, (words,)).fetchall()
    assert rows == [(word, normalise(word), normalise(word) in FAILED) for word in words]
    assert {normalise(word) for word in words} == set(STATUSES)
    with psycopg.connect(database) as connection:
        running = connection.execute(f"SELECT {sql_failed('word')} FROM unnest(%s::text[]) AS word", (["Queued", *RUNNING],))
        assert {failed for (failed,) in running} == {False}


def test_relations_are_tables_that_postgresql_takes(database: str) -> None:
    with psycopg.connect(database) as connection:
        for relation in RELATIONS.values():
            columns = ", ".join(f"{c.name} {SQL_TYPES.get(c.type, c.type)}" for c in relation.columns)
            connection.execute(f"CREATE TABLE {relation.name} ({columns}, PRIMARY KEY ({', '.join(relation.key)}))")
            assert not relation.time or relation.time in {column.name for column in relation.columns}


def test_panel_ids_are_stable() -> None:
    assert (
        keys.panel_id("overview/agent_errors")
        == keys.panel_id("overview/agent_errors")
        != keys.panel_id("overview/agent_latency")
    )
    url = keys.panel_url("https://g.example", "overview/agent_errors", ("environment",))
    assert url.startswith("https://g.example/d/observatory-overview?") and "{{ $labels.environment | urlquery }}" in url
