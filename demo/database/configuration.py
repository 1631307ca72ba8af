"""The synthetic platform takes over what people want its agents to be configured with, and says what it made of it.

Its agents have a model, a time after which a request is given up, a size of batches, a prompt cache and a cache of answers. Of
these only the last changes what happens: the longer answers are kept, the more of them are found again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from demo.world.catalogue import AGENT, MODEL

CACHE = "cache.response"
KEPT_SECONDS = 600
DEFAULTS: dict[str, Any] = {
    "model": "usual", "timeout_seconds": 30, "batch_size": 8, "prompt_cache": "on",
    CACHE: {"ttl_seconds": KEPT_SECONDS, "invalidate_on": []},
}  # fmt: skip
_WORDS = {"prompt_cache": ("on", "off"), "model": ("usual", *MODEL)}
_BOUNDS = {"timeout_seconds": (1, 300), "batch_size": (1, 256)}
_LONGEST_TTL = 86400
MISSED = 0.15
"""Part of the lookups of answers that find nothing, when all are kept as long as by default."""

_THERE = "SELECT to_regclass('analytics.configuration_observed') IS NOT NULL"
_TELL = """
INSERT INTO analytics.configuration_observed (agent, environment, setting, value)
SELECT DISTINCT a.name, d.environment, s.setting, s.value
FROM app.deployments d JOIN app.agents a ON a.id = d.agent_id
     CROSS JOIN unnest(%(settings)s::text[], %(values)s::jsonb[]) AS s (setting, value)
ON CONFLICT DO NOTHING
"""
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
_KEPT = "SELECT environment, agent, (value->>'ttl_seconds')::float8 FROM analytics.configuration_observed WHERE setting = %s"


class Configuration:
    """What the agents of one database are configured with."""

    def __init__(self) -> None:
        self._told = False
        self.missed: Mapping[str, float] = {}
        """By environment, the part of the lookups of answers that find nothing, where it is not the usual one."""

    def act(self, connection: psycopg.Connection[Any]) -> None:
        """Takes up what was asked since. A database without schema `analytics` asks nothing."""
        row = connection.execute(_THERE).fetchone()
        if not (row and row[0]):
            return
        if not self._told:
            values = [Jsonb(value) for value in DEFAULTS.values()]
            connection.execute(_TELL, {"settings": list(DEFAULTS), "values": values})
        asked = connection.execute(_NEW).fetchall()
        for agent, environment, setting, version, value in asked:
            wanted = DEFAULTS[setting] if value is None else value
            problem = _problem(setting, wanted)
            answer = {
                "agent": agent, "environment": environment, "setting": setting, "version": version, "said": problem,
                "state": "refused" if problem else "applied", "value": None if problem else Jsonb(wanted),
            }  # fmt: skip
            connection.execute(_ANSWER, answer)
        if asked or not self._told:
            self.missed = _missed(connection.execute(_KEPT, (CACHE,)).fetchall())
        self._told = True


def _problem(setting: str, value: Any) -> str:
    """Why a value cannot be taken over, in words; empty where it can."""
    if setting == CACHE:
        ttl = value.get("ttl_seconds") if isinstance(value, dict) else None
        fits = isinstance(ttl, int) and 0 <= ttl <= _LONGEST_TTL
        return "" if fits else f"answers are kept for 0 to {_LONGEST_TTL} seconds"
    if setting in _WORDS:
        return "" if value in _WORDS[setting] else f"{setting} is one of {', '.join(_WORDS[setting])}"
    least, most = _BOUNDS[setting]
    fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    return "" if fits else f"{setting} is a number from {least} to {most}"


def _missed(kept: list[tuple[str, str, float]]) -> dict[str, float]:
    """Agents ask for answers as often as they are asked. The same question comes again after times that are exponential."""
    again = KEPT_SECONDS * MISSED / (1 - MISSED)
    found: dict[str, float] = {}
    for environment in {environment for environment, _, _ in kept}:
        ttls = {agent: ttl for place, agent, ttl in kept if place == environment and agent in AGENT}
        if any(ttl != KEPT_SECONDS for ttl in ttls.values()):
            weights = sum(AGENT[agent].weight for agent in ttls)
            found[environment] = sum(AGENT[agent].weight * again / (again + ttl) for agent, ttl in ttls.items()) / weights
    return found
