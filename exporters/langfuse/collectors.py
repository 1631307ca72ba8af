"""Which collectors read Langfuse: with a ledger where one may be written, else by windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from exporters.credentials import CredentialError, Credentials
from exporters.database.mapping import Mapping
from exporters.database.sharing import SharedSession
from exporters.database.user_keys import UserKeyError, checked_key, pseudonym
from exporters.journal import SourceDown
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.cost import CostCollector
from exporters.langfuse.ledger_collector import LedgerCollector
from exporters.langfuse.request_budget import RequestBudget
from exporters.langfuse.windows import WindowsCollector
from exporters.logs import LOG, pairs
from exporters.scheduler import Collector

if TYPE_CHECKING:
    from contract.settings import Settings


def langfuse_collectors(
    settings: Settings, credentials: Credentials, writing: SharedSession | None, mapping: Mapping
) -> tuple[Collector, ...]:
    """The collectors of one configuration. `writing` is the connection that may write schema `analytics`, if there is one."""
    langfuse = settings.sources.langfuse
    client = LangfuseClient(credentials.langfuse, RequestBudget(langfuse.plan))
    if writing is not None and langfuse.mode != "metrics":
        pseudonyms = user_pseudonyms(credentials)
        return LedgerCollector(settings, client, writing.seat(), mapping, pseudonyms), CostCollector(settings, writing.seat())
    if langfuse.mode == "ledger":
        missing = "sources.postgres.advance_dsn_file or OBSERVATORY_POSTGRES_ADVANCE_DSN"
        problem = "a ledger needs a connection that may write; windows of Langfuse's aggregates are shown instead"
        LOG.warning("no ledger", extra=pairs(missing=missing, problem=problem))
    return (WindowsCollector(settings, client),)


def user_pseudonyms(credentials: Credentials) -> Callable[[str], str | None]:
    """What makes pseudonyms of users' names; without a key nothing is kept of them. The key is read when it is needed first."""
    keys: list[bytes | None] = []

    def user_key(name: str) -> str | None:
        if not keys:
            try:
                text = credentials.user_key()
                keys.append(None if text is None else checked_key(text))
            except (CredentialError, UserKeyError) as error:
                raise SourceDown(f"calls cannot be stored without their users' pseudonyms: {error}") from None
        key = keys[0]
        return None if key is None else pseudonym(key, name)

    return user_key
