"""The synthetic platform takes over what people want its agents to be configured with, and says what it made of it.

Its agents have a model, a time after which a request is given up, a size of batches, a prompt cache and a cache of answers.
What each of them changes: `demo.world.tuning`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from demo.world.model import Value, WorldSpec
from demo.world.tuning import ANSWERS, CHAT_MODELS, USUAL, own

_WORDS = {"prompt_cache": ("on", "off"), "model": ("usual", *CHAT_MODELS)}
_BOUNDS = {"timeout_seconds": (1, 300), "batch_size": (1, 256)}
_LONGEST_TTL = 86400

_THERE = "SELECT to_regclass('analytics.configuration_observed') IS NOT NULL"
_TELL = """
INSERT INTO analytics.configuration_observed (agent, environment, setting, value)
VALUES (%(agent)s, %(environment)s, %(setting)s, %(value)s) ON CONFLICT DO NOTHING
"""
_PLACES = "SELECT DISTINCT a.name, d.environment FROM app.deployments d JOIN app.agents a ON a.id = d.agent_id"
_NEW = """
SELECT DISTINCT ON (agent, environment, setting) agent, environment, setting, d.version, d.value
FROM analytics.configuration_desired d JOIN analytics.configuration_observed o USING (agent, environment, setting)
WHERE d.version > o.version ORDER BY agent, environment, setting, d.version DESC
"""
_ANSWER = """
UPDATE analytics.configuration_observed
SET version = %(version)s, value = coalesce(%(value)s, value), state = %(state)s, said = %(said)s, at = now()
WHERE agent = %(agent)s AND environment = %(environment)s AND setting = %(setting)s
"""


class Wanted(NamedTuple):
    """A setting that was taken over."""

    agent: str
    environment: str
    setting: str
    value: Value


Record = Callable[[Sequence[Wanted]], None]
"""Lets settings hold from now on. It may be told the same twice."""


class Configuration:
    """What the agents of one database are configured with. `spec` is of the world that it follows."""

    def __init__(self, spec: WorldSpec, record: Record) -> None:
        self._told = False
        self._spec, self._record = spec, record

    def act(self, connection: psycopg.Connection[Any]) -> None:
        """Takes up what was asked since. A database without schema `analytics` asks nothing.

        What is taken over is recorded first and acknowledged then: killed in between, it is taken over once more.
        """
        row = connection.execute(_THERE).fetchone()
        if not (row and row[0]):
            return
        if not self._told:
            self._tell(connection)
            self._told = True
        taken, answers = [], []
        for agent, environment, setting, version, value in connection.execute(_NEW).fetchall():
            wanted = _shown(setting, own(self._spec, agent, environment, setting)) if value is None else value
            problem = _problem(setting, wanted)
            if not problem:
                taken.append(Wanted(agent, environment, setting, wanted["ttl_seconds"] if setting == ANSWERS else wanted))
            answers.append({
                "agent": agent, "environment": environment, "setting": setting, "version": version, "said": problem,
                "state": "refused" if problem else "applied", "value": None if problem else Jsonb(wanted),
            })  # fmt: skip
        if taken:
            self._record(taken)
        for answer in answers:
            connection.execute(_ANSWER, answer)

    def _tell(self, connection: psycopg.Connection[Any]) -> None:
        """Says what the platform has by itself, where it has not been said before."""
        places = connection.execute(_PLACES).fetchall()
        rows = [
            {"agent": agent, "environment": environment, "setting": setting,
             "value": Jsonb(_shown(setting, own(self._spec, agent, environment, setting)))}
            for agent, environment in places for setting in USUAL
        ]  # fmt: skip
        with connection.cursor() as cursor:
            cursor.executemany(_TELL, rows)


def _shown(setting: str, value: Value) -> Any:
    """A value as people are told it."""
    return {"ttl_seconds": value, "invalidate_on": []} if setting == ANSWERS else value


def _problem(setting: str, value: Any) -> str:
    """Why a value cannot be taken over, in words; empty where it can."""
    if setting == ANSWERS:
        ttl = value.get("ttl_seconds") if isinstance(value, dict) else None
        fits = isinstance(ttl, int) and 0 <= ttl <= _LONGEST_TTL
        return "" if fits else f"answers are kept for 0 to {_LONGEST_TTL} seconds"
    if setting in _WORDS:
        return "" if value in _WORDS[setting] else f"{setting} is one of {', '.join(_WORDS[setting])}"
    least, most = _BOUNDS[setting]
    fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    return "" if fits else f"{setting} is a number from {least} to {most}"
