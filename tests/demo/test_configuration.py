"""The synthetic platform takes over what its agents are to be configured with; caches find more of what they keep longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from demo.database.configuration import CACHE, DEFAULTS, MISSED, Configuration
from demo.platform.registry import Registry
from demo.platform.traffic import Traffic
from demo.world.model import WorldSpec

PLATFORM = """
INSERT INTO app.agents (id, name, type, environment, is_active) VALUES
    (1, 'billing', 'x', 'production', true), (2, 'support', 'x', 'production', true);
INSERT INTO app.deployments (id, agent_id, version, environment, deployed_at) VALUES
    (1, 1, '1', 'production', now()), (2, 2, '1', 'production', now()), (3, 2, '1', 'staging', now());
"""
OBSERVED = "SELECT version, value, state, said FROM analytics.configuration_observed WHERE agent = %s AND setting = %s"


@pytest.fixture
def platform(platform_database: str, install_schema: Callable[[str], None]) -> Iterator[psycopg.Connection[Any]]:
    install_schema(platform_database)
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(PLATFORM.encode())
        yield connection


def ask(connection: psycopg.Connection[Any], agent: str, setting: str, version: int, value: str | None) -> None:
    connection.execute(
        "INSERT INTO analytics.configuration_desired (agent, environment, setting, version, value) "
        "VALUES (%s, 'production', %s, %s, %s)",
        (agent, setting, version, value),
    )


def test_wishes_are_taken_over_or_refused_in_words(platform: psycopg.Connection[Any]) -> None:
    configuration = Configuration()
    configuration.act(platform)
    rows = platform.execute("SELECT environment, agent FROM analytics.configuration_observed WHERE version = 0").fetchall()
    places = [("production", "billing"), ("production", "support"), ("staging", "support")]
    assert sorted(rows) == sorted(places * len(DEFAULTS)) and configuration.missed == {}

    ask(platform, "billing", "timeout_seconds", 1, "20")
    ask(platform, "billing", "batch_size", 1, "100000")
    configuration.act(platform)
    assert platform.execute(OBSERVED, ("billing", "timeout_seconds")).fetchall() == [(1, 20, "applied", "")]
    [(version, value, state, said)] = platform.execute(OBSERVED, ("billing", "batch_size")).fetchall()
    assert (version, value, state) == (1, 8, "refused") and "from 1 to 256" in said
    ask(platform, "billing", "timeout_seconds", 2, None)
    configuration.act(platform)
    assert platform.execute(OBSERVED, ("billing", "timeout_seconds")).fetchall() == [(2, 30, "applied", "")]


def test_answers_that_are_not_kept_are_not_found(platform: psycopg.Connection[Any]) -> None:
    configuration = Configuration()
    ask(platform, "billing", CACHE, 1, '{"ttl_seconds": 0, "invalidate_on": []}')
    configuration.act(platform)
    weights = {"billing": 0.20, "support": 0.34}
    expected = (weights["billing"] + weights["support"] * MISSED) / sum(weights.values())
    assert configuration.missed == {"production": pytest.approx(expected)}
    again = Configuration()  # as after a restart
    again.act(platform)
    assert again.missed == configuration.missed
    ask(platform, "billing", CACHE, 2, '{"ttl_seconds": 86400, "invalidate_on": []}')
    configuration.act(platform)
    assert configuration.missed["production"] < MISSED


def misses(missed: float | None) -> float:
    registry = Registry()
    traffic = Traffic(registry, "production")
    traffic.advance(WorldSpec(seed=7, anchor=1_800_000_000.0), 120_000_000, 120_000_240, missed)
    found = {(labels[0], labels[1], labels[2]): value for labels, value in lookups(registry)}
    missing, hit = found["answers", "get", "miss"], found["answers", "get", "hit"]
    return missing / (missing + hit)


def lookups(registry: Registry) -> Iterator[tuple[list[str], float]]:
    for name, labels, value in registry.samples():
        if name == "cache_operations_total":
            said = dict(labels)
            yield [said["cache"], said["operation"], said["result"]], value


def test_the_metrics_say_what_was_missed() -> None:
    assert misses(None) == pytest.approx(MISSED, rel=0.05)
    assert misses(0.6) == pytest.approx(0.6, rel=0.05)


def test_without_the_schema_nothing_is_asked(platform_database: str) -> None:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        Configuration().act(connection)
