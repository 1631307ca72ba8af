"""`observatory exporter backfill`: the folder, the connection, and what is said when one of them is not to be had."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg

from contract.settings import Settings
from exporters.credentials import CredentialError, Credentials
from exporters.database.sessions import DatabaseDown, NoAddress, one_line
from exporters.history.backfill import NoHistory, Written, backfill
from exporters.redaction import without_secrets
from provisioning.files import naming
from provisioning.findings import InputError, Unreachable


def write(settings: Settings, days: int, out: Path) -> Written:
    """Writes the files of the last `days` days into `out`. Raises InputError and Unreachable."""
    if out.exists() and any(out.iterdir()):
        raise InputError(f"error: {out} is not empty; name a new folder, so that no older file is taken for history")
    try:
        dsn = Credentials(settings).postgres_dsn()
    except CredentialError as problem:
        raise InputError(f"error: {problem}") from None
    out.mkdir(parents=True, exist_ok=True)
    try:
        with naming(out):
            return backfill(settings, dsn, days, out, time.time())
    except NoHistory as problem:
        raise InputError(f"error: {problem}") from None
    except NoAddress as problem:
        raise InputError(f"error: {without_secrets(str(problem), dsn)}") from None
    except DatabaseDown as problem:
        raise Unreachable(f"error: {without_secrets(str(problem), dsn)}") from None
    except psycopg.Error as problem:
        raise InputError(f"error: the roll-ups cannot be read: {without_secrets(one_line(problem), dsn)}") from None
