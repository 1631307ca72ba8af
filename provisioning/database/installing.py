"""One installation of schema `analytics`: what the exporter's rooms can do, put together."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Passwords
from dataclasses import dataclass
from typing import Any

import psycopg

from contract.settings import Settings
from exporters.database import installation
from exporters.database.installation import Captures, Plan
from exporters.database.mapping import Mapping
from provisioning.database import capturing
from provisioning.database.capturing import Decision
from provisioning.database.rollup_views import rollup_queries


@dataclass(frozen=True)
class Installation:
    """What is to be done, and how each source will be counted."""

    plan: Plan
    mapping: Mapping
    decided: tuple[Decision, ...]


def prepared(connection: psycopg.Connection[Any], settings: Settings, logins: Passwords[str, str]) -> Installation:
    """Works out what is missing; `logins` are passwords by role. Raises what `installation.plan` raises."""
    decided: list[Decision] = []

    def captured(connection: psycopg.Connection[Any], mapping: Mapping) -> Captures:
        found, impossible = capturing.decisions(connection, mapping, settings)
        decided.extend(found)
        return capturing.captures(connection, mapping, decided, impossible)

    plan = installation.plan(connection, settings, logins, captured, rollup_queries())
    return Installation(plan, Mapping.of(settings), tuple(decided))


def carry_out(connection: psycopg.Connection[Any], todo: Installation, say: Callable[[str], None]) -> None:
    """Does what is missing and begins to count; `say` hears each thing that was done."""
    installation.install(connection, todo.plan, say)
    for source, mode in capturing.begin(connection, todo.mapping, todo.decided):
        say(f"begin to count {source} by {mode}")
    for source in capturing.renew(connection, todo.mapping, todo.decided):
        say(f"renew what counts {source}")
