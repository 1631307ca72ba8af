"""The history, loaded at once: rows as they stand at a moment, with COPY, by worker processes or this one.

Each worker makes some hours, writes them with a connection of its own and hands back what the observability service is told.
Traces and their spans are kept for 14 days only: all that failed or were slow, and one in ten of the others.
"""

from __future__ import annotations

import gc
import signal
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from typing import NamedTuple, TypeVar

import psycopg

from contract.relations import RELATIONS
from demo.database import schema
from demo.database.rows.company import LastSeen, see, write_company, write_users
from demo.database.rows.others import write_hour
from demo.database.rows.text import Lines
from demo.world.model import WorldSpec
from demo.world.observations import Observation, ObservationSink, Score, observations, scores
from demo.world.world import World

Progress = Callable[[str, float], None]
"""Told what is being done and how much of it is (0 to 1)."""

_HOURS_A_PIECE = 24
_LARGEST = ("agent_executions", "messages", "tool_usage_metrics", "session_metrics", "conversations")
_Given = TypeVar("_Given")


@dataclass(frozen=True)
class Piece:
    """A stretch of hours, [first, last), that a worker loads in one go."""

    dsn: str
    spec: WorldSpec
    first: int
    last: int
    until: float


class Loaded(NamedTuple):
    """What a worker hands back."""

    seen: LastSeen
    observations: list[Observation]
    scores: list[Score]


def load(
    dsn: str,
    spec: WorldSpec,
    observations: ObservationSink,
    progress: Progress,
    *,
    until: float | None = None,
    workers: int = 2,
) -> None:
    """Fill schema `app` with the world as it stands at `until` (spec.anchor when not given), in place of an earlier load.

    `observations` is called in this process with what has ended by then, thousands of rows at a time, in order of hours.
    Raises schema.ForeignSchema when `app` is not ours; an interrupted load leaves a mark without `loaded_until`.
    """
    until = spec.anchor if until is None else until
    with psycopg.connect(dsn) as connection:
        schema.create(connection, spec)
    first, last = int(spec.beginning // 3600), int(until // 3600) + 1
    starts = range(first, last, _HOURS_A_PIECE)
    pieces = [Piece(dsn, spec, start, min(start + _HOURS_A_PIECE, last), until) for start in starts]
    with _executor(workers) as pool, _no_search_for_cycles():
        seen: LastSeen = {}
        for loaded in _in_order([pool.submit(_load_piece, piece) for piece in pieces], lambda share: progress("rows", share)):
            for user, at in loaded.seen.items():
                seen[user] = max(at, seen.get(user, 0.0))
            observations(loaded.observations, loaded.scores)
        _load_company(dsn, spec, until, seen)
        # Large tables first, so that no worker is left alone with one at the end.
        names = (*_LARGEST, *(name for name in RELATIONS if name not in _LARGEST))
        indexing = [pool.submit(_run, dsn, schema.index_statements(RELATIONS[name])) for name in names]
        for _ in _in_order(indexing, lambda share: progress("indexes", share)):
            pass
    _world.cache_clear()  # a worker's ends with it
    with psycopg.connect(dsn) as connection:
        schema.write_mark(connection, spec, until)


def _executor(workers: int) -> Executor:
    """Where pieces are made. One worker is this process itself: another would take longer to begin than a small world does."""
    if workers == 1:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(workers, get_context("spawn"), _leave_interrupts_to_the_parent)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Millions of rows pass by and none refers back to itself: looking for cycles among them would cost a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _in_order(running: list[Future[_Given]], progress: Callable[[float], None]) -> Iterator[_Given]:
    """What workers give, in the order of their tasks, kept no longer than needed. When one fails, the rest is given up."""
    waiting = deque(running)
    running.clear()
    tasks = len(waiting)
    try:
        while waiting:
            yield waiting.popleft().result()
            progress(1.0 - len(waiting) / tasks)
    finally:
        for future in waiting:
            future.cancel()


_world = lru_cache(maxsize=1)(World)
"""A worker's world, kept from piece to piece."""


def _load_piece(piece: Piece) -> Loaded:
    """Runs in a worker."""
    world = _world(piece.spec)
    lines: Lines = defaultdict(list)
    loaded = Loaded({}, [], [])
    with _no_search_for_cycles():
        for index in range(piece.first, piece.last):
            hour = world.hour(index * 3600.0)
            write_hour(lines, hour, piece.until)
            see(loaded.seen, hour, 0.0, piece.until)
            for conversation in hour.conversations:
                loaded.observations.extend(observations(conversation, 0.0, piece.until))
                loaded.scores.extend(scores(conversation, 0.0, piece.until))
        with psycopg.connect(piece.dsn) as connection:
            _copy(connection, lines)
    return loaded


def _load_company(dsn: str, spec: WorldSpec, until: float, seen: LastSeen) -> None:
    world = World(spec)
    lines: Lines = defaultdict(list)
    write_company(lines, world, until)
    write_users(lines, world.users(until), seen)
    with psycopg.connect(dsn) as connection:
        _copy(connection, lines)


def _copy(connection: psycopg.Connection, lines: Lines) -> None:
    """Append rows to their tables."""
    with connection.cursor() as cursor:
        for table, rows in sorted(lines.items()):
            if rows:
                names = ", ".join(column.name for column in RELATIONS[table].columns)
                with cursor.copy(f"COPY {RELATIONS[table].qualified} ({names}) FROM STDIN".encode()) as stream:
                    stream.write("".join(rows))


def _run(dsn: str, statements: list[str]) -> None:
    """Runs in a worker: statements one after the other."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '128MB'")
        for statement in statements:
            connection.execute(statement.encode())
