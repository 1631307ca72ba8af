"""The Langfuse collector against the stand-in of the demonstration, as version 4 and as version 3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from ledger_world import PATIENT

from contract.settings import Settings
from demo.langfuse.server import running
from demo.langfuse.standin import MODES, Keys, StandIn
from demo.langfuse.store import Store
from demo.world.observations import Observation
from exporters.credentials import LangfuseAccess
from exporters.journal import SourceDown
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.request_budget import METRICS, RequestBudget
from exporters.langfuse.windows import WindowsCollector

NOW = datetime(2026, 2, 26, 12, 0, 30, tzinfo=UTC)  # a Thursday; windows end on noon
KEYS = Keys("pk-lf-test", "sk-lf-test")


def observation(
    start: datetime,
    seconds: float,
    cost: float | None,
    environment: str = "production",
    model: str = "gpt-x",
    level: str = "DEFAULT",
    type_: str = "GENERATION",
) -> Observation:
    begun = start.timestamp()
    known = {} if cost is None else {"input": cost / 2, "output": cost / 2, "total": cost}
    usage = {"input": 70, "input_cached_tokens": 30, "output": 20, "total": 120}
    name = f"{begun}-{environment}-{model}-{level}-{type_}-{seconds}"
    return Observation(
        id=name, trace_id=name, parent_id=None, type=type_, name="call", level=level, status_message=None, start=begun,
        end=begun + seconds, completion_start=None, model=model, usage=usage, cost=known, prompt_name=None, prompt_version=None,
        user_id=None, session_id=None, trace_name=None, tags=(), environment=environment, version=None, release=None,
    )  # fmt: skip


ROWS = [
    *(observation(NOW - timedelta(hours=n), 2.0, 0.25) for n in range(1, 9)),  # eight calls of today
    observation(NOW - timedelta(hours=9), 2.0, 0.0, level="ERROR"),
    observation(NOW - timedelta(hours=2), 0.5, None, "staging", "home-grown"),  # no price
    observation(NOW - timedelta(hours=2), 60.0, 9.0, type_="AGENT"),  # repeats its calls: not a model call
    observation(NOW - timedelta(seconds=20), 1.0, 9.0),  # not settled yet
    *(observation(NOW - timedelta(days=n), 1.0, 4.0) for n in range(2, 61)),  # one a day
]


@pytest.fixture(params=["v4", "v3"])
def langfuse(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    store = Store(":memory:")
    store.insert(ROWS)
    standin = StandIn(store, MODES[request.param], KEYS, lambda: NOW.timestamp(), numbers_as_strings=request.param == "v3")
    with running(standin) as url:
        yield request.param, url
    store.close()


def collector(url: str, secret: str = KEYS.secret) -> WindowsCollector:
    settings = Settings.model_validate({"budgets": [{"scope": "all", "monthly_usd": 200}]})
    client = LangfuseClient(lambda: LangfuseAccess(url, KEYS.public, secret), RequestBudget("self-hosted"), PATIENT)
    return WindowsCollector(settings, client)


def test_every_figure(langfuse: tuple[str, str]) -> None:
    mode, url = langfuse
    exporter = collector(url)
    exporter.collect(NOW.timestamp())
    assert exporter.snapshot is not None
    found = {(item.metric.name, *item.labels): item.value for item in exporter.snapshot.samples(NOW.timestamp(), 900)}
    answered = {key[2]: value for key, value in found.items() if key[0] == "exporter_query_success"}
    assert len(answered) == 9
    assert set(answered.values()) == {1}
    today, cheap = ("gpt-x", "production", "24h"), ("home-grown", "staging", "24h")
    assert found["langfuse_window_calls", *today] == 9
    assert found["langfuse_window_errors", *today] == 1
    assert found["langfuse_window_tokens", *today, "input"] == 900
    assert found["langfuse_window_tokens", *today, "output"] == 180
    assert found["langfuse_window_cost_usd", *today] == pytest.approx(2.0)
    assert found["langfuse_window_latency_seconds", *today] == pytest.approx(2.0)
    assert found["langfuse_window_calls", *cheap] == 1
    assert found["langfuse_window_latency_seconds", *cheap] == pytest.approx(0.5)
    if mode == "v4":
        assert found["langfuse_window_cost_usd", *cheap] == 0, "version 4 does not tell an unknown price from none"
    else:
        assert ("langfuse_window_cost_usd", *cheap) not in found
    # February: 2.00 of today, and 4.00 on each day from the 1st to the 24th
    assert found["platform_cost_usd", "all", "mtd"] == pytest.approx(98.0)
    assert found["platform_budget_spent_ratio", "all"] == pytest.approx(0.49)
    # Thursdays, Fridays and Saturdays cost 4.00 each: half a day and two days
    assert found["platform_budget_forecast_usd", "all"] == pytest.approx(98.0 + 2.0 + 4.0 + 4.0)
    if mode == "v4":
        assert found["langfuse_window_tokens", *today, "cache_read"] == 270
        assert found["exporter_api_requests_total", METRICS, "4xx"] == 0
        assert found["exporter_api_requests_total", METRICS, "2xx"] == 9
    else:
        assert found["exporter_api_requests_total", METRICS, "4xx"] == 1, "version 4's endpoint is tried first"
        assert found["exporter_api_requests_total", METRICS, "2xx"] == 5


def test_wrong_keys(langfuse: tuple[str, str]) -> None:
    _, url = langfuse
    with pytest.raises(SourceDown, match="the keys are not accepted") as caught:
        collector(url, "sk-lf-wrong").collect(NOW.timestamp())
    assert caught.value.retry_after > 300
