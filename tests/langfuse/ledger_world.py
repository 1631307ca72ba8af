"""A stand-in with rows, and exporters with a ledger that read it; all clocks stand still until a test moves them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from contract.settings import Settings
from demo.langfuse.server import running
from demo.langfuse.standin import MODES, Keys, Price, StandIn
from demo.langfuse.store import Store
from demo.world.observations import Observation, Score
from exporters.credentials import LangfuseAccess
from exporters.database.mapping import Mapping
from exporters.database.sharing import SharedSession
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.ledger_collector import LedgerCollector
from exporters.langfuse.request_budget import RequestBudget
from exporters.langfuse.transport import Timeouts
from exporters.snapshot import Distribution

NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)
KEYS = Keys("pk-lf-test", "sk-lf-test")
PATIENT = Timeouts(30.0, 30.0, 0.001)
"""Where an answer comes it may take its time, for machines are slow; after one that failed nobody waits."""
PRICES = (Price("gpt-x", {"input": 2e-6, "output": 8e-6, "input_cached_tokens": 5e-7}),)


def call(id_: str, start: datetime, seconds: float | None = 1.0, **others: Any) -> Observation:
    """A priced call of 100 tokens in and 20 out, unless told otherwise."""
    defaults: dict[str, Any] = {
        "trace_id": f"t-{id_}", "parent_id": None, "type": "GENERATION", "name": "call", "level": "DEFAULT",
        "status_message": None, "completion_start": None, "model": "gpt-x",
        "usage": {"input": 70, "input_cached_tokens": 30, "output": 20, "total": 120},
        "cost": {"input": 0.25, "output": 0.5, "total": 0.75}, "prompt_name": None, "prompt_version": None, "user_id": None,
        "session_id": None, "trace_name": "planner", "tags": (), "environment": "production", "version": "1.2", "release": None,
    }  # fmt: skip
    begun = start.timestamp()
    end = None if seconds is None else begun + seconds
    return Observation(**{"id": id_, "start": begun, "end": end, **defaults, **others})


def score(id_: str, at: datetime, value: float | str, kind: str = "NUMERIC", **others: Any) -> Score:
    number, text = (None, value) if isinstance(value, str) else (value, None)
    defaults: dict[str, Any] = {"trace_id": "t-1", "observation_id": None, "name": "helpful", "source": "EVAL"}
    defaults |= {"environment": "production", "data_type": kind}
    return Score(**{"id": id_, "timestamp": at.timestamp(), "value": number, "string_value": text, **defaults, **others})


Figures = dict[tuple[str, ...], Any]


@dataclass
class World:
    """`now` is everybody's clock. `exporters` all write the same ledger."""

    shared: SharedSession
    url: str
    standin: StandIn
    now: list[datetime]
    settings: dict[str, Any] = field(default_factory=dict)

    def exporter(self, plan: str = "self-hosted", shared: SharedSession | None = None) -> LedgerCollector:
        settings = Settings.model_validate({"sources": {"langfuse": self.settings}})
        client = LangfuseClient(
            lambda: LangfuseAccess(self.url, KEYS.public, KEYS.secret),
            RequestBudget(plan, lambda: self.now[0].timestamp()),
            PATIENT,
        )
        seat = (shared or self.shared).seat()
        return LedgerCollector(settings, client, seat, Mapping.of(settings), lambda name: f"key-of-{name[:3]}")

    def insert(self, *rows: Observation | Score) -> None:
        self.standin.store.insert(
            [row for row in rows if isinstance(row, Observation)], [row for row in rows if isinstance(row, Score)]
        )

    def run(self, exporter: LedgerCollector, later: timedelta = timedelta(minutes=1)) -> Figures:
        """Lets time pass, and the exporter run once; what it shows then."""
        self.now[0] += later
        with psycopg.connect(self.dsn, autocommit=True) as connection:  # the database's own clock decides who asks
            connection.execute("UPDATE analytics.sync_state SET asked_at = NULL")
        exporter.collect(self.now[0].timestamp())
        return figures(exporter, self.now[0])

    @property
    def dsn(self) -> str:
        return self.shared.session._dsn()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query.encode()).fetchall()


def figures(exporter: LedgerCollector, now: datetime) -> Figures:
    assert exporter.snapshot is not None
    shown = exporter.snapshot.samples(now.timestamp(), exporter.max_age)
    return {
        (item.metric.name, *item.labels): (sum(item.buckets), item.sum) if isinstance(item, Distribution) else item.value
        for item in shown
    }


@contextmanager
def world(shared: SharedSession, mode: str = "v4", **settings: Any) -> Iterator[World]:
    now = [NOON]
    store = Store(":memory:")
    standin = StandIn(
        store, MODES[mode], KEYS, lambda: now[0].timestamp(), PRICES, numbers_as_strings=mode == "v3", lag_seconds=2.0
    )
    with running(standin) as url:
        yield World(shared, url, standin, now, settings)
    store.close()
