"""Langfuse's price list, asked for once a day, behind the configuration's own prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from contract.data_plane import Price
from exporters.journal import QueryFailed
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.prices import PriceList, configured, listed

_FRESH_SECONDS, _AGAIN_SECONDS = 86400.0, 3600.0
_MOST_PAGES = 50


class Prices:
    """The list in force. When Langfuse does not give it, the last one stays, and an hour passes before the next attempt."""

    def __init__(self, configuration: Iterable[Price]) -> None:
        self._own = configured(configuration)
        self._list = PriceList(self._own)
        self._due = float("-inf")

    def of(self, client: LangfuseClient, now: float) -> PriceList:
        """The prices as of `now` (seconds since the epoch). Raises SourceDown when Langfuse does not answer at all."""
        if now >= self._due:
            self._due = now + _AGAIN_SECONDS
            try:
                self._list = PriceList((*self._own, *listed(rows(client))))
                self._due = now + _FRESH_SECONDS
            except QueryFailed:
                pass
        return self._list


def rows(client: LangfuseClient) -> list[Mapping[str, Any]]:
    """All pages of the list. Raises QueryFailed or SourceDown."""
    found: list[Mapping[str, Any]] = []
    page = "1"
    for _ in range(_MOST_PAGES):
        some, page = client.models(int(page))
        found.extend(some)
        if not page:
            break
    return found
