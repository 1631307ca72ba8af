"""The collector for where no ledger may be written: windows of model calls and of money, from Langfuse's aggregates.

Every window ends 30 s before now, because Langfuse needs a while to make a call readable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from contract.durations import duration_seconds
from contract.metrics import Source
from exporters.journal import Answer, Journal, SourceDown
from exporters.langfuse.aggregates import (
    cache_savings,
    conversation_samples,
    conversations_query,
    cost_by_day,
    cost_by_scope,
    daily_query,
    latency_query,
    latency_samples,
    part_samples,
    token_types_query,
    usage_query,
    usage_samples,
)
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.interface import INTERFACE_YIELDS, interface_samples
from exporters.langfuse.month_end import month_start
from exporters.langfuse.price_list import Prices
from exporters.langfuse.request_budget import METRICS
from exporters.langfuse.spending import budget_samples, cost_samples, limit_samples
from exporters.snapshot import Sample, Snapshot, sample
from exporters.timing import due

if TYPE_CHECKING:
    from contract.settings import Settings

SETTLE_SECONDS = 30.0
_RUN_SECONDS, _HISTORY_SECONDS = 180.0, 3600.0
_ALWAYS = ("usage_mtd", "usage_24h", "latency_24h", "latency_mtd")
_SELDOM_SECONDS, _SELDOM_RUNS = 900.0, 6
"""What changes slowly, or costs the server more, is asked on every sixth run at most, and so adds one question to each."""

_USAGE = (
    "langfuse_window_calls",
    "langfuse_window_errors",
    "langfuse_window_tokens",
    "langfuse_window_cost_usd",
    "platform_cost_usd",
)
_BUDGETS = (
    "platform_budget_spent_usd",
    "platform_budget_spent_ratio",
    "platform_budget_forecast_usd",
    "platform_budget_exhaustion_timestamp_seconds",
)
YIELDS: dict[str, tuple[str, ...]] = {
    "cost_per_day": (),
    "usage_mtd": (*_USAGE, *_BUDGETS),
    "usage_24h": _USAGE,
    **dict.fromkeys(("latency_24h", "latency_mtd"), ("langfuse_window_latency_seconds",)),
    **dict.fromkeys(("token_types_24h", "token_types_mtd"), ("langfuse_window_tokens", "platform_cache_savings_usd")),
    **dict.fromkeys(("conversations_24h", "conversations_mtd"), ("platform_cost_per_conversation_usd",)),
}
"""The metrics that each query gives."""

ABOUT = ("platform_budget_limit_usd", *INTERFACE_YIELDS)
"""What is known without a query."""


class WindowsCollector:
    """Asks four questions an interval and a few more now and then; less often when the plan does not allow as many."""

    name = "langfuse"

    def __init__(self, settings: Settings, client: LangfuseClient) -> None:
        self._settings, self._client = settings, client
        wanted = duration_seconds(settings.exporter.intervals.langfuse)
        self.interval = client.budget.interval(METRICS, wanted, len(_ALWAYS) + 1)
        self.timeout = 2 * _RUN_SECONDS
        self.max_age = max(duration_seconds(settings.exporter.max_age), 2 * self.interval + SETTLE_SECONDS)
        self.snapshot: Snapshot | None = None
        self._journal = Journal(
            self.name,
            Source.LANGFUSE,
            YIELDS,
            client.without_secrets,
            settings.exporter.series_limit,
        )
        self._prices = Prices(settings.sources.langfuse.prices)
        self._history: dict[str, dict[date, float]] = {}
        self._history_until: datetime | None = None
        self._answered: dict[str, float] = {}

    def collect(self, now: float) -> None:
        end = datetime.fromtimestamp(now - SETTLE_SECONDS, UTC)
        if end == month_start(end):  # a window must not be empty
            end -= timedelta(milliseconds=1)
        questions = self._questions(end, now)
        up = False
        self._journal.begin(keep=YIELDS.keys() - questions.keys())
        try:
            self._ask_all(questions, end.timestamp(), now)
            up = True
        finally:
            self.snapshot = self._journal.snapshot(up, self._standing_samples(now))

    def _questions(self, end: datetime, now: float) -> dict[str, Callable[[], Answer]]:
        """What is to be asked in this run, the history first: the forecast needs it."""
        midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
        found: dict[str, Callable[[], Answer]] = {}
        if self._history_until != midnight or self._is_due("cost_per_day", _HISTORY_SECONDS, now):
            found["cost_per_day"] = partial(self._cost_per_day, midnight)
        begins = {"mtd": month_start(end), "24h": end - timedelta(hours=24)}
        for window in ("mtd", "24h"):
            found[f"usage_{window}"] = partial(self._usage, begins[window], end, window)
        for window in ("24h", "mtd"):
            found[f"latency_{window}"] = partial(self._latency, begins[window], end, window)
        seldom = {"token_types": self._token_types, "conversations": self._conversations}
        for name, question in seldom.items():
            for window in ("24h", "mtd"):
                if self._is_due(f"{name}_{window}", _SELDOM_SECONDS, now):
                    found[f"{name}_{window}"] = partial(question, begins[window], end, window)
        return found

    def _is_due(self, question: str, seconds: float, now: float) -> bool:
        return due(self._answered.get(question, float("-inf")), max(seconds, (_SELDOM_RUNS - 0.5) * self.interval), now)

    def _ask_all(self, questions: Mapping[str, Callable[[], Answer]], as_of: float, now: float) -> None:
        deadline, answered = time.monotonic() + _RUN_SECONDS, set()
        for name, question in questions.items():
            if time.monotonic() < deadline and self._journal.ask(name, as_of, question):
                answered.add(name)
                self._answered[name] = now
        if not answered.intersection(_ALWAYS):
            raise SourceDown(f"Langfuse did not answer one query: {self._journal.last_failure}")

    def _usage(self, begin: datetime, end: datetime, window: str) -> Answer:
        rows, truncated = self._client.metrics(usage_query(begin, end))
        samples = list(usage_samples(rows, window))
        costs = cost_by_scope(rows, self._settings.environments)
        samples.extend(cost_samples(costs, window))
        if window == "mtd":
            fresh = self._history_until is not None and self._history_until.date() == end.date()
            samples.extend(budget_samples(self._settings.budgets, costs, self._history if fresh else None, end))
        return Answer(tuple(samples), len(rows), truncated)

    def _latency(self, begin: datetime, end: datetime, window: str) -> Answer:
        rows, truncated = self._client.metrics(latency_query(begin, end))
        return Answer(tuple(latency_samples(rows, window)), len(rows), truncated)

    def _cost_per_day(self, midnight: datetime) -> Answer:
        rows, truncated = self._client.metrics(daily_query(midnight))
        self._history, self._history_until = cost_by_day(rows), midnight
        return Answer((), len(rows), truncated)

    def _token_types(self, begin: datetime, end: datetime, window: str) -> Answer:
        def samples(rows: list[dict[str, Any]]) -> Iterator[Sample]:
            yield from part_samples(rows, window)
            saved = cache_savings(rows, self._prices.of(self._client, end.timestamp()), end)
            yield sample("platform_cache_savings_usd", window, value=saved)

        return self._of_v2(token_types_query(begin, end), samples)

    def _conversations(self, begin: datetime, end: datetime, window: str) -> Answer:
        return self._of_v2(conversations_query(begin, end), partial(conversation_samples, window=window))

    def _of_v2(self, query: dict[str, Any], samples: Callable[[list[dict[str, Any]]], Iterator[Sample]]) -> Answer:
        """An answer that only the newer interface can give; the older one has no rows of it."""
        if not self._client.speaks_v2:
            return Answer((), 0)
        rows, truncated = self._client.metrics(query)
        return Answer(tuple(samples(rows)), len(rows), truncated)

    def _standing_samples(self, now: float) -> Iterator[Sample]:
        """What is known without an answer: the limits, and how much was asked."""
        yield from limit_samples(self._settings.budgets)
        yield from interface_samples(self._client, {METRICS: now + self.interval})

    def abort(self) -> None:
        """Nothing to cut: every request has a deadline of its own, and a run asks no further after its time."""

    def without_secrets(self, text: str) -> str:
        return self._client.without_secrets(text)

    def close(self) -> None:
        self._client.close()
