"""Whether the four sources answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
import requests
from psycopg.conninfo import conninfo_to_dict

from contract.settings import Settings
from provisioning import secrets
from provisioning.deadline import within
from provisioning.doctor.answers import SourceHealth
from provisioning.doctor.postgres import Postgres
from provisioning.doctor.prometheus import TIMEOUT, Prometheus, QueryError
from provisioning.findings import InputError, Unreachable

Ask = Callable[[], str]


def postgres_of(settings: Settings) -> tuple[Postgres, Postgres | None]:
    """The database as the panels reach it, and as the exporter does where that is known to be another way.

    The panels' way is Grafana's login when its password is given, else the exporter's connection string.
    """
    exporters = secrets.exporter_dsn(settings)
    if not settings.sources.postgres.password_file:
        return _postgres(exporters or secrets.panel_dsn(settings)), None
    panels = secrets.panel_dsn(settings)
    if not exporters or _parts(exporters) == _parts(panels):
        return _postgres(panels), None
    return _postgres(panels, "PostgreSQL (Grafana)"), _postgres(exporters, "PostgreSQL (exporter)")


def administration_of(settings: Settings) -> Postgres | None:
    """The database as the panels of the folder Administration reach it, where they have a login of their own."""
    dsn = secrets.administration_dsn(settings)
    return _postgres(dsn, "PostgreSQL (administration)") if dsn else None


def _parts(dsn: str) -> dict[str, str]:
    try:
        return {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.ProgrammingError:
        raise InputError("error: the connection string of PostgreSQL cannot be read") from None


def _postgres(dsn: str, name: str = "PostgreSQL") -> Postgres:
    parts = _parts(dsn)
    host, port = parts.get("host") or "localhost", parts.get("port") or "5432"
    return Postgres(dsn, f"{parts.get('user', '')}@{host}:{port}/{parts.get('dbname', '')}", name)


def health(name: str, address: str, ask: Ask) -> SourceHealth:
    """Asks one source, and times it."""
    began = time.monotonic()
    try:
        message, reachable = within(name, ask), True
    except (Unreachable, InputError, QueryError) as problem:
        message, reachable = str(problem), False
    return SourceHealth(name, address, reachable, message, round(1000 * (time.monotonic() - began)))


def prometheus_health(prometheus: Prometheus) -> SourceHealth:
    return health("Prometheus", prometheus.url, lambda: f"version {prometheus.ready()}")


def postgres_health(postgres: Postgres) -> SourceHealth:
    return health(postgres.name, postgres.address, lambda: f"version {postgres.ready()}")


def alertmanager_health(settings: Settings) -> SourceHealth:
    url = settings.sources.alertmanager.url

    def ask() -> str:
        body = _json("Alertmanager", f"{url}/api/v2/status", None)
        return f"version {body.get('versionInfo', {}).get('version', '')}"

    return health("Alertmanager", url, ask)


def langfuse_health(settings: Settings) -> SourceHealth:
    """Health without keys, then who the keys belong to. Without any key Langfuse is left alone."""
    try:
        access = secrets.langfuse_credentials(settings)
    except InputError as problem:
        return SourceHealth("Langfuse", settings.sources.langfuse.base_url, False, str(problem))
    if access is None:
        return SourceHealth("Langfuse", settings.sources.langfuse.base_url, None, "no keys given")

    def ask() -> str:
        version = _json("Langfuse", f"{access.base_url}/api/public/health", None).get("version", "")
        keys = (access.public_key, access.secret_key)
        projects = _json("Langfuse", f"{access.base_url}/api/public/projects", keys).get("data", [])
        names = ", ".join(str(project.get("name")) for project in projects if isinstance(project, dict))
        return f"version {version}, project {names}"

    return health("Langfuse", access.base_url, ask)


def _json(name: str, url: str, keys: tuple[str, str] | None) -> dict[str, Any]:
    try:
        response = requests.get(url, auth=keys, timeout=TIMEOUT)
    except requests.Timeout:
        raise Unreachable(f"{name} does not answer in time") from None
    except requests.RequestException:
        raise Unreachable(f"{name} cannot be reached; is it running, is the address right?") from None
    if response.status_code in (401, 403):
        raise Unreachable(f"{name} refuses the keys ({response.status_code})")
    try:
        body = response.json()
    except ValueError:
        body = None
    if not response.ok or not isinstance(body, dict):
        raise Unreachable(f"{name} answers {response.status_code}, but not as expected")
    return body
