"""A day of every plan, request by request: a server that counts as Langfuse Cloud does never has to refuse one."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from ledger_world import KEYS

from contract.settings import Settings
from exporters.credentials import LangfuseAccess
from exporters.database.mapping import Mapping
from exporters.journal import SourceDown
from exporters.langfuse import transport
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.ledger_collector import LedgerCollector
from exporters.langfuse.request_budget import GENERAL, METRICS, PLANS, RequestBudget
from exporters.langfuse.windows import WindowsCollector

if TYPE_CHECKING:
    from exporters.database.sharing import SharedSession

NOON = datetime(2026, 11, 19, 12, tzinfo=UTC).timestamp()
DAY = 86400.0


class Recorder:
    """Answers every question with nothing, and counts by Langfuse Cloud's rule: fixed windows, the last request refused."""

    def __init__(self, plan: str) -> None:
        self.plan, self.now = plan, [NOON]
        self.requests: Counter[str] = Counter()
        self.refused: list[tuple[str, float]] = []
        self._windows: dict[str, tuple[float, int]] = {}

    def _counted(self, api: str) -> int:
        """What is left after this request."""
        limit, period = PLANS[self.plan][api]
        opened, used = self._windows.get(api, (self.now[0], 0))
        if self.now[0] - opened >= period:
            opened, used = self.now[0], 0
        self._windows[api] = opened, used + 1
        return limit - used - 1

    def answer(self, api: str, path: str, _: dict[str, str]) -> transport._Response:
        headers: requests.structures.CaseInsensitiveDict[str] = requests.structures.CaseInsensitiveDict()
        if path.endswith("/health"):
            return transport._Response(200, headers, b'{"version":"4.16.0"}')
        self.requests[api] += 1
        left = self._counted(api) if self.plan in PLANS else 1
        if left < 1:
            self.refused.append((api, self.now[0]))
            return transport._Response(429, headers, b"{}")
        meta = {"page": 1, "totalPages": 1}
        return transport._Response(200, headers, json.dumps({"data": [], "meta": meta}).encode())


def recorded(plan: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Recorder, LangfuseClient]:
    recorder = Recorder(plan)
    monkeypatch.setattr(transport.Transport, "_get", lambda _, *asked: recorder.answer(*asked))

    def timer() -> float:
        return recorder.now[0]

    def access() -> LangfuseAccess:
        return LangfuseAccess("http://127.0.0.1:9", KEYS.public, KEYS.secret)

    return recorder, LangfuseClient(access, RequestBudget(plan, timer), timer=timer)


def a_day(recorder: Recorder, collector: Any) -> None:
    """Runs as the scheduler does: after each interval, or after the time that a refusal asks for."""
    end = recorder.now[0] + DAY
    while recorder.now[0] < end:
        wait = collector.interval
        try:
            collector.collect(recorder.now[0])
        except SourceDown as down:
            wait = max(wait, down.retry_after)
        recorder.now[0] += wait


@pytest.mark.parametrize("plan", [*PLANS, "self-hosted"])
def test_windows_keep_within_the_plan(plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, client = recorded(plan, monkeypatch)
    collector = WindowsCollector(Settings(), client)
    a_day(recorder, collector)
    assert recorder.refused == []
    if plan in PLANS:
        limit, period = PLANS[plan][METRICS]
        allowed = limit * DAY / period
        assert 0.5 * min(allowed, 5 * DAY / 60) <= recorder.requests[METRICS] <= allowed, "the budget is used, not spared"
        assert collector.snapshot is not None
        shown = {
            (item.metric.name, *item.labels): item.value
            for item in collector.snapshot.about
            if item.metric.name.startswith("exporter_api")
        }
        assert shown["exporter_api_budget_limit", METRICS] == limit - 1
        assert 0 < shown["exporter_api_budget_remaining", METRICS] < limit
        assert shown["exporter_api_next_poll_timestamp_seconds", METRICS] > recorder.now[0] - collector.interval


@pytest.mark.parametrize("plan", [*PLANS, "self-hosted"])
def test_the_ledger_keeps_within_the_plan(plan: str, shared: SharedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, client = recorded(plan, monkeypatch)
    settings = Settings.model_validate({"exporter": {"intervals": {"langfuse": "10m"}}})
    collector = LedgerCollector(settings, client, shared.seat(), Mapping.of(settings), lambda _: None)
    monkeypatch.setattr(collector._ledger, "claim", lambda *_: True)  # the database's clock does not run as fast
    a_day(recorder, collector)
    assert recorder.refused == []
    assert recorder.requests[GENERAL] >= 2 * DAY / 600
    assert recorder.requests[METRICS] >= 24, "the ledger is held against Langfuse's sums"


def test_what_can_wait_leaves_half_of_the_requests() -> None:
    now = [0.0]
    budget = RequestBudget("hobby", lambda: now[0])
    assert budget.spare(GENERAL) == 14
    for _ in range(14):
        budget.spend(GENERAL)
    assert budget.spare(GENERAL) == 0
    assert budget.remaining(GENERAL) == 15
    now[0] += 60
    assert budget.spare(GENERAL) == 14
    assert RequestBudget("self-hosted").spare(GENERAL) is None


def test_others_who_ask_for_the_same_organisation_are_noticed() -> None:
    budget = RequestBudget("core", lambda: 0.0)
    budget.spend(METRICS)
    budget.heard(METRICS, "40")
    assert budget.remaining(METRICS) == 39
    budget.heard(METRICS, "90")
    assert budget.remaining(METRICS) == 39, "less is known already"
    budget.heard(METRICS, "not a number")
    assert budget.limit(METRICS) == 99
