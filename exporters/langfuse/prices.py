"""What model calls cost that Langfuse has no price for, and what prompt caches saved.

Prices are USD for one token, by kind of usage as Langfuse names it (`input`, `input_cached_tokens` …). The configuration's own
prices come first, each from its day on; then Langfuse's list, whatever the day, because a price may have been added after
the call.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from exporters.langfuse.usage import TOTAL, types_of

if TYPE_CHECKING:
    from contract.data_plane import Price

MILLION = 1_000_000
_ALWAYS = datetime.min.replace(tzinfo=UTC)
_LONGEST_PATTERN, _MOST_REMEMBERED = 500, 10_000


class Cost(NamedTuple):
    """USD of one call; `source` is `recorded` by Langfuse or `priced` here."""

    input: float
    output: float
    total: float
    source: str


@dataclass(frozen=True)
class ListedPrice:
    """A model of a price list: which names it is for, USD per token by kind of usage, and since when."""

    names: re.Pattern[str]
    usd: Mapping[str, float]
    since: datetime = _ALWAYS

    def of(self, key: str) -> float | None:
        """The price of one token of a kind of usage: its own, else that of the same kind, else that of its side."""
        if key in self.usd:
            return self.usd[key]
        kinds = types_of(key)
        for wanted in reversed(kinds):
            for other, usd in sorted(self.usd.items()):
                if types_of(other)[-1:] == (wanted,):
                    return usd
        return None


def configured(prices: Iterable[Price]) -> tuple[ListedPrice, ...]:
    """The configuration's prices. Without a price of its own, what a cache gave costs as much as other input."""
    found = []
    for price in prices:
        per_million = {
            "input": price.input,
            "output": price.output,
            "input_cache_read": price.cache_read,
            "input_cache_creation": price.cache_write,
        }
        usd = {key: usd / MILLION for key, usd in per_million.items() if usd is not None}
        since = datetime.fromisoformat(price.since).replace(tzinfo=UTC) if price.since else _ALWAYS
        found.append(ListedPrice(re.compile(fnmatch.translate(price.model), re.IGNORECASE), usd, since))
    return tuple(found)


def listed(rows: Iterable[Mapping[str, Any]]) -> tuple[ListedPrice, ...]:
    """Langfuse's price list. Rows without a price, or with a pattern that Python cannot read, are left out."""
    found = []
    for row in rows:
        usd = {key: amount for key, amount in _prices(row).items() if amount is not None}
        pattern = str(row.get("matchPattern") or re.escape(str(row.get("modelName"))))
        if not usd or len(pattern) > _LONGEST_PATTERN:
            continue
        try:
            found.append(ListedPrice(re.compile(pattern), usd))
        except re.error:
            continue
    return tuple(found)


def _prices(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Of each kind of usage; the newer map, or the three older fields."""
    prices = row.get("prices")
    if isinstance(prices, Mapping) and prices:
        return {str(key): _usd(price.get("price") if isinstance(price, Mapping) else price) for key, price in prices.items()}
    return {key: _usd(row.get(f"{key}Price")) for key in ("input", "output", TOTAL)}


def _usd(value: Any) -> float | None:
    try:
        amount = float(value)
    except (TypeError, ValueError):
        return None
    return amount if 0 <= amount < 1 else None


class PriceList:
    """Prices in the order in which they count."""

    def __init__(self, prices: Iterable[ListedPrice] = ()) -> None:
        self._prices = tuple(prices)
        self._found: dict[str, tuple[ListedPrice, ...]] = {}

    def of(self, model: str, at: datetime) -> ListedPrice | None:
        """The price of a model at a time; the first in force whose names it matches wholly."""
        if model not in self._found:
            if len(self._found) >= _MOST_REMEMBERED:  # names are the clients' own
                self._found.clear()
            self._found[model] = tuple(price for price in self._prices if price.names.fullmatch(model))
        return next((price for price in self._found[model] if price.since <= at), None)

    def cost(self, model: str, usage: Mapping[str, float], at: datetime) -> Cost | None:
        """What the tokens of a call at a time cost; None without a price, or when nothing that was used has one."""
        price = self.of(model, at)
        if price is None:
            return None
        sides, total, priced = {"input": 0.0, "output": 0.0}, 0.0, False
        for key, tokens in usage.items():
            usd = price.of(key) if key != TOTAL else None
            if usd is None:
                continue
            priced = True
            total += tokens * usd
            for side in types_of(key)[:1]:
                sides[side] += tokens * usd
        if not priced and TOTAL in usage and (usd := price.usd.get(TOTAL)) is not None:
            priced, total = True, usage[TOTAL] * usd
        return Cost(sides["input"], sides["output"], total, "priced") if priced else None

    def saved_per_cached_token(self, model: str, at: datetime) -> float:
        """USD less than other input that a token from a cache costs at a time; 0 where either price is unknown."""
        price = self.of(model, at)
        if price is None or (plain := price.usd.get("input")) is None:
            return 0.0
        cached = next((usd for key, usd in sorted(price.usd.items()) if "cache_read" in types_of(key)), None)
        return max(0.0, plain - cached) if cached is not None else 0.0
