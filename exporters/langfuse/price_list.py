"""Langfuse's price list, asked for once a day, behind the configuration's own prices; and what of it the database keeps."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exporters.database.sessions import Connection
from exporters.journal import QueryFailed
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.prices import MILLION, ListedPrice, PriceList, configured, listed
from exporters.timing import due

if TYPE_CHECKING:
    from contract.data_plane import Price

_FRESH_SECONDS, _AGAIN_SECONDS = 86400.0, 3600.0
_MOST_PAGES = 50


class Prices:
    """The list in force. When Langfuse does not give it, the last one stays, and an hour passes before the next attempt."""

    def __init__(self, configuration: Iterable[Price]) -> None:
        self._own = configured(configuration)
        self._list = PriceList(self._own)
        self._asked, self._pause = float("-inf"), 0.0
        self.from_langfuse: tuple[ListedPrice, ...] = ()

    def of(self, client: LangfuseClient, now: float) -> PriceList:
        """The prices as of `now` (seconds since the epoch). Raises SourceDown when Langfuse does not answer at all."""
        if due(self._asked, self._pause, now):
            self._asked, self._pause = now, _AGAIN_SECONDS
            try:
                self.from_langfuse = listed(rows(client))
                self._list = PriceList((*self._own, *self.from_langfuse))
                self._pause = _FRESH_SECONDS
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


def store_prices(connection: Connection, prices: Iterable[ListedPrice]) -> None:
    """Writes the list that is in force: prices that ended get their end, new ones begin."""
    rows = {
        (price.names.pattern, key): Decimal(repr(usd)) * MILLION
        for price in reversed(list(prices))
        for key, usd in price.usd.items()
    }
    listed_now = [list(column) for column in zip(*((*key, usd) for key, usd in rows.items()), strict=True)] or [[], [], []]
    connection.execute(
        "WITH listed AS (SELECT * FROM unnest(%s::text[], %s::text[], %s::numeric[]) AS l (pattern, kind, usd)),"
        " ended AS (UPDATE analytics.model_prices AS p SET valid_to = now() WHERE valid_to IS NULL AND NOT EXISTS (SELECT"
        "  FROM listed WHERE pattern = p.model_pattern AND kind = p.usage_type AND usd = p.usd_per_million))"
        " INSERT INTO analytics.model_prices (model_pattern, usage_type, usd_per_million) SELECT pattern, kind, usd FROM listed"
        " WHERE NOT EXISTS (SELECT FROM analytics.model_prices AS p WHERE p.valid_to IS NULL AND p.model_pattern = pattern"
        "  AND p.usage_type = kind AND p.usd_per_million = usd)",
        listed_now,
    )


def stored_prices(connection: Connection) -> tuple[ListedPrice, ...]:
    """The prices that are in force."""
    query = (
        "SELECT model_pattern, usage_type, (usd_per_million / 1000000)::float8 FROM analytics.model_prices"
        " WHERE valid_to IS NULL ORDER BY 1, 2"
    )
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for pattern, kind, usd in connection.execute(query):
        found[pattern][kind] = usd
    return tuple(ListedPrice(re.compile(pattern), usd) for pattern, usd in found.items())
