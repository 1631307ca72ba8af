"""Beyond a label's limit every replica, and every process after a restart, gives the same values their own names."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from contract.labels import LABELS, OVERFLOW
from tests.business.figures import Figures, of
from tests.business.installed import Exporter, install

NOW = datetime.now(UTC).replace(microsecond=0)
STARTED = "platform_executions_total"
_EXECUTION = """
    INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, duration_ms, status,
        tool_count, retry_count, api_calls_count, tokens_used, environment)
    VALUES (%s, 1, 'alpha', '1', %s, %s, 100, 'success', 0, 0, 0, 10, %s)
    """


class Replicas:
    """Processes over one database. `run` lets one of them count; with more than a minute between two runs it folds, too."""

    def __init__(self, dsn: str) -> None:
        self._dsn, self._now = dsn, NOW.timestamp()
        self._running: list[Exporter] = []

    def start(self) -> Exporter:
        self._running.append(Exporter.of(self._dsn))
        return self._running[-1]

    def run(self, replica: Exporter, seconds: float = 61.0) -> Figures:
        """What it shows then."""
        self._now += seconds
        replica.collect(self._now)
        return replica.served(self._now)

    def executions(self, *environments: str) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            for environment in environments:
                connection.execute(_EXECUTION, (uuid.uuid4(), NOW, NOW, environment))

    def stop(self) -> None:
        for replica in self._running:
            replica.close()


@pytest.fixture
def replicas(platform_database: str, tmp_path: Path) -> Iterator[Replicas]:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO app.agents (id, name, type, environment, is_active) VALUES (1, 'alpha', 'chat', 'production', true)"
        )
    install(platform_database, tmp_path)
    made = Replicas(platform_database)
    yield made
    made.stop()


def counted(found: Figures) -> dict[str, float]:
    """Executions that succeeded, by environment."""
    by_environment = {labels[2]: value for labels, value in of(found, STARTED).items() if labels[3] == "success"}
    return {environment: value for environment, value in by_environment.items() if value}


def test_replicas_and_restarts_give_names_in_the_order_of_counting(replicas: Replicas) -> None:
    cap = LABELS["environment"].cap
    backwards = [f"e{number}" for number in range(cap + 3, 0, -1)]
    first, second = replicas.start(), replicas.start()
    for environment in backwards[:-2]:
        replicas.executions(environment)
        shown = replicas.run(first)
    replicas.executions(*backwards[-2:], *backwards[-2:], *backwards[-2:])
    shown = replicas.run(first)
    expected = dict.fromkeys(backwards[:cap], 1.0) | {OVERFLOW: 1.0 + 2 * 3}
    assert counted(shown) == expected, "the first ones have their names, whatever is greater or comes first in the alphabet"
    assert counted(replicas.run(second)) == expected, "a replica that reads for the first time now"
    assert counted(replicas.run(replicas.start())) == expected, "a restart"


def test_what_was_not_counted_makes_room(replicas: Replicas) -> None:
    """Environments that the configuration names start at 0, and have names while there are enough."""
    cap = LABELS["environment"].cap
    replica = replicas.start()
    assert ("alpha", "staging") in {labels[:2] for labels in of(replicas.run(replica), "platform_executions_in_progress")}
    replicas.executions(*(f"e{number}" for number in range(cap)))
    shown = counted(replicas.run(replica))
    assert shown == {f"e{number}": 1.0 for number in range(cap)} == counted(replicas.run(replicas.start()))


def test_what_waits_for_a_fold_is_in_the_order_of_counting(replicas: Replicas) -> None:
    cap = LABELS["environment"].cap
    replica = replicas.start()
    replicas.run(replica)
    backwards = [f"e{number}" for number in range(cap + 1, 0, -1)]
    for environment in backwards:
        replicas.executions(environment)
        shown = replicas.run(replica, 1.0)
    expected = dict.fromkeys(backwards[:cap], 1.0) | {OVERFLOW: 1.0}
    assert counted(shown) == expected
    assert counted(replicas.run(replica)) == counted(replicas.run(replicas.start())) == expected
