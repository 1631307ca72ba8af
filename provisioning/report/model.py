"""What a report consists of: sections of tables, each value beside the text that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from provisioning.interpolation import Span

Value = str | float | int | None
Kind = Literal["time", "number", "text"]
Form = Literal["values", "series", "rows", "points"]
"""`values`: a row for each single figure; `series`: a row for each line of a graph with what its legend calculates;
`rows`: a table as it is; `points`: everything that a graph draws."""


PANEL, UNREAD = "panel-", "This panel could not be read: "
"""How keys of sections that are panels begin, and notes of those that could not be read."""


@dataclass(frozen=True)
class Column:
    """`values` are for machines: numbers in `unit`, times in ISO 8601 (UTC), or None. `texts` are for people."""

    name: str
    kind: Kind
    values: tuple[Value, ...]
    texts: tuple[str, ...]
    unit: str = ""

    @property
    def heading(self) -> str:
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class Table:
    columns: tuple[Column, ...]
    form: Form = "rows"
    name: str = ""

    @property
    def rows(self) -> tuple[tuple[Value, ...], ...]:
        return tuple(zip(*(column.values for column in self.columns), strict=True))

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        return tuple(zip(*(column.texts for column in self.columns), strict=True))

    def only(self, rows: Sequence[int]) -> Table:
        """These of its rows."""
        columns = (
            replace(one, values=tuple(one.values[row] for row in rows), texts=tuple(one.texts[row] for row in rows))
            for one in self.columns
        )
        return replace(self, columns=tuple(columns))


@dataclass(frozen=True)
class Section:
    """A part with a heading. `key` is stable; `note` says what is wrong or missing; `picture` is a WebP."""

    key: str
    title: str
    tables: tuple[Table, ...] = ()
    note: str = ""
    picture: bytes | None = None


@dataclass(frozen=True)
class Report:
    """`remarks` are what a reader has to know of the whole; `variables` are the filters by name."""

    tab: str
    title: str
    span: Span
    before: Span
    variables: Mapping[str, str]
    remarks: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def unread(self) -> bool:
        """Whether no panel at all could be read."""
        panels = [section for section in self.sections if section.key.startswith(PANEL)]
        return bool(panels) and all(section.note.startswith(UNREAD) for section in panels)

    @property
    def tables(self) -> tuple[tuple[Section, Table], ...]:
        return tuple((section, table) for section in self.sections for table in section.tables)


def moment(seconds: float) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text_column(name: str, values: list[str]) -> Column:
    return Column(name, "text", tuple(values), tuple(values))


def time_column(name: str, values: list[float]) -> Column:
    texts = tuple(moment(value) for value in values)
    return Column(name, "time", texts, texts)


def number_column(name: str, values: list[float | None], unit: str = "", texts: list[str] | None = None) -> Column:
    said = texts or ["" if value is None else f"{value:.6g}" for value in values]
    return Column(name, "number", tuple(values), tuple(said), unit)
