"""Words in the place of values that only programs write: of the contract's closed lists, such as `first_response`.

What other people named (tables, routes, tools, models) is shown as they named it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from contract.labels import UNSPOKEN
from dashboards.lib.field import Json, Override, Word, words
from dashboards.lib.queries import PromQuery, Query

_LABEL = re.compile(r"{{(\w+)}}")
_ALL = {value: text for label in sorted(UNSPOKEN) for value, text in UNSPOKEN[label].items()}

CELLS: list[Json] = words({value: Word(text) for value, text in _ALL.items()})
"""Mappings for a column that holds such values."""


def _anywhere(pattern: str) -> str:
    """Grafana takes a pattern without strokes for one of the whole text."""
    return f"/{pattern}/"


def within(pattern: str, text: str) -> Json:
    """A mapping that puts `text` in the place of what a pattern finds in a cell."""
    return {"type": "regex", "options": {"pattern": _anywhere(pattern), "result": {"text": text, "index": 0}}}


WITHIN: list[Json] = [within(rf"\b{value}\b", text) for value, text in _ALL.items()]
"""Mappings for a column whose texts have such a value among others."""


WITHOUT_SCHEMA: Json = {"id": "renameByRegex", "options": {"regex": r"/^analytics\./", "renamePattern": ""}}
"""Names of tables without our schema, with which they are longer than what a bar gauge keeps for names."""


def holds(column: str) -> bool:
    """Whether a column that is called so holds such values."""
    return column in UNSPOKEN


def _unspoken(targets: Iterable[Query]) -> dict[str, str]:
    """Such values that the legends of queries may have."""
    labels = {label for query in targets if isinstance(query, PromQuery) for label in _LABEL.findall(query.legend)}
    return {value: text for label in sorted(labels & UNSPOKEN.keys()) for value, text in UNSPOKEN[label].items()}


def renamings(targets: Iterable[Query]) -> tuple[Json, ...]:
    """Transformations of the names of series, where the legends of their queries have such values."""
    return tuple(
        {"id": "renameByRegex", "options": {"regex": _anywhere(rf"\b{value}\b"), "renamePattern": text}}
        for value, text in _unspoken(targets).items()
    )


def renamed(overrides: Iterable[Override], targets: Iterable[Query]) -> list[Override]:
    """Overrides that find series by the names that `renamings` give them: Grafana transforms first."""
    unspoken = _unspoken(targets)

    def spoken(name: str) -> str:
        for value, text in unspoken.items():
            name = re.sub(rf"\b{value}\b", text, name)
        return name

    return [
        replace(override, options=spoken(override.options)) if override.matcher == "byName" else override
        for override in overrides
    ]
