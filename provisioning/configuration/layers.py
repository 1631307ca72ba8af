"""The files of a configuration laid one over the other: `observatory.yaml` or `observatory.jsonnet`, then its overlays.

Sections are laid over each other key by key; everything else, lists too, replaces what was there. Every value remembers the
file and the line that it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioning import yaml_source
from provisioning.configuration import jsonnet
from provisioning.findings import ConfigError, Finding, closest, error
from provisioning.yaml_source import Position, Source, dotted

FILE_NAMES = ("observatory.yaml", "observatory.jsonnet")
OVERLAYS = "overlays"
"""The folder of overlays, beside the configuration."""
MOST_BYTES = 100_000
_JSONNET = ".jsonnet"
_COMMENT = re.compile(r"//|#")
_SUFFIXES = (".yaml", ".yml", ".json", _JSONNET)


@dataclass(frozen=True)
class Layer:
    """One file of a configuration. `read` are the files that it imported."""

    source: Source
    read: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        return self.source.name


@dataclass(frozen=True)
class Layers:
    """All files of a configuration as one. `origins` says of every key and item which files set it, the last one last.

    Paths in it start from `folder`.
    """

    folder: Path
    layers: tuple[Layer, ...]
    data: Any
    origins: Mapping[yaml_source.Path, Sequence[Source]]

    @property
    def findings(self) -> list[Finding]:
        return [finding for layer in self.layers for finding in layer.source.findings]

    def place(self, path: yaml_source.Path) -> str:
        """`file:line:column: key.path` of a key, or of the nearest key above it that stands in a file."""
        known = path
        while known and known not in self.origins:
            known = known[:-1]
        source = self.origins[known][-1] if known in self.origins else self.layers[0].source
        return source.place(path)

    def set_in(self, path: yaml_source.Path) -> list[str]:
        """`file:line:column` of every file that says the value of a key, the one that counts last."""
        return [_where(source, path) for source in self.origins.get(path, [])]

    def in_order(self, findings: Sequence[Finding]) -> list[Finding]:
        """As they stand in the files, file after file."""
        names = [layer.name for layer in self.layers]

        def standing(finding: Finding) -> tuple[int, list[int], Finding]:
            number = max((n for n, name in enumerate(names) if finding.place.startswith(f"{name}:")), default=0)
            rest = finding.place.removeprefix(names[number]).split(": ")[0]
            return number, [int(part) for part in rest.split(":") if part.isdigit()], finding

        return sorted(findings, key=standing)


def read(path: Path | None, overlays: Sequence[str]) -> Layers:
    """A configuration and its overlays by name; without a `path` overlays of the current folder, over the defaults.

    Raises ConfigError for what cannot be read at all.
    """
    folder = path.parent if path else Path()
    files = [*([path] if path else []), *(overlay_file(folder, name) for name in overlays)]
    layers = tuple(_layer(file, folder) for file in files)
    origins: dict[yaml_source.Path, list[Source]] = {}
    data = _laid(origins, (), [(layer.source, layer.source.data) for layer in layers]) if layers else {}
    return Layers(folder, layers, data, origins)


def overlay_file(folder: Path, name: str) -> Path:
    """The file of an overlay of the configuration in `folder`. Raises ConfigError when there is none, or two."""
    place = folder / OVERLAYS
    files = [file for file in sorted(place.glob("*")) if file.suffix in _SUFFIXES and file.is_file()]
    found = [file for file in files if file.stem == name]
    if not found:
        remedy = closest(name, {file.stem for file in files}) or f"write it to {place / 'production.yaml'}, for example"
        raise ConfigError([error(str(place), f"there is no overlay {name!r}", remedy)])
    if len(found) > 1:
        both = " and ".join(file.name for file in found)
        raise ConfigError([error(str(place), f"overlay {name} is {both}", "keep one of them")])
    return found[0]


def default_file() -> Path | None:
    """The configuration in the current folder, or None when there is none. Raises ConfigError when there are two."""
    found = [Path(name) for name in FILE_NAMES if Path(name).exists()]
    if len(found) > 1:
        remedy = "name one with --config; Jsonnet that builds on YAML says: std.parseYaml(importstr 'observatory.yaml') + { … }"
        raise ConfigError([error(str(found[1]), f"{found[0]} stands beside it", remedy)])
    return found[0] if found else None


def _layer(path: Path, folder: Path) -> Layer:
    text = _text(path)
    if path.suffix != _JSONNET:
        layer = Layer(yaml_source.parse(str(path), text))
    else:
        evaluated = jsonnet.evaluate(str(path), text, within=[folder])
        source = Source(str(path), evaluated.value)
        _spelt_once(source, text)
        layer = Layer(source, evaluated.read)
    if layer.source.data is None and not layer.source.findings:
        remedy = "give at least one setting, such as: exporter: {max_age: 15m}"
        raise ConfigError([error(str(path), "the file says nothing", remedy)])
    return layer


def _spelt_once(source: Source, text: str) -> None:
    """Places of keys in Jsonnet, which computes them: of those that are spelt once in the file, so that this must be it."""
    lines = [_COMMENT.split(line)[0] for line in text.splitlines()]
    for path in _paths(source.data):
        if path and isinstance(path[-1], str):
            spelt = re.compile(rf"(?<![\w.]){re.escape(path[-1])}(?=['\"]?\]?\s*\+?:)")
            found = [Position(n, key.start() + 1) for n, line in enumerate(lines, start=1) for key in spelt.finditer(line)]
            if len(found) == 1:
                source.places[path] = found[0]


def _paths(value: Any, at: yaml_source.Path = ()) -> Iterator[yaml_source.Path]:
    """The place of a value and of everything in it."""
    yield at
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(item, (*at, key))


def _laid(origins: dict[yaml_source.Path, list[Source]], path: yaml_source.Path, values: list[tuple[Source, Any]]) -> Any:
    """What `values`, of the same key in one file after another, are together; notes in `origins` where it comes from."""
    origins[path] = [source for source, _ in values]
    source, top = values[-1]
    if isinstance(top, list):
        return [_laid(origins, (*path, index), [(source, item)]) for index, item in enumerate(top)]
    if not isinstance(top, dict):
        return top
    hidden = [index for index, (_, value) in enumerate(values) if not isinstance(value, dict)]
    sections = values[hidden[-1] + 1 if hidden else 0 :]
    keys = dict.fromkeys(key for _, section in sections for key in section)
    return {
        key: _laid(origins, (*path, key), [(source, section[key]) for source, section in sections if key in section])
        for key in keys
    }


def _where(source: Source, path: yaml_source.Path) -> str:
    place = source.place(path)
    return place.removesuffix(f": {dotted(path)}")


def _text(path: Path) -> str:
    try:
        if not path.is_dir() and path.exists() and not path.is_file():  # reading a pipe may never end
            raise ConfigError([error(str(path), "this is no regular file", "save the configuration in a file")])
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError([error(str(path), "there is no such file", f"name an existing {FILE_NAMES[0]}")]) from None
    except IsADirectoryError:
        raise ConfigError([error(str(path), "this is a folder", f"name the file in it: {path / FILE_NAMES[0]}")]) from None
    except OSError as problem:
        raise ConfigError([error(str(path), f"the file cannot be read: {problem.strerror}")]) from None
    if len(raw) > MOST_BYTES:
        raise ConfigError([error(str(path), f"more than {MOST_BYTES} bytes", f"is this {FILE_NAMES[0]}?")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise ConfigError(
            [error(f"{path}:{line}", f"byte 0x{raw[problem.start]:02x} is not UTF-8 text", "save the file as UTF-8")]
        ) from None
