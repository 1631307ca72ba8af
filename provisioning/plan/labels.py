"""What a change means to people: one word for each difference, by the kind of object and the place in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum


class Label(IntEnum):
    """From what nobody needs to look at, to what cannot be had back."""

    COSMETIC = 0
    QUERY = 1
    """Other figures are computed or shown."""
    THRESHOLD = 2
    """Alerts begin or end elsewhere, or colours do."""
    ROUTING = 3
    """Other people are told, or may look."""
    DESTRUCTIVE = 4
    """Something that people had is no longer there."""

    def __str__(self) -> str:
        return self.name.lower()


def weightiest(labels: Iterable[Label]) -> Label:
    return max(labels, default=Label.COSMETIC)


_KINDS: tuple[tuple[str, Label, Label], ...] = (
    # a word in the kind's name; the label of a new one; the label of a change in it that nothing below knows better
    (r"template", Label.COSMETIC, Label.COSMETIC),
    (r"permission|team", Label.ROUTING, Label.ROUTING),
    (r"alertmanager|rout|receiver|contact|polic|notification|mute|time interval", Label.ROUTING, Label.ROUTING),
    (r"alert", Label.ROUTING, Label.QUERY),
    (r"folder", Label.COSMETIC, Label.COSMETIC),
    (r"dashboard", Label.QUERY, Label.COSMETIC),
)
_OF_RULES = re.compile(r"alert|rule", re.IGNORECASE)
_THRESHOLD_KEYS = {"thresholds", "for", "keep_firing_for", "keepFiringFor"}
_QUERY_KEYS = {
    "expr", "rawSql", "query", "definition", "targets", "datasource", "transformations", "record", "regex", "timeFrom",
}  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")
_TRIFLES = {"links", "tags", "list"}
"""Lists whose items may go without anybody missing a figure or a message."""


def of_new(kind: str) -> Label:
    """The label of a whole object that is created."""
    return next((new for word, new, _ in _KINDS if re.search(word, kind, re.IGNORECASE)), Label.QUERY)


def of_item(kind: str, keys: tuple[str, ...], added: bool) -> Label:
    """The label of a named part that comes or goes: a panel, a rule, a receiver. `keys` lead to the list that holds it."""
    if keys[-1] in _TRIFLES:
        return Label.COSMETIC
    if not added:
        return Label.DESTRUCTIVE
    if keys[-1] == "panels":
        return Label.QUERY
    return weightiest((of_new(kind), of_place(kind, keys)))


def of_place(kind: str, keys: tuple[str, ...], before: str = "", after: str = "") -> Label:
    """The label of a changed value. `keys` lead to it, list positions left out."""
    rules = bool(_OF_RULES.search(kind))
    if "thresholds" in keys or (rules and keys[-1] in _THRESHOLD_KEYS):
        return Label.THRESHOLD
    if rules and keys[-1] == "expr" and before and _NUMBER.sub("0", before) == _NUMBER.sub("0", after):
        return Label.THRESHOLD
    if rules and "annotations" in keys:
        return Label.COSMETIC
    if rules and "labels" in keys:
        return Label.ROUTING
    if _QUERY_KEYS & set(keys):
        return Label.QUERY
    return next((other for word, _, other in _KINDS if re.search(word, kind, re.IGNORECASE)), Label.QUERY)
