"""The history, loaded at once: rows as they stand at a moment, with COPY, by worker processes.

Workers make hours and write them; the observability service's rows are made by the calling process meanwhile: making life twice
costs less than carrying it from process to process. Traces and their spans are kept for 14 days only, all that failed or were
slow and one in ten of the others.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context

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

_HOURS_A_PIECE = 48
_OBSERVATIONS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Piece:
    """A stretch of hours, [first, last), that a worker loads in one go."""

    dsn: str
    spec: WorldSpec
    first: int
    last: int
    until: float


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
    pieces = [Piece(dsn, spec, start, min(start + _HOURS_A_PIECE, last), until) for start in range(first, last, _HOURS_A_PIECE)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_load_piece, piece) for piece in pieces]
        _report(spec, until, observations, lambda share: progress("model calls", share))
        seen: LastSeen = {}
        for part in _results(running, lambda share: progress("rows", share)):
            for user, at in part.items():
                seen[user] = max(at, seen.get(user, 0.0))
        _load_company(dsn, spec, until, seen)
        # Large tables first, so that no worker is left alone with one at the end.
        statements = [(dsn, statement) for relation in RELATIONS.values() for statement in [schema.index_statements(relation)]]
        order = sorted(statements, key=lambda item: _BY_SIZE.get(item[1][0].split()[2], 99))
        for _ in _results([pool.submit(_run, *item) for item in order], lambda share: progress("indexes", share)):
            pass
    with psycopg.connect(dsn) as connection:
        schema.write_mark(connection, spec, until)


_BY_SIZE = {
    f"app.{name}": rank
    for rank, name in enumerate(("agent_executions", "messages", "tool_usage_metrics", "session_metrics", "conversations"))
}


def _results(running: list[Future[LastSeen]], progress: Callable[[float], None]) -> Iterator[LastSeen]:
    """What workers give back, as they finish. The first failure ends the rest and is raised."""
    waiting = set(running)
    try:
        while waiting:
            done, waiting = wait(waiting, return_when="FIRST_COMPLETED")
            for future in done:
                yield future.result()
            progress(1.0 - len(waiting) / len(running))
    finally:
        for future in waiting:
            future.cancel()


def _load_piece(piece: Piece) -> LastSeen:
    """Runs in a worker: write the rows of some hours, tell who was seen."""
    # Nothing made here refers back to itself, and all of it is dropped at the end: looking for cycles would cost a sixth.
    gc.disable()
    world = World(piece.spec)
    lines: Lines = defaultdict(list)
    seen: LastSeen = {}
    for index in range(piece.first, piece.last):
        hour = world.hour(index * 3600.0)
        write_hour(lines, hour, piece.until)
        see(seen, hour, 0.0, piece.until)
    with psycopg.connect(piece.dsn) as connection:
        copy(connection, lines)
    return seen


def _load_company(dsn: str, spec: WorldSpec, until: float, seen: LastSeen) -> None:
    world = World(spec)
    lines: Lines = defaultdict(list)
    write_company(lines, world, until)
    write_users(lines, world.users(until), seen)
    with psycopg.connect(dsn) as connection:
        copy(connection, lines)


def copy(connection: psycopg.Connection, lines: Lines) -> None:
    """Append rows to their tables."""
    with connection.cursor() as cursor:
        for table, rows in sorted(lines.items()):
            if rows:
                with cursor.copy(f"COPY {RELATIONS[table].qualified} FROM STDIN".encode()) as stream:
                    stream.write("".join(rows))


def _run(dsn: str, statements: list[str]) -> LastSeen:
    """Runs in a worker: statements one after the other."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '128MB'")
        for statement in statements:
            connection.execute(statement.encode())
    return {}


def _report(spec: WorldSpec, until: float, sink: ObservationSink, progress: Callable[[float], None]) -> None:
    """Give the observability service all that ended in the history."""
    world = World(spec)
    first, last = int(spec.beginning // 3600), int(until // 3600) + 1
    rows: list[Observation] = []
    judged: list[Score] = []
    for index in range(first, last):
        for conversation in world.hour(index * 3600.0).conversations:
            rows += observations(conversation, 0.0, until)
            judged += scores(conversation, 0.0, until)
        if len(rows) >= _OBSERVATIONS_AT_ONCE or index == last - 1:
            sink(rows, judged)
            rows, judged = [], []
            progress((index + 1 - first) / (last - first))
