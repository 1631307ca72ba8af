"""Why a query is empty: what it reads is followed down to what is scraped, on a real Prometheus with rules."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from contract.settings import Settings
from provisioning import doctor
from provisioning.boards import Query
from provisioning.doctor import subjects
from provisioning.doctor.asker import Asker
from provisioning.doctor.prometheus import Prometheus
from provisioning.interpolation import Span
from tests.provisioning.conftest import asked


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("sum(kb_search_results_count)", "metric kb_search_results_count was never seen"),
        ("sum(platform_users)", "source down: no target of job exporter answers"),
        ("kb:search_duration_seconds:p95_15m", "rule kb:search_duration_seconds:p95_15m is not loaded in Prometheus"),
        ("guardrail:blocks:ratio_rate15m", "rule guardrail:blocks:ratio_rate15m cannot be evaluated: vector cannot contain"),
        ("kb:searches_empty:ratio_rate1h", "nothing to record: rule kb:searches_empty:rate1h is not loaded"),
    ],
)
def test_what_is_missing(sources: Settings, expression: str, why: str) -> None:
    answer = asked(sources, expression)
    assert answer.state == "empty" and answer.missing and why in answer.why


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("sum(agent_queries_in_progress) > 100", "no traffic in the range, though all that it reads is there"),
        ("sum(agent_queries_in_progress) / 0 * 0", "no traffic in the range"),
        ('sum(agent_queries_in_progress{agent="clrk"})', 'label filter agent="clrk" matches no series'),
        ('agent_queries_total{agent="clerk",status="error"}', 'label filter status="error" matches no series'),
        ("agent:query_errors:ratio_rate5m", "had nothing to record, though all that it reads is there"),
        ("agent_status:queries:rate5m", "had nothing to record, though all that it reads is there"),
        ("redis_up == 0", "metric redis_up was never seen: no redis_exporter is scraped"),
        ('ALERTS{alertstate="firing"}', "no alert is firing"),
    ],
)
def test_what_is_alive_and_has_nothing_to_tell(sources: Settings, expression: str, why: str) -> None:
    answer = asked(sources, expression)
    assert answer.state == "empty" and not answer.missing and why in answer.why


def test_the_worst_of_what_is_read_is_said(sources: Settings) -> None:
    answer = asked(sources, 'agent_queries_total{status="error"} + sum(kb_search_results_count)')
    assert answer.missing and answer.why == "metric kb_search_results_count was never seen"


def test_without_any_alert_none_can_fire(sources: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prometheus, "loaded_alerts", frozenset())
    assert asked(sources, "ALERTS").why == "no alert is loaded in Prometheus" and asked(sources, "ALERTS").missing


def test_a_panel_that_may_be_empty_is_ill_when_it_could_not_tell(sources: Settings) -> None:
    span, choices = Span(time.time() - 600, time.time(), 1), dict[str, Any]()

    def ill(expression: str, empty_is_fine: bool) -> bool:
        query = Query("place", "promql", expression)
        return doctor.examined(subjects.Subject("panel", "a/b", (query,), span, choices, empty_is_fine), Asker.of(sources)).ill

    assert not ill("agent_queries_in_progress > 100", empty_is_fine=True)
    assert ill("agent_queries_in_progress > 100", empty_is_fine=False)
    assert ill("kb_search_results_count > 100", empty_is_fine=True)


@pytest.fixture
def exporter_up(sources: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """What the exporter says of its sources, as Prometheus would answer."""
    up = {"postgres": 1, "langfuse": 1}
    asked_before = Prometheus.instant

    def instant(self: Prometheus, expression: str, at: float) -> list[dict[str, Any]]:
        if expression == 'max(up{job="exporter"})':
            return [{"metric": {}, "value": [at, "1"]}]
        if expression.startswith("max by (source) (exporter_source_up"):
            return [{"metric": {"source": name}, "value": [at, "0"]} for name, value in up.items() if not value]
        return asked_before(self, expression, at)

    monkeypatch.setattr(Prometheus, "instant", instant)
    yield up


def test_what_may_be_absent_is_believed_while_its_source_answers(sources: Settings, exporter_up: dict[str, int]) -> None:
    """Nothing says when the budget will be used up: it lasts. But not while nobody can know."""
    answer = asked(sources, "platform_budget_exhaustion_timestamp_seconds")
    assert not answer.missing and answer.why.endswith("was never seen: the budget lasts until the month ends")
    exporter_up["langfuse"] = 0
    answer = asked(sources, "platform_budget_exhaustion_timestamp_seconds")
    assert answer.missing and answer.why == "source down: the exporter does not reach langfuse"
    assert asked(sources, "platform_users").why == "metric platform_users was never seen"
