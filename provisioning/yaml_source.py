"""YAML that remembers where everything stands, so that a mistake can be shown with its line.

Scalars follow YAML's own rules except that dates stay text. Keys are text as written. Merge keys (`<<`) are ordinary keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from provisioning.findings import Finding, error

Path = tuple[str | int, ...]
MOST_VALUES = 20_000
"""Aliases of aliases can make a short text into billions of values."""


class _TooMuch(Exception):
    """More values than any configuration has."""


@dataclass(frozen=True, order=True)
class Position:
    """Line and column as editors count them, from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass
class Source:
    """A document: its data, where every key and item stands, and what is wrong with it as YAML."""

    name: str
    data: Any = None
    places: dict[Path, Position] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def place(self, path: Path) -> str:
        """`file:line:column: key.path` of a key, or of the nearest key above it that exists."""
        known = path
        while known and known not in self.places:
            known = known[:-1]
        position = self.places.get(known)
        return ": ".join(part for part in (f"{self.name}:{position}" if position else self.name, dotted(path)) if part)


def dotted(path: Path) -> str:
    """`teams[0].email` for ("teams", 0, "email")."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Loader(yaml.SafeLoader):
    """Safe loader that takes dates as text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SCALARS = tuple(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "merge", "value"))


def _position(mark: yaml.Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def parse(name: str, text: str) -> Source:
    """Read one YAML document. `name` stands in messages. Never raises for what the text says: see `findings`."""
    source = Source(name)
    try:
        node = yaml.compose(text, _Loader)
        if node is not None:
            source.data = _Reader(source).value(node, ())
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f"{name}:{_position(mark)}" if mark else name
        said = " ".join(filter(None, (problem.context if "but" in (problem.problem or "") else "", problem.problem)))
        source.findings.append(error(place, f"not YAML: {said}", "look at the colons, quotes and indents here"))
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        source.findings.append(error(f"{name}:{line}", f"not YAML: character {problem.character!r} is not allowed"))
    except _TooMuch:
        source.findings.append(error(name, f"more than {MOST_VALUES} values", "write values out instead of aliases of aliases"))
    except RecursionError:
        source.findings.append(error(name, "nested too deeply, or an alias that contains itself"))
    return source


class _Reader:
    """Turns nodes into data, noting places and mistakes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.loader = _Loader("")
        self.values = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.values += 1
        if self.values > MOST_VALUES:
            raise _TooMuch
        self.source.places.setdefault(path, _position(node.start_mark))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            at = _position(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(f"{self.source.name}:{at}", "a key must be a word", "write key: value")
                continue
            key = key_node.value
            if key in found:
                first = self.source.places[(*path, key)]
                where = f"{self.source.name}:{at}: {dotted((*path, key))}"
                self._report(where, f"key {key} stands twice, first in line {first.line}", "keep one of them")
                continue
            self.source.places[(*path, key)] = at
            found[key] = self.value(value_node, (*path, key))
        return found

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        if node.tag not in _SCALARS:
            self._report(self.source.place(path), f"tag {node.tag} is not allowed", "write a plain value")
            return None
        try:
            node.value.encode()  # half of a surrogate pair is no text
            return self.loader.construct_object(node)
        except (ValueError, yaml.YAMLError):
            self._report(self.source.place(path), f"{node.value!r} is no value of its kind", "put it in quotes")
            return None

    def _report(self, place: str, message: str, remedy: str) -> None:
        self.source.findings.append(error(place, message, remedy))
