"""Installing in tests as the command does, without its words."""

from __future__ import annotations

from typing import Any

import psycopg

from contract.data_plane import Database
from contract.settings import Settings
from exporters.database import installation
from exporters.database.mapping import Mapping
from provisioning.database import capturing
from provisioning.database.rollup_views import rollup_queries

Connection = psycopg.Connection[Any]


def settings_of(**database: Any) -> Settings:
    return Settings(database=Database(**database))


def plan_of(connection: Connection, settings: Settings, logins: dict[str, str] | None = None) -> installation.Plan:
    def captured(connection: Connection, mapping: Mapping) -> installation.Captures:
        return capturing.captures(mapping, capturing.decisions(connection, mapping, settings))

    return installation.plan(connection, settings, logins or {}, captured, rollup_queries())


def install(connection: Connection, settings: Settings) -> installation.Plan:
    """Installs everything and begins to count; gives the plan that was carried out."""
    todo = plan_of(connection, settings)
    installation.install(connection, todo, lambda _: None)
    mapping = Mapping.of(settings)
    capturing.begin(connection, mapping, capturing.decisions(connection, mapping, settings))
    return todo
