"""Writers that make counting hard: late commits, roll-backs, skewed clocks, rows that change after they were counted."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

_BEGIN = """
    INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, status, tool_count, retry_count,
                                      user_id, conversation_id, tokens_used, api_calls_count, environment, intent)
    SELECT gen_random_uuid(), 1, %(agent)s, 'v1', now() + make_interval(secs => %(skew)s), 'in_progress', 0, 0, 1, 1, NULL, 0,
           'production', 'intent01'
    FROM generate_series(1, %(rows)s) RETURNING execution_id
    """
_END = """
    UPDATE app.agent_executions
    SET status = 'success', end_time = start_time + make_interval(secs => %(took)s), duration_ms = 1000 * %(took)s,
        tokens_used = 7
    WHERE execution_id = ANY(%(ids)s)
    """
_TICKET = """
    UPDATE app.tickets
    SET status = CASE status WHEN 'open' THEN 'in_progress' WHEN 'in_progress' THEN 'resolved' ELSE 'open' END,
        updated_at = now()
    WHERE id = (SELECT id FROM app.tickets WHERE id >= %(from)s ORDER BY id LIMIT 1)
    """


@dataclass(frozen=True)
class Commit:
    """After this commit a writer's agent has begun `total` executions. `at` is on the clock of time.monotonic."""

    agent: str
    total: int
    at: float


@dataclass
class Traffic:
    """Some writers, each with an agent of its own, that write until they are stopped. `longest` transactions take that long."""

    dsn: str
    writers: int
    longest: float
    commits: list[Commit] = field(default_factory=list)
    failure: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[Traffic]:
        """Writers write inside; at the end all have committed or rolled back. Raises what a writer failed with."""
        threads = [threading.Thread(target=self._writer, args=(number,)) for number in range(self.writers)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        if self.failure is not None:
            raise self.failure

    def _writer(self, number: int) -> None:
        try:
            with psycopg.connect(self.dsn) as connection:
                writer = _Writer(connection, f"writer{number:02d}", random.Random(number), self.longest, self._stop)
                while not self._stop.is_set():
                    if writer.write():
                        self.commits.append(Commit(writer.agent, writer.total, time.monotonic()))
        except BaseException as error:
            self.failure = error


@dataclass
class _Writer:
    """One session of the platform. `open` are its executions that have begun and not ended."""

    connection: psycopg.Connection
    agent: str
    chance: random.Random
    longest: float
    stop: threading.Event
    total: int = 0
    open: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._skew = self.chance.uniform(-300, 300)

    def write(self) -> bool:
        """One transaction: executions begin, others end, sometimes a ticket changes. Whether it was committed."""
        rows = self.chance.randint(1, 5)
        begin = {"agent": self.agent, "skew": self._skew, "rows": rows}
        running = [*self.open, *(key for (key,) in self.connection.execute(_BEGIN, begin).fetchall())]
        ended = {key for key in running if self.chance.random() < 0.7}
        self.connection.execute(_END, {"ids": list(ended), "took": self.chance.choice((0.25, 1.5, 3.0))})
        if self.chance.random() < 0.2:
            # Committed at once: two writers that wait long for each other's tickets would write nothing.
            self.connection.execute(_TICKET, {"from": self.chance.randint(1, 200)})
        else:
            self.stop.wait(self._pause())
            if self.chance.random() < 0.05:
                self.connection.rollback()
                return False
        self.connection.commit()
        self.total, self.open = self.total + rows, [key for key in running if key not in ended]
        return True

    def _pause(self) -> float:
        """Seconds that a transaction stays open: nine in ten none, one in a hundred from 3 s up to the longest."""
        lot = self.chance.random()
        if lot < 0.9:
            return self.chance.uniform(0, 0.002)
        if lot < 0.99:
            return self.chance.uniform(0.05, 0.5)
        return self.chance.uniform(min(3.0, self.longest / 2), self.longest)
