"""Whether the variables and files that secrets come from are there. What they hold is never said."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from contract.settings import Settings
from exporters.credentials import CredentialError, Credentials
from provisioning.findings import Finding, closest, error, warning
from provisioning.secrets import PANEL_PASSWORD_VARIABLE

_CHECK = "doctor/environment"
KNOWN = frozenset(
    {
        "LANGFUSE_BASE_URL", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "OBSERVATORY_ACTOR", "OBSERVATORY_ALERTMANAGER",
        "OBSERVATORY_AMTOOL", "OBSERVATORY_CALLED", "OBSERVATORY_CONFIG",
        "OBSERVATORY_GRAFANA_ADMINISTRATION_PASSWORD", "OBSERVATORY_GRAFANA_POSTGRES_PASSWORD",
        "OBSERVATORY_GRAFANA_TOKEN", "OBSERVATORY_GRAFANA_URL", "OBSERVATORY_OVERLAY", "OBSERVATORY_PGBOUNCER",
        "OBSERVATORY_POSTGRES_ACTIONS_DSN", "OBSERVATORY_POSTGRES_ADMIN_DSN", "OBSERVATORY_POSTGRES_ADVANCE_DSN",
        "OBSERVATORY_POSTGRES_DSN", "OBSERVATORY_PROMETHEUS", "OBSERVATORY_PROMTOOL", "OBSERVATORY_STACK", "OBSERVATORY_TOOLS",
        "OBSERVATORY_USER_KEY",
    }
)  # fmt: skip
"""Variables that something here reads."""


def troubles(settings: Settings) -> Iterator[Finding]:
    """Secrets that are missing, half given or empty, and variables that nobody reads."""
    secrets = Credentials(settings)
    needed = "the exporter does not start, and doctor looks at the database with the login of Grafana"
    yield from _read(secrets.postgres_dsn, "OBSERVATORY_POSTGRES_DSN", needed)
    yield from _optional(
        secrets.advance_dsn, "OBSERVATORY_POSTGRES_ADVANCE_DSN or sources.postgres.advance_dsn_file",
        "the exporter only reads: no exact counters, no ledger of model calls (`observatory db install`, docs/database.md)",
    )  # fmt: skip
    yield from _optional(
        secrets.user_key, "OBSERVATORY_USER_KEY or database.user_key_file",
        "there are no pseudonyms, so panels about single users stay empty (`openssl rand -hex 32` makes a key)",
    )  # fmt: skip
    langfuse = settings.sources.langfuse
    keys = [os.environ.get("LANGFUSE_PUBLIC_KEY") or langfuse.public_key_file]
    keys += [os.environ.get("LANGFUSE_SECRET_KEY") or langfuse.secret_key_file]
    if any(keys):
        yield from _read(secrets.langfuse, "LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY", "nothing is read from Langfuse")
    else:
        yield warning(
            "LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY",
            "no keys: cost and model calls stay empty",
            "set both, or sources.langfuse.public_key_file and secret_key_file: docs/langfuse.md",
            _CHECK,
        )
    yield from _set_but_empty()
    yield from _unknown()


def _read(secret: Callable[[], object], variable: str, without: str) -> Iterator[Finding]:
    try:
        secret()
    except CredentialError as problem:
        yield error(variable, f"{problem}; until then {without}", "", _CHECK)


def _optional(secret: Callable[[], str | None], place: str, without: str) -> Iterator[Finding]:
    try:
        if secret() is None:
            yield warning(place, "is not set", without, _CHECK)
    except CredentialError as problem:
        yield error(place, str(problem), without, _CHECK)


def _set_but_empty() -> Iterator[Finding]:
    for name in sorted(KNOWN | {PANEL_PASSWORD_VARIABLE}):
        if name in os.environ and not os.environ[name].strip():
            yield warning(name, "is set, but empty, and counts as not set", f"give it a value, or `unset {name}`", _CHECK)


def _unknown() -> Iterator[Finding]:
    for name in sorted(os.environ):
        if name.startswith("OBSERVATORY_") and name not in KNOWN and (near := closest(name, KNOWN)):
            yield warning(name, "is a variable that nothing here reads", near, _CHECK)
