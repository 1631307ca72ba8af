"""The things on both sides of a plan: what the configuration wants, and what a server has."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Any
"""A JSON value: dictionaries with text keys, lists, texts, numbers, booleans and None."""


UNREADABLE, _TEXT = "unreadable", "text"
IN_FORCE = "in force"
"""The kind of what is no object, and nobody's: whether a server works with what its files say."""


def unreadable(body: bytes, why: str) -> Document:
    """Stands for a text that is no document of its kind: it says why, and can be seen to have changed."""
    return {UNREADABLE: why, _TEXT: hashlib.sha256(body).hexdigest()[:16]}


def why_unreadable(document: Document) -> str:
    """What is wrong with the text that a document stands for; empty for a document that could be read."""
    return str(document[UNREADABLE]) if isinstance(document, dict) and document.keys() == {UNREADABLE, _TEXT} else ""


@dataclass(frozen=True, order=True)
class Key:
    """What an object is called on its target, for life: `Key("dashboard", "observatory-overview")`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Wanted:
    """An object as the configuration wants it.

    `document` is its normalised form, the one that is compared: without what a server adds by itself (defaults, numeric ids,
    version counters) and without secrets. `payload` is what is sent. `title` is what people call it.
    """

    key: Key
    title: str
    document: Document
    payload: Any = None


@dataclass(frozen=True)
class Live:
    """An object as a server has it, normalised in the same way.

    `owner` is whose mark it carries, empty when nobody's; `revision` is what the server calls this state of it, for optimistic
    locking; `raw` is what the server returned.
    """

    key: Key
    title: str
    document: Document
    owner: str = ""
    revision: str = ""
    raw: Any = None


@dataclass(frozen=True)
class State:
    """Everything that a target has at one moment.

    `ledger`: the digest of what the server returned after our last write, by object; an object that is not in it was never
    written by us. `revision` names the ledger's own state, so that two applies at once are noticed. `unverified` says in
    sentences what could not be read, and so is not part of any plan.
    """

    objects: tuple[Live, ...] = ()
    ledger: Mapping[Key, str] = field(default_factory=dict)
    revision: str = ""
    unverified: tuple[str, ...] = ()


_WHOLE_FLOAT = re.compile(r"\.0(?=[],}]|$)")


def digest(document: Document) -> str:
    """Sixteen hexadecimal digits that equal documents share, whatever the order of their keys and the form of their numbers."""
    text = _text(document)
    if _WHOLE_FLOAT.search(text) or "e+" in text:  # perhaps a whole number that is written as a float
        text = _text(_plain(document))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def same(one: Document, other: Document) -> bool:
    """Whether two values have one digest; of texts and such, which most are, without making it."""
    if type(one) is type(other) and isinstance(one, str | int | None):
        return bool(one == other)
    return digest(one) == digest(other)


def _text(document: Document) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=dict)


def _plain(value: Document) -> Document:
    if isinstance(value, str):  # as most are; to ask whether one is a mapping takes long
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
