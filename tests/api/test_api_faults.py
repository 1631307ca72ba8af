"""What goes wrong behind the service holds up nobody for longer than is said, and does not end it unsaid."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

import api.database
import api.live
import api.service
from api.answers import Part, part
from api.catalogue.endpoints import Role
from api.catalogue.model import Query
from api.database import Bounds, Database
from api.grafana import Grafana
from api.live import Live
from api.parameters import Page, Range
from api.problems import Problem
from api.process import FIGURES, told
from api.prometheus import Prometheus
from api.service import Asked, Service
from api.tokens import Caller, Tokens
from contract.api import ApiLimits
from tests.conftest import PostgresServer
from tests.grafana.server import TOKEN
from tests.grafana.server import serving as grafana_serving

SECONDS = 20.0
"""Longer than anything here may take."""
BOSS = Caller("boss", Role.ADMIN)
ONE = Query("one", "", (), "SELECT 1 AS n", "1")


def test_a_database_that_falls_silent_gives_the_turn_back(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of our connection stops, as a machine does that is cut off: nothing ends, and nothing comes."""
    page = {"limit": 1, "offset": 0}
    patience = 10.0

    async def scenario(admin: psycopg.Connection) -> None:
        database = Database({Role.ADMIN: lambda: postgres.dsn}, Bounds(1, 10, patience))
        assert await database.rows(BOSS, ONE, frozenset(), page) == [(1,)]
        question = "SELECT pid FROM pg_stat_activity WHERE application_name = 'observatory-api-admin' AND state = 'idle'"
        ((pid,),) = admin.execute(question).fetchall()
        os.kill(pid, signal.SIGSTOP)
        try:
            with monkeypatch.context() as hasty:
                hasty.setattr(api.database, "SILENT_SECONDS", 0.2 - patience)
                with pytest.raises(Problem, match="does not answer"):
                    async with asyncio.timeout(SECONDS):
                        await database.rows(BOSS, ONE, frozenset(), page)
            assert await database.rows(BOSS, ONE, frozenset(), page) == [(1,)]
        finally:
            os.kill(pid, signal.SIGCONT)
        await database.close()

    with psycopg.connect(postgres.dsn, autocommit=True) as admin:
        asyncio.run(scenario(admin))


def test_long_questions_are_not_kept_beside_their_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks something else each time, in many words, fills no more memory than answers may."""
    monkeypatch.setattr(api.service, "_KEPT_BYTES", 300_000)

    class Nothing:
        async def rows(self, *_: Any) -> list[Any]:
            return []

    service = Service(cast(Database, Nothing()), Tokens(tmp_path / "tokens"), ApiLimits(), Prometheus(""), {}, "")
    chosen = replace(ONE, filters={"agent": "a"})

    async def ask(first: int, last: int) -> None:
        for number in range(first, last):
            values = [f"{number}-{place}-{'x' * 190}" for place in range(50)]
            await service.parts(BOSS, [chosen], Asked(Range(None, None, 1), {"agent": values}))

    asyncio.run(ask(0, 10))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        asyncio.run(ask(10, 600))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 400_000


def test_nobody_waits_while_a_long_answer_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download of all rows as JSON takes a second and more, in which others are answered."""
    going_on = threading.Event()

    class Much:
        async def rows(self, *_: Any) -> list[Any]:
            return [()] * 2000

    def written(*given: Any) -> Part:
        assert going_on.wait(SECONDS)
        return part(*given)

    async def scenario() -> None:
        service = Service(cast(Database, Much()), Tokens(tmp_path / "tokens"), ApiLimits(), Prometheus(""), {}, "")
        asking = asyncio.create_task(service.fresh(BOSS, ONE, Asked(Range(None, None, 1), {}, Page(size=2000))))
        asyncio.get_running_loop().call_later(0.01, going_on.set)
        await asking

    monkeypatch.setattr(api.service, "part", written)
    asyncio.run(scenario())


def test_a_database_that_falls_silent_is_heard_again(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Listening waits for what may not come for hours, so silence alone says nothing."""
    monkeypatch.setattr(api.database, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(api.live, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(api.live, "AGAIN_SECONDS", 0.01)
    listener = "SELECT pid FROM pg_stat_activity WHERE application_name = 'observatory-api-live' AND pid <> ALL (%s)"
    others: list[int] = []

    async def nothing() -> bytes:
        return b""

    async def scenario(admin: psycopg.Connection) -> None:
        live = Live(nothing, lambda: postgres.dsn, 1)
        async with live.running(), asyncio.timeout(SECONDS):
            await live.listening.wait()
            ((pid,),) = admin.execute(listener, (others,)).fetchall()
            os.kill(pid, signal.SIGSTOP)
            try:
                while live.listening.is_set():
                    await asyncio.sleep(0.01)
                await live.listening.wait()  # by another connection, while that one is still silent
            finally:
                os.kill(pid, signal.SIGCONT)

    with psycopg.connect(postgres.dsn, autocommit=True) as admin:
        others = [pid for (pid,) in admin.execute(listener, ([],)).fetchall()]
        asyncio.run(scenario(admin))
    assert "notifications of the database are not heard: OperationalError" in caplog.messages


def test_live_figures_go_on_after_a_mistake(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(api.live, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(api.live, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(api.live, "MOST_SECONDS", 0.01)
    answers = iter([None, b"{}"])

    async def ask() -> bytes:
        if (figures := next(answers)) is None:
            raise ValueError("a mistake")
        return figures

    async def scenario() -> None:
        live = Live(ask, None, 1)
        async with live.running(), asyncio.timeout(SECONDS):
            with live.subscribed("somebody") as subscriber:
                assert await subscriber.next() == b"{}"

    asyncio.run(scenario())
    (said,) = (record for record in caplog.records if record.exc_info)
    assert said.getMessage() == "no live figures"


def test_grafana_is_told_again_after_a_mistake(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(api.live, "LEAST_SECONDS", 0.01)
    monkeypatch.setattr(api.live, "MOST_SECONDS", 0.02)
    right = told(datetime(2026, 11, 19, tzinfo=UTC), [{"environment": "production", **dict.fromkeys(FIGURES, 1)}])

    async def ask() -> bytes:
        """Wrong until that is said."""
        return right if any(record.exc_info for record in caplog.records) else b"no figures"

    async def scenario(url: str) -> None:
        live = Live(ask, None, 1)
        async with live.running(), asyncio.timeout(SECONDS):
            following = asyncio.create_task(Grafana(url, TOKEN).follow(live))
            while not grafana.world.streamed:
                assert not following.done()
                await asyncio.sleep(0.01)
            following.cancel()

    with grafana_serving() as grafana:
        asyncio.run(scenario(grafana.url))
