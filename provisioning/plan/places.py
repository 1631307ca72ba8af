"""The parts of a document in people's words: which item of one list is which item of another, and what it is called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]


@dataclass(frozen=True)
class _Noun:
    """Items of a list. `identities`: fields that tell them apart, the first set of fields that does so is used.

    `names`: pairs of a field and the words around its value, for people; the first field that says something is used.
    """

    identities: tuple[tuple[str, ...], ...]
    names: tuple[tuple[str, str], ...]


_NAME = (("name",),)
_NOUNS: Mapping[str, _Noun] = {
    "panels": _Noun((("id",), ("title", "type")), (("title", "panel «{}»"), ("type", "panel of {}"))),
    "targets": _Noun((("refId",),), (("refId", "query {}"),)),
    "list": _Noun(_NAME, (("name", "«{}»"),)),
    "links": _Noun((("title",), ("title", "url")), (("title", "link «{}»"),)),
    "overrides": _Noun((("matcher",),), (("matcher", "override of {}"),)),
    "properties": _Noun((("id",),), (("id", "{}"),)),
    "transformations": _Noun((("id",), ("id", "options")), (("id", "transformation {}"),)),
    "groups": _Noun(_NAME, (("name", "group {}"),)),
    "rules": _Noun(
        (("alert", "record"), ("alert", "record", "labels"), ("uid",), ("title",)),
        (("alert", "alert {}"), ("record", "recorded series {}"), ("title", "alert {}")),
    ),
    "receivers": _Noun(_NAME, (("name", "receiver {}"),)),
    "routes": _Noun((("matchers",), ("matchers", "receiver"), ("object_matchers", "receiver")), (("matchers", "route {}"),)),
    "inhibit_rules": _Noun((("source_matchers", "target_matchers"),), (("source_matchers", "inhibition by {}"),)),
    "time_intervals": _Noun(_NAME, (("name", "times {}"),)),
    "mute_time_intervals": _Noun(_NAME, (("name", "times {}"),)),
    "permissions": _Noun((("role", "team", "user"),), (("role", "role {}"), ("team", "team {}"), ("user", "user {}"))),
    "items": _Noun((("role", "team", "user"), *_NAME), (("role", "role {}"), ("team", "team {}"), ("name", "{}"))),
    "scrape_configs": _Noun((("job_name",),), (("job_name", "job {}"),)),
    "containers": _Noun(_NAME, (("name", "container {}"),)),
    "env": _Noun(_NAME, (("name", "variable {}"),)),
}
_WORDS = {"expr": "query", "rawSql": "query", "for": "hold", "gridPos": "layout"}
"""What a key is called where its own name says little."""


def are_named(key: str) -> bool:
    """Whether the items of a list at this key have names, so that the key itself need not be told."""
    return key in _NOUNS


def identities(key: str, before: Sequence[Any], after: Sequence[Any]) -> tuple[list[str], list[str]] | None:
    """What each item of the two lists at `key` is known by; None when nothing tells the items of both lists apart."""
    noun = _NOUNS.get(key)
    if noun is None or not all(isinstance(item, Mapping) for item in (*before, *after)):
        return None
    for fields in noun.identities:
        found = [
            [json.dumps([item.get(field) for field in fields], sort_keys=True) for item in side] for side in (before, after)
        ]
        if all(len(set(side)) == len(side) for side in found):
            return found[0], found[1]
    return None


def item_name(key: str, item: Item) -> str:
    """`panel «Error ratio»`, `query B`, `alert AgentErrors`."""
    if key == "panels" and item.get("type") == "row":
        return f"row «{item.get('title', '')}»"
    for field, words in _NOUNS[key].names:
        if value := item.get(field):
            return words.format(_said(value))
    return f"an item of {key}"


def _said(value: Any) -> str:
    if isinstance(value, Mapping):  # what Grafana's overrides match by
        value = value.get("options", "")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def key_name(key: str) -> str:
    return _WORDS.get(key, key)
