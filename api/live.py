"""Live figures: asked once for all who look, when the advancing process says that something was counted, or after a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import psycopg

from api import database
from api.database import Connection, Dsn, connected, hung_up_after
from api.limits import share
from api.problems import Problem, unavailable
from contract.analytics import ADVANCED

LOG = logging.getLogger("observatory.api")
LEAST_SECONDS, MOST_SECONDS, AGAIN_SECONDS = 0.5, 5.0, 5.0
"""Between two sets of figures: never less, never more; and until the next try to listen."""
LOOK_SECONDS = 30.0
"""A database that notifies of nothing for so long is asked whether it is there: a network that falls silent ends nothing."""


class Subscriber:
    """Somebody who looks. A slow one gets the newest figures, and never those that were overtaken."""

    def __init__(self) -> None:
        self._newest = b""
        self._come = asyncio.Event()
        self.over = False
        """Whether nothing comes any more."""

    def end(self) -> None:
        self.over = True
        self._come.set()

    def put(self, figures: bytes) -> None:
        self._newest = figures
        self._come.set()

    async def next(self) -> bytes:
        """The newest figures that were not taken yet."""
        await self._come.wait()
        self._come.clear()
        return self._newest


class Live:
    """`ask` gives the figures as JSON, and is asked only while somebody looks; `most` may look at a time. `dsn` is a login that
    listens; without one figures come every five seconds."""

    def __init__(self, ask: Callable[[], Awaitable[bytes]], dsn: Dsn | None, most: int) -> None:
        self._ask, self._dsn, self._most = ask, dsn, most
        self._subscribers: dict[Subscriber, str] = {}
        self._somebody, self._advanced = asyncio.Event(), asyncio.Event()
        self.listening = asyncio.Event()
        """Whether notifications reach us."""

    @contextmanager
    def subscribed(self, caller: str) -> Iterator[Subscriber]:
        """A place among those who look. Raises Problem when there is none left, or none for this caller."""
        for taken, most in ((len(self._subscribers), self._most), (self._of(caller), share(self._most))):
            if taken >= most:
                raise unavailable(f"{most} streams are open, and that is the most; ask /api/analytics/live instead", 30)
        subscriber = Subscriber()
        self._subscribers[subscriber] = caller
        self._somebody.set()
        self._advanced.set()  # whoever comes does not wait for the next commit
        try:
            yield subscriber
        finally:
            del self._subscribers[subscriber]
            if not self._subscribers:
                self._somebody.clear()

    def end(self) -> None:
        """Nobody gets figures any more: the service ends, and waits for nobody who looks."""
        for subscriber in self._subscribers:
            subscriber.end()

    def _of(self, caller: str) -> int:
        return sum(name == caller for name in self._subscribers.values())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Publishes and listens as long as it is entered."""
        tasks = [asyncio.create_task(self._publish())]
        if self._dsn is not None:
            tasks.append(asyncio.create_task(self._listen(self._dsn)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _publish(self) -> None:
        while True:
            await self._somebody.wait()
            self._advanced.clear()
            try:
                figures = await self._ask()
            except Problem as problem:
                LOG.warning("no live figures: %s", problem.detail)
            except Exception:  # a mistake of ours must not end the streams of all, unsaid
                LOG.exception("no live figures")
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                for subscriber in self._subscribers:
                    subscriber.put(figures)
            await asyncio.sleep(LEAST_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(MOST_SECONDS - LEAST_SECONDS):
                    await self._advanced.wait()

    async def _listen(self, dsn: Dsn) -> None:
        while True:
            try:
                async with await connected(dsn, "observatory-api-live") as connection:
                    await self._hear(connection)
            except (psycopg.Error, OSError, TimeoutError, ValueError) as error:
                LOG.warning("notifications of the database are not heard: %s", type(error).__name__)
            except Exception:  # a mistake of ours must not end it, unsaid
                LOG.exception("notifications of the database are not heard")
            self.listening.clear()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _hear(self, connection: Connection) -> None:
        """Until the connection is lost."""
        await _answered(connection, f"LISTEN {ADVANCED}")
        self.listening.set()
        while True:
            async for _ in connection.notifies(timeout=LOOK_SECONDS):
                self._advanced.set()
            await _answered(connection, "SELECT")


async def _answered(connection: Connection, statement: str) -> None:
    """Raises psycopg.Error when no answer comes in time."""
    async with hung_up_after(database.SILENT_SECONDS, connection):
        await connection.execute(statement.encode())
