"""Several processes count the same sources, and are killed at any moment; what they counted is as if one had counted alone."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import psycopg
import pytest

from exporters.rollups import advance, fold
from tests.rollups import ledger
from tests.rollups.counted import NOON, Counted
from tests.rollups.model import Series

REPLICAS, WRITERS, ROWS, KILLS = 3, 2, 120, 15


@pytest.fixture(autouse=True)
def _installed(counted: Counted) -> None:
    counted.install()


class _Replica(threading.Thread):
    """Counts until it is told to stop; after each kill it connects anew."""

    def __init__(self, counted: Counted, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._counted, self._halt = counted, stop
        self.killed, self.fell = 0, False

    def run(self) -> None:
        seen: dict[Series, dict[str, int]] = {}
        while not self._halt.is_set():
            try:
                with psycopg.connect(
                    self._counted.dsn, autocommit=True, prepare_threshold=None, application_name="replica"
                ) as connection:
                    while not self._halt.is_set():
                        self._cycle(connection, seen)
            except psycopg.OperationalError:
                self.killed += 1

    def _cycle(self, connection: psycopg.Connection, seen: dict[Series, dict[str, int]]) -> None:
        with self._counted.transaction(connection):
            names = advance.news(connection, self._counted.forms)
        for name in names:
            with self._counted.transaction(connection):
                advance.advance(connection, self._counted.forms[name])
        with self._counted.transaction(connection):
            fold.fold(connection, "100 years")
        now = ledger.metrics(connection)
        self.fell = self.fell or any(
            now.get(series, {}).get(name, 0) < value for series, figures in seen.items() for name, value in figures.items()
        )
        seen.update(now)


def _write(counted: Counted, seed: int) -> None:
    dice = random.Random(seed)
    with counted.connect() as connection:
        for number in range(ROWS):
            key = f"{seed:08d}-0000-0000-0000-{number:012d}"
            values = {
                "execution_id": key, "agent_id": 1, "agent_name": "alpha", "version": "1", "start_time": NOON,
                "status": "in_progress", "tool_count": 0, "retry_count": 0, "api_calls_count": 0, "environment": "production",
            }  # fmt: skip
            with connection.transaction(force_rollback=dice.random() < 0.1):
                counted.insert("agent_executions", values, connection)
            if dice.random() < 0.8:
                connection.execute(
                    "UPDATE app.agent_executions SET status = %s, end_time = %s, duration_ms = %s WHERE execution_id = %s",
                    (dice.choice(["success", "failure"]), NOON, 10.0 * number, key),
                )
            if dice.random() < 0.3:
                connection.execute(
                    "UPDATE app.agent_executions SET status = 'timeout', end_time = start_time WHERE execution_id = %s", (key,)
                )


def _kill(counted: Counted, dice: random.Random) -> Iterator[int]:
    """Ends backends of replicas, one after the other, whatever they are doing."""
    while True:
        pids = counted.connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'replica'").fetchall()
        if pids:
            yield counted.one(f"SELECT pg_terminate_backend({dice.choice(pids)[0]})::int")


def test_replicas_that_are_killed_count_everything_once(counted: Counted) -> None:
    stop = threading.Event()
    replicas = [_Replica(counted, stop) for _ in range(REPLICAS)]
    writers = [threading.Thread(target=_write, args=(counted, seed), daemon=True) for seed in range(1, WRITERS + 1)]
    for thread in (*replicas, *writers):
        thread.start()
    victims = _kill(counted, random.Random(7))
    kills = 0
    while kills < KILLS or any(writer.is_alive() for writer in writers):
        kills += next(victims)
    stop.set()
    for thread in (*replicas, *writers):
        thread.join(60)
        assert not thread.is_alive()
    counted.advance()
    assert not any(replica.fell for replica in replicas)
    assert sum(replica.killed for replica in replicas) > 0
    truth = dict(
        counted.connection.execute(
            "SELECT CASE status WHEN 'failure' THEN 'error' ELSE status END, count(*) FROM app.agent_executions"
            " WHERE status <> 'in_progress' GROUP BY 1"
        ).fetchall()
    )
    for tier in ("minutes", "hours", "days"):
        assert {labels[3]: n for labels, n in counted.tier(tier, "executions_ended").items()} == truth
    everything = counted.one("SELECT count(*) FROM app.agent_executions")
    assert counted.counters("executions_started") == {("alpha", "1", "production"): everything}
    running = everything - sum(truth.values())
    assert counted.stocks("executions_in_progress") == ({("alpha", "production"): running} if running else {})
    assert counted.one("SELECT count(*) FROM analytics.shadows WHERE source = 'executions'") == running
