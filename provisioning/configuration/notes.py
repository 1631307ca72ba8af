"""What the comments of `observatory.yaml` say of each key. They are the only place where keys are explained; the schema for
editors and `observatory config explain` take the words from here.

A comment behind a key is about that key. A comment above keys, until the next empty line, is about all of them. A comment line
under a key that looks like YAML is an example of its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import yaml

from provisioning import yaml_source

FILE = Path(__file__).resolve().parents[2] / "observatory.yaml"
"""The configuration at the top of the project: every key with its default and what it does."""
_COMMENT = re.compile(r"\s*#(?P<text>.*)")
_EXAMPLE = re.compile(r"- |[a-z_]+: [{\[\"]")

Key = tuple[str, ...]
"""Names of keys from the top; positions in lists are left out."""


@dataclass(frozen=True)
class Note:
    """`own` is said of the key, `group` of the keys that it stands among, `example` are values of it."""

    own: str = ""
    group: str = ""
    example: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.own or self.group


@lru_cache(1)
def notes() -> Mapping[Key, Note]:
    """What is said of every key of the configuration."""
    return read(FILE.read_text(encoding="utf-8"))


def read(text: str) -> Mapping[Key, Note]:
    """What the comments of a YAML text say of its keys. Of the entries of a list the first counts."""
    keys, ends = _keys(text), _ends(text)
    found: dict[Key, Note] = {}
    groups: dict[Key, str] = {}
    block: list[str] = []
    before: Key | None = None
    for number, line in enumerate(text.splitlines()):
        comment = _COMMENT.match(line[ends.get(number, 0) :])
        said = comment["text"].strip() if comment else ""
        if not line.strip():
            groups, block, before = {}, [], None
        elif number in keys:
            before = keys[number]
            if block:
                groups[before[:-1]] = _joined(block)
                block = []
            found.setdefault(before, Note(said, groups.get(before[:-1], "")))
        elif number not in ends and before and _EXAMPLE.match(said) and not block:
            found[before] = replace(found[before], example=(*found[before].example, said))
        elif number not in ends:
            block.append(said)
    return found


def names(path: yaml_source.Path) -> Key:
    """A place without positions in lists."""
    return tuple(part for part in path if isinstance(part, str))


def _keys(text: str) -> dict[int, Key]:
    """The first key of every line that has one, by the number of the line from 0."""
    source = yaml_source.parse(str(FILE), text)
    found: dict[int, Key] = {}
    for path, place in sorted(source.places.items(), key=lambda item: item[1], reverse=True):
        if path and isinstance(path[-1], str):
            found[place.line - 1] = names(path)
    return found


def _ends(text: str) -> dict[int, int]:
    """Where the last thing of every line that has some ends, from 0; what is behind it can only be a comment."""
    ends: dict[int, int] = {}
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if token.end_mark.index > token.start_mark.index:
            ends[token.end_mark.line] = token.end_mark.column
    return ends


def _joined(block: list[str]) -> str:
    """Lines as text; an empty one ends a paragraph."""
    return "\n".join(" ".join(lines) for empty, lines in groupby(block, key=lambda line: not line) if not empty)
