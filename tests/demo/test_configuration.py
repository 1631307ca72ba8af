"""The synthetic platform takes over what its agents are to be configured with, or says why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.database.configuration import Configuration, Wanted
from demo.platform import settings
from demo.world import spec_file
from demo.world.model import Tuned, WorldSpec
from demo.world.tuning import ANSWERS, USUAL

PLATFORM = """
INSERT INTO app.agents (id, name, type, environment, is_active) VALUES
    (1, 'billing', 'x', 'production', true), (2, 'support', 'x', 'production', true);
INSERT INTO app.deployments (id, agent_id, version, environment, deployed_at) VALUES
    (1, 1, '1', 'production', now()), (2, 2, '1', 'production', now()), (3, 2, '1', 'staging', now());
"""
WORLD = WorldSpec(seed=7, anchor=1_800_000_000.0)
WORLD = replace(WORLD, settings=(Tuned("support", "staging", "prompt_cache", "off", WORLD.beginning),))
OBSERVED = "SELECT version, value, state, said FROM analytics.configuration_observed WHERE agent = %s AND setting = %s"


@pytest.fixture
def platform(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(installed_database, autocommit=True) as connection:
        connection.execute(PLATFORM.encode())
        yield connection


def ask(
    connection: psycopg.Connection[Any], agent: str, setting: str, version: int, value: str | None, place: str = "production"
) -> None:
    connection.execute(
        "INSERT INTO analytics.configuration_desired (agent, environment, setting, version, value) VALUES (%s, %s, %s, %s, %s)",
        (agent, place, setting, version, value),
    )


def test_wishes_are_taken_over_or_refused_in_words(platform: psycopg.Connection[Any]) -> None:
    held: list[Wanted] = []
    configuration = Configuration(WORLD, held.extend)
    configuration.act(platform)
    rows = platform.execute("SELECT environment, agent FROM analytics.configuration_observed WHERE version = 0").fetchall()
    places = [("production", "billing"), ("production", "support"), ("staging", "support")]
    assert sorted(rows) == sorted(places * len(USUAL)) and not held

    ask(platform, "billing", "timeout_seconds", 1, "20")
    ask(platform, "billing", "batch_size", 1, "100000")
    ask(platform, "billing", "model", 1, '"text-embedding-3-small"')
    ask(platform, "billing", ANSWERS, 1, '{"ttl_seconds": 0, "invalidate_on": []}')
    configuration.act(platform)
    assert platform.execute(OBSERVED, ("billing", "timeout_seconds")).fetchall() == [(1, 20, "applied", "")]
    [(version, value, state, said)] = platform.execute(OBSERVED, ("billing", "batch_size")).fetchall()
    assert (version, value, state) == (1, 8, "refused") and "from 1 to 256" in said
    [(_, value, state, said)] = platform.execute(OBSERVED, ("billing", "model")).fetchall()
    assert (value, state) == ("usual", "refused") and "gpt-4.1-mini" in said and "embedding" not in said
    assert sorted(held) == [
        Wanted("billing", "production", ANSWERS, 0), Wanted("billing", "production", "timeout_seconds", 20)
    ]  # fmt: skip
    ask(platform, "billing", "timeout_seconds", 2, None)
    configuration.act(platform)
    assert platform.execute(OBSERVED, ("billing", "timeout_seconds")).fetchall() == [(2, 25, "applied", "")]
    assert held[2:] == [Wanted("billing", "production", "timeout_seconds", 25)]


def test_what_the_platform_has_by_itself_comes_back(platform: psycopg.Connection[Any]) -> None:
    """Whatever is usual elsewhere."""
    held: list[Wanted] = []
    configuration = Configuration(WORLD, held.extend)
    configuration.act(platform)
    told = (
        "SELECT value, version FROM analytics.configuration_observed "
        "WHERE environment = 'staging' AND agent = 'support' AND setting = 'prompt_cache'"
    )
    assert platform.execute(told).fetchall() == [("off", 0)]
    for version, value, now in ((1, '"on"', "on"), (2, None, "off")):
        ask(platform, "support", "prompt_cache", version, value, "staging")
        configuration.act(platform)
        assert platform.execute(told).fetchall() == [(now, version)]
    assert [wanted.value for wanted in held] == ["on", "off"]


def test_what_could_not_be_recorded_is_not_said_to_be_in_force(platform: psycopg.Connection[Any]) -> None:
    """As when it is killed in between: it is asked once more."""
    held: list[Wanted] = []

    def full(_: Any) -> None:
        raise OSError("no space left")

    ask(platform, "billing", "batch_size", 1, "4")
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            Configuration(WORLD, full).act(platform)
        assert platform.execute(OBSERVED, ("billing", "batch_size")).fetchall() == [(0, 8, "applied", "")]
    Configuration(WORLD, held.extend).act(platform)
    assert held == [Wanted("billing", "production", "batch_size", 4)]


def test_what_is_taken_over_holds_a_second_later(tmp_path: Path) -> None:
    world = tmp_path / "world.json"
    spec_file.write(world, WORLD)
    for value, now in ((4, 1_800_000_100.0), (8, 1_800_000_200.0)):
        settings.hold(world, lambda now=now: now, [Wanted("billing", "production", "batch_size", value)])  # type: ignore[misc]
    assert spec_file.read(world).settings == (
        *WORLD.settings,
        Tuned("billing", "production", "batch_size", 4, 1_800_000_101.0),
        Tuned("billing", "production", "batch_size", 8, 1_800_000_201.0),
    )


def test_without_the_schema_nothing_is_asked(platform_database: str) -> None:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        Configuration(WORLD, lambda _: pytest.fail("nobody asked")).act(connection)
