"""Which collectors the exporter runs: the one place where a new one is plugged in."""

from __future__ import annotations

from contract.settings import Settings
from exporters.credentials import Credentials
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.request_budget import RequestBudget
from exporters.langfuse.windows import WindowsCollector
from exporters.postgres import PostgresCollector
from exporters.scheduler import Collector


def collectors(settings: Settings, credentials: Credentials) -> tuple[Collector, ...]:
    """The collectors of one configuration, none of them running. All together open at most two connections to PostgreSQL.

    Secrets are asked for whenever a connection is made, so none of them is needed here.
    """
    client = LangfuseClient(credentials.langfuse, RequestBudget(settings.sources.langfuse.plan))
    return (PostgresCollector(settings, credentials.postgres_dsn), WindowsCollector(settings, client))
