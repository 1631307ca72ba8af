"""What differs from the period of the same length before: each single figure, what legends calculate, and rows of tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from provisioning.report.model import Section, Table, Value, number_column, text_column

CHANGES = "changes"
"""Key of the section."""
MOST_OF_A_PANEL, LEAST_SHARE = 2, 0.01
"""What people read first: so many figures of each panel, where they changed by so much of what they were."""
Key = tuple[str, str, str, int]
"""Section, row's name, column's name, and which of several equal ones."""

_UNITS = {"Percent (0.0-1.0)": (100.0, " points"), "seconds (s)": (1.0, " s"), "Dollars ($)": (1.0, " $")}
"""Factors and words with which differences are written; all others are numbers."""


@dataclass(frozen=True)
class Figure:
    """One number with what it is."""

    panel: str
    name: str
    unit: str
    value: float
    text: str


def compared(now: Sequence[Section], before: Sequence[Section]) -> Table:
    """A row for each figure that both periods have. The difference is in its unit, the share is of the figure before."""
    then = dict(_figures(before))
    pairs = [(then[key], figure) for key, figure in _figures(now) if key in then]
    differences = [new.value - old.value if _measured(old) and _measured(new) else None for old, new in pairs]
    shares = [
        None if difference is None or not old.value else difference / abs(old.value)
        for difference, (old, _) in zip(differences, pairs, strict=True)
    ]
    texts = ["" if value is None else _difference(value, new.unit) for value, (_, new) in zip(differences, pairs, strict=True)]
    columns = (
        text_column("Panel", [new.panel for _, new in pairs]),
        text_column("Figure", [new.name for _, new in pairs]),
        number_column("Before", [old.value for old, _ in pairs], texts=[old.text for old, _ in pairs]),
        number_column("Now", [new.value for _, new in pairs], texts=[new.text for _, new in pairs]),
        number_column("Difference", differences, texts=texts),
        number_column(
            "Difference of before", shares, "Percent (0.0-1.0)", ["" if share is None else f"{share:+.1%}" for share in shares]
        ),
        text_column("Unit", [new.unit for _, new in pairs]),
    )
    return Table(columns)


def foremost(changed: Table) -> Table:
    """Of each panel the figures that changed most, by their share of what they were; states that are others come first."""
    by_panel: dict[str, list[tuple[float, int]]] = {}
    for number, (row, texts) in enumerate(zip(changed.rows, changed.texts, strict=True)):
        panel, _, old, new, *_ = texts
        _, _, _, _, difference, share, _ = row
        if isinstance(share, float):
            weight = abs(share)
        else:  # of states, and of what was nothing before
            weight = math.inf if difference is None and old != new else float(bool(difference))
        if weight >= LEAST_SHARE:
            by_panel.setdefault(panel, []).append((-weight, number))
    return changed.only(sorted(number for found in by_panel.values() for _, number in sorted(found)[:MOST_OF_A_PANEL]))


def _difference(value: float, unit: str) -> str:
    factor, word = _UNITS.get(unit, (1.0, ""))
    amount = value * factor
    return f"{amount:+,.0f}{word}" if abs(amount) >= 1000 else f"{amount:+.4g}{word}"


def _measured(figure: Figure) -> bool:
    """Whether it is an amount. A state has a number too, but is shown as a word, and between words there is no difference."""
    return any(character.isdigit() for character in figure.text)


def _figures(sections: Sequence[Section]) -> Iterator[tuple[Key, Figure]]:
    seen: Counter[tuple[str, str, str]] = Counter()
    for section in sections:
        for table in section.tables:
            for name, column, unit, value, text in _cells(table):
                place = (section.key, name, column)
                seen[place] += 1
                if isinstance(value, (int, float)):
                    called = " · ".join(part for part in (name, column if table.form != "values" else "") if part)
                    yield (*place, seen[place]), Figure(section.title, called, unit, value, text)


def _cells(table: Table) -> Iterator[tuple[str, str, str, Value, str]]:
    """Row's name, column's name, unit, value and text of what can be compared."""
    if table.form in ("values", "series"):
        names, units = table.columns[0].texts, table.columns[-1].texts
        for column in table.columns[1:-1]:
            for name, unit, value, text in zip(names, units, column.values, column.texts, strict=True):
                yield name, column.name, unit, value, text
    elif table.form == "rows" and (named := _names(table)):
        for column in table.columns:
            for name, value, text in zip(named, column.values, column.texts, strict=True):
                if column.kind == "number":
                    yield name, column.name, column.unit, value, text


def _names(table: Table) -> list[str]:
    """What each row is about: its first text, or its first two. Empty where that does not tell rows apart: lists of events."""
    texts = [column.texts for column in table.columns if column.kind == "text"]
    if any(column.kind == "time" for column in table.columns[:1]):
        return []
    for count in (1, 2):
        names = [" · ".join(parts) for parts in zip(*texts[:count], strict=True)]
        if names and len(set(names)) == len(names):
            return names
    return []
