"""Which collectors the exporter runs: the one place where a new one is plugged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.durations import duration_seconds
from exporters.business.collectors import business_collectors
from exporters.credentials import CredentialError, Credentials
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from exporters.langfuse.collectors import langfuse_collectors
from exporters.outlook.collector import OutlookCollector
from exporters.scheduler import Collector

if TYPE_CHECKING:
    from contract.settings import Settings


def collectors(settings: Settings, credentials: Credentials) -> tuple[Collector, ...]:
    """The collectors of one configuration, none of them running. All together open at most two connections to PostgreSQL.

    Secrets are asked for whenever a connection is made, so none of them is needed here.
    """
    mapping, timeout = Mapping.of(settings), duration_seconds(settings.exporter.query_timeout)
    reading = SharedSession(Session(credentials.postgres_dsn, timeout), patience=timeout)
    writing = _writing(settings, credentials)
    outlook = () if writing is None else (OutlookCollector(settings, mapping, reading.seat(), writing.seat()),)
    return (
        *business_collectors(settings, mapping, reading, writing, credentials.user_key),
        *langfuse_collectors(settings, credentials, writing, mapping),
        *outlook,
    )


def _writing(settings: Settings, credentials: Credentials) -> SharedSession | None:
    """The connection that may write schema `analytics`, where the configuration names one; it is not opened yet."""

    def dsn() -> str:
        found = credentials.advance_dsn()
        if found is None:
            raise CredentialError("the connection string for schema analytics is gone; it was there when the exporter began")
        return found

    try:
        if credentials.advance_dsn() is None:
            return None
    except CredentialError:
        pass  # named, but not to be read now: whoever opens the connection says so
    timeout = duration_seconds(settings.exporter.query_timeout)
    return SharedSession(Session(dsn, timeout, read_only=False), patience=timeout)
