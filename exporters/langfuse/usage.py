"""Kinds of tokens: what Langfuse's keys of usage mean in the contract's words.

Clients choose the keys. Langfuse's own rule decides the two sides: a key with the word `input` or `output` in it belongs to
that side. Cached and reasoning tokens are parts of a side, and never add to it.
"""

from __future__ import annotations

from collections.abc import Mapping

TOKEN_TYPES = ("input", "output", "cache_read", "cache_write", "reasoning")
"""The contract's kinds of tokens, in the order in which the ledger keeps them."""

TOTAL = "total"


def types_of(key: str) -> tuple[str, ...]:
    """The contract's kinds that a key of usage belongs to; `total` and unknown keys to none.

    >>> types_of("input_cached_tokens"), types_of("input_cache_creation_5m"), types_of("output")
    (('input', 'cache_read'), ('input', 'cache_write'), ('output',))
    """
    word = key.lower()
    if word == TOTAL:
        return ()
    found = [side for side in ("input", "output") if side in word]
    if "cache" in word:
        found.append("cache_write" if "creation" in word or "write" in word else "cache_read")
    if "reasoning" in word:
        found.append("reasoning")
    return tuple(found)


def tokens_by_type(usage: Mapping[str, float]) -> dict[str, int]:
    """Tokens of each of `TOKEN_TYPES`."""
    found = dict.fromkeys(TOKEN_TYPES, 0)
    for key, tokens in usage.items():
        for type_ in types_of(key):
            found[type_] += round(tokens)
    return found


def total_tokens(usage: Mapping[str, float]) -> int:
    """The total that was sent, else the sum of all keys."""
    return round(usage[TOTAL] if TOTAL in usage else sum(usage.values()))
