"""What capture costs those who write: single-row transactions with and without it, and the space that updates leave behind."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from benchmarks import data, ours
from benchmarks.measure import Bar, Measure, median
from benchmarks.pgbench import Done, written
from benchmarks.run import Run

_CLIENTS = 8

_INSERT = r"""
\set a random(1, 12)
INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, duration_ms, status,
                                  tool_count, retry_count, user_id, conversation_id, tokens_used, api_calls_count, environment)
VALUES (gen_random_uuid(), :a, 'agent' || :a, 'v1', now(), now(), 100, 'success', 0, 0, 1, 1, 500, 0, 'production');
"""
_LIFE = r"""
\set a random(1, 12)
INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, status, tool_count, retry_count,
                                  user_id, conversation_id, api_calls_count, environment)
VALUES (gen_random_uuid(), :a, 'agent' || :a, 'v1', now(), 'in_progress', 0, 0, 1, 1, 0, 'production')
RETURNING execution_id \gset
UPDATE app.agent_executions SET end_time = now(), duration_ms = 100, status = 'success', tokens_used = 500
WHERE execution_id = ':execution_id';
"""
_OPEN = r"""
\set t random(1, :tickets)
UPDATE app.tickets SET status = CASE status WHEN 'open' THEN 'waiting' ELSE 'open' END, updated_at = now() WHERE id = :t;
"""
_FINAL = r"""
\set m random(1, :messages)
UPDATE app.messages SET tokens = tokens + 1 WHERE id = :m;
"""
_SPACE = """
    SELECT pg_total_relation_size(relid), n_tup_hot_upd::float8 / nullif(n_tup_upd, 0)
    FROM pg_stat_user_tables WHERE relid = %s::regclass
    """


_LINES = "SELECT pg_total_relation_size('analytics.retractions')::float8, count(*)::float8 FROM analytics.retractions"


@dataclass(frozen=True)
class _Work:
    what: str
    script: str
    table: str
    bar: Bar | None


_WORK = (
    _Work("insert a row", _INSERT, "app.agent_executions", Bar(10.0)),
    _Work("insert a row, then end it", _LIFE, "app.agent_executions", Bar(30.0)),
    _Work("change an open row (ticket)", _OPEN, "app.tickets", Bar(30.0)),
    _Work("change a final row (message)", _FINAL, "app.messages", Bar(30.0)),
)


@dataclass
class _Side:
    """One of two equal databases, with or without capture."""

    dsn: str
    rounds: list[Done] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Transactions a second."""
        return statistics.median(one.a_second for one in self.rounds)

    def space(self, table: str) -> tuple[float, float]:
        """Bytes of the table with its indexes; which share of its updates left the indexes alone."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(_SPACE, (table,)).fetchone()
        return (float(row[0]), float(row[1] or 0.0)) if row else (0.0, 0.0)


def measure(run: Run) -> Iterator[Measure]:
    """How much slower writers are with capture, in rounds that take turns, and what they leave behind. Nobody advances.

    Both sides have the indexes that installation makes for questions: they are no part of capture.
    """
    name, _ = data.template(run.dsn(), run.scale.small, run.say)
    with data.copy_of(run.dsn(), name, "bench_plain") as plain, data.copy_of(run.dsn(), name, "bench_captured") as captured:
        for dsn in (plain, captured):
            ours.install(dsn)
        for table in {work.table for work in _WORK}:
            ours.remove_capture(plain, table)
        for work in _WORK:
            yield from _compare(run, work, _Side(plain), _Side(captured))


def _compare(run: Run, work: _Work, plain: _Side, captured: _Side) -> Iterator[Measure]:
    run.say(work.what)
    seconds, rounds = max(1, round(run.scale.seconds / 9)), (run.scale.repeat + 1) // 2
    counts = data.counts(run.scale.small)
    before = [side.space(work.table)[0] for side in (plain, captured)]
    for _ in range(rounds):
        for side in (plain, captured):
            side.rounds.append(written(side.dsn, work.script, _CLIENTS, seconds, run.scale.transactions, **counts))
    pairs = zip(captured.rounds, plain.rounds, strict=True)
    slower = [100 * (1 - ours_.a_second / theirs.a_second) for ours_, theirs in pairs]
    space = [side.space(work.table) for side in (plain, captured)]
    left = [
        (size - was) / sum(one.transactions for one in side.rounds)
        for (size, _), was, side in zip(space, before, (plain, captured), strict=True)
    ]
    against = "without capture"
    yield median(f"{work.what}: slower by", slower, "%", bar=work.bar)
    yield Measure(f"{work.what}: transactions a second", captured.speed, "", peer=plain.speed, against=against)
    yield Measure(f"{work.what}: table and indexes grow by", left[1], "B each", peer=left[0], against=against)
    with psycopg.connect(captured.dsn) as connection:
        size, lines = connection.execute(_LINES).fetchone() or (0.0, 0.0)
    if lines and work.script is _FINAL:
        yield Measure(f"{work.what}: a line of ours, until the next step", size / lines, "B")
    if work.script is not _INSERT:
        yield Measure(f"{work.what}: updates in place (HOT)", 100 * space[1][1], "%", peer=100 * space[0][1], against=against)
