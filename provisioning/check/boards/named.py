"""What is shown has a name in words, not one that only programs write."""

from __future__ import annotations

import re
from collections.abc import Iterator

from contract.keys import UID_PREFIX
from contract.labels import UNSPOKEN
from provisioning.boards import Board, Json
from provisioning.check.boards.model import Site
from provisioning.check.lint.model import Fault

_LABEL = re.compile(r"{{\s*(\w+)\s*}}")
_UNSPOKEN = re.compile(r"(?<![\w$])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?!\w)")
"""A name in the way of programs; `${__field.name}` is Grafana's own."""


def raw_names(board: Board, _: Site) -> Iterator[tuple[str, Fault]]:
    """Of our own dashboards: a label of others that is called as one of ours has values of their own."""
    for panel in board.panels if board.uid.startswith(UID_PREFIX) else ():
        for name in dict.fromkeys([*_of_series(panel), *_of_fields(panel)]):
            yield board.panel_place(panel), Fault(f"it shows the name {name}", "words that people say", "warning")


def _of_series(panel: Json) -> Iterator[str]:
    """Raw names in legends: what they write, and the values of closed lists that nothing renames. Tables have no legends."""
    for target in panel.get("targets", []):
        legend = str(target.get("legendFormat", ""))
        if target.get("format") != "table" and legend != "__auto":
            labels = _LABEL.findall(legend)
            texts = (_with(legend, label, value) for label in labels for value in UNSPOKEN.get(label, {}))
            for text in (_with(legend), *texts):
                yield from _UNSPOKEN.findall(_renamed(panel, text))


def _with(legend: str, label: str = "", value: str = "") -> str:
    """A legend with a value of one of its labels, and something for the others."""
    return _LABEL.sub(lambda found: value if found[1] == label else "x", legend)


def _renamed(panel: Json, name: str) -> str:
    for step in panel.get("transformations", []):
        if step["id"] == "renameByRegex":
            options, pattern = step["options"], step["options"]["regex"]
            inner = pattern[1:].rpartition("/")[0] if pattern.startswith("/") else f"^(?:{pattern})$"
            name = re.sub(inner, options["renamePattern"].replace("$", "\\"), name)
    return name


def _of_fields(panel: Json) -> Iterator[str]:
    """Raw names among the headings that transformations and overrides give."""
    for step in panel.get("transformations", []):
        if step["id"] == "organize":
            options = step["options"]
            for name in options.get("indexByName", {}):
                yield from _UNSPOKEN.findall(options.get("renameByName", {}).get(name, name))
    for override in panel.get("fieldConfig", {}).get("overrides", []):
        for prop in override.get("properties", []):
            if prop.get("id") == "displayName":
                yield from _UNSPOKEN.findall(str(prop["value"]))
