"""Installing in tests as the command does, without its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from contract.data_plane import Database
from contract.settings import Settings
from exporters.database.installation import Plan
from provisioning.database.installing import carry_out, prepared

Connection = psycopg.Connection[Any]
InstalledWith = Callable[[Settings], Connection]


def settings_of(**database: Any) -> Settings:
    return Settings(database=Database(**database))


def plan_of(connection: Connection, settings: Settings) -> Plan:
    return prepared(connection, settings, {}).plan


def install(connection: Connection, settings: Settings) -> Plan:
    """Installs everything and begins to count; gives the plan that was carried out."""
    todo = prepared(connection, settings, {})
    carry_out(connection, todo, lambda _: None)
    return todo.plan
