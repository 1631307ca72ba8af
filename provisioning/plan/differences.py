"""What differs between two documents, path by path, in words. Parts of a document are told by name, not by position."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from provisioning.plan import labels, places
from provisioning.plan.labels import Label
from provisioning.plan.objects import Document, same, why_unreadable

HIDDEN = "(hidden)"
_SHORT = 60
_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|secure|token|credential|api_?key|routing_key|service_key|user_key|authorization|"
    r"httpheadervalue|slack_api_url|(api|webhook)_?url",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+(?=@)|(?<=Bearer )\S+")
_THRESHOLDS = "thresholds"
_WHOLE = {_THRESHOLDS, "gridPos", "matchers"}
"""Keys whose values are told as one."""
_SAID = {(("targets",), "query"), (("properties",), "value")}
"""Lists and keys of their items that the item's name says already."""
_ABSENT: Any = object()
What = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class Difference:
    """`place` as people say it. `before` and `after` are the values where they are single ones, never secrets."""

    label: Label
    place: str
    what: What
    before: str = ""
    after: str = ""

    @property
    def short(self) -> bool:
        """Whether both values fit into the line that tells the difference."""
        return "\n" not in self.before + self.after and len(self.before) <= _SHORT and len(self.after) <= _SHORT

    def __str__(self) -> str:
        if self.before and self.after and self.short:
            return f"{self.place}: {self.after} instead of {self.before}"
        value = self.before or self.after
        return f"{self.place} {self.what}{f': {value}' if value and self.short and self.what != 'changed' else ''}"


def differences(kind: str, before: Document, after: Document) -> tuple[Difference, ...]:
    """Everything that changes when a document of this kind becomes the other one. Empty only when their digests are equal."""
    found, moved = list(_texts(kind, before, after)), 0
    readable = [{} if why_unreadable(document) else document for document in (before, after)]
    for difference in _Walk(kind).of((), (), *readable):
        if difference.place.endswith(": layout"):
            moved += 1
        else:
            found.append(difference)
    if moved:
        found.append(Difference(Label.COSMETIC, f"layout of {moved} panel{'s' if moved > 1 else ''}", "changed"))
    return tuple(found)


def _texts(kind: str, before: Document, after: Document) -> Iterator[Difference]:
    """What is no document of its kind comes and goes as a text."""
    why, later = why_unreadable(before), why_unreadable(after)
    if (why or later) and not same(before, after):
        what: What = "changed" if why and later else "removed" if why else "added"
        label = labels.of_place(kind, ("",))
        yield Difference(label, f"a text that cannot be read ({why or later})", what)


@dataclass(frozen=True)
class _Walk:
    """`keys` lead to a value; `words` are the same for people, list positions among them."""

    kind: str

    def of(self, keys: tuple[str, ...], words: tuple[str, ...], before: Any, after: Any) -> Iterator[Difference]:
        # What comes or goes as a whole is told by its parts, as if it had been empty.
        one = type(after)() if before is _ABSENT and after and isinstance(after, dict | list) else before
        other = type(before)() if after is _ABSENT and before and isinstance(before, dict | list) else after
        if isinstance(one, dict) and isinstance(one.get("steps"), list):  # of an override, which has them under another key
            keys = (*keys, _THRESHOLDS)
        whole = bool(keys) and keys[-1] in _WHOLE
        if isinstance(one, dict) and isinstance(other, dict) and not whole:
            yield from self._mappings(keys, words, one, other)
        elif isinstance(one, list) and isinstance(other, list) and not whole:
            yield from self._lists(keys, words, one, other)
        elif before is _ABSENT or after is _ABSENT or not same(before, after):
            yield self._value(keys, words, before, after)

    def _mappings(
        self, keys: tuple[str, ...], words: tuple[str, ...], before: dict[str, Any], after: dict[str, Any]
    ) -> Iterator[Difference]:
        for key in sorted({*before, *after}):
            one, other = before.get(key, _ABSENT), after.get(key, _ABSENT)
            named = places.are_named(key) and (isinstance(one, list) or isinstance(other, list))
            said = named or (keys[-1:], places.key_name(key)) in _SAID
            yield from self.of((*keys, key), words if said else (*words, f".{places.key_name(key)}"), one, other)

    def _lists(
        self, keys: tuple[str, ...], words: tuple[str, ...], before: list[Any], after: list[Any]
    ) -> Iterator[Difference]:
        key = keys[-1] if keys else ""
        known = places.identities(key, before, after)
        if known is None:
            yield from self._by_position(keys, words, before, after)
            return
        ours, theirs = (dict(zip(names, items, strict=True)) for names, items in zip(known, (before, after), strict=True))
        for name in (*ours, *(name for name in theirs if name not in ours)):
            item = theirs[name] if name in theirs else ours[name]
            place = (*words, places.item_name(key, item))
            if name in ours and name in theirs:
                yield from self.of(keys, place, ours[name], theirs[name])
            else:
                label = labels.of_item(self.kind, keys, added=name in theirs)
                yield Difference(label, _joined(place), "added" if name in theirs else "removed")
        if [name for name in ours if name in theirs] != [name for name in theirs if name in ours]:
            yield Difference(labels.of_place(self.kind, keys), _joined((*words, f"order of {key}")), "changed")

    def _by_position(
        self, keys: tuple[str, ...], words: tuple[str, ...], before: list[Any], after: list[Any]
    ) -> Iterator[Difference]:
        if not all(isinstance(item, dict) for item in (*before, *after)):
            if not same(before, after):
                yield self._value(keys, words, before, after)
            return
        for number in range(max(len(before), len(after))):
            place = (*words[:-1], f"{words[-1]} {number + 1}") if words else (f"item {number + 1}",)
            one, other = (side[number] if number < len(side) else _ABSENT for side in (before, after))
            yield from self.of(keys, place, one, other)

    def _value(self, keys: tuple[str, ...], words: tuple[str, ...], before: Any, after: Any) -> Difference:
        what: What = "added" if before is _ABSENT else "removed" if after is _ABSENT else "changed"
        label = labels.of_place(
            self.kind, keys or ("",), *(value if isinstance(value, str) else "" for value in (before, after))
        )
        one, other = (self._shown(keys, value) for value in (before, after))
        if one == other:  # hidden, or what is shown of them does not differ
            one = other = ""
        return Difference(label, _joined(words) or "content", what, one, other)

    def _shown(self, keys: tuple[str, ...], value: Any) -> str:
        if value is _ABSENT:
            return ""
        secret = any(_SECRET.search(key) and not key.endswith("_file") for key in keys)
        of_receiver = "receivers" in keys and keys[-1].lower().endswith("url")
        if secret or of_receiver or "secret" in self.kind.lower():
            return HIDDEN
        if keys and keys[-1] == _THRESHOLDS:
            return _steps(value)
        if isinstance(value, dict | list) and not _plain(value):
            return ""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        return _LOGIN.sub("…", text)


def _joined(words: tuple[str, ...]) -> str:
    """Names apart by colons, keys that follow each other by points: `panel «Errors»: fieldConfig.defaults.unit`."""
    text = ""
    for last, word in zip(("", *words), words, strict=False):
        between = "" if not last else "." if last.startswith(".") and word.startswith(".") else ": "
        text += between + word.removeprefix(".")
    return text


def _plain(value: Any) -> bool:
    """Whether it is a list of single values, which can be shown whole."""
    return isinstance(value, list) and not any(isinstance(item, dict | list) for item in value)


def _steps(thresholds: Any) -> str:
    """The numbers at which colours change; empty when they do not stand where Grafana has them."""
    steps = thresholds.get("steps", []) if isinstance(thresholds, dict) else []
    values = [step.get("value") for step in steps if isinstance(step, dict)]
    return ", ".join(json.dumps(value) for value in values if value is not None)
