"""Rows of lines of panels, and where that puts each panel on Grafana's grid of 24 columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dashboards.lib.panel import Panel

COLUMNS = 24
Json = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """Panels side by side, all of one height (a unit is 30 pixels). Together they fill the width."""

    height: int
    panels: tuple[Panel, ...]

    def widths(self) -> tuple[int, ...]:
        """Columns of each panel: its own wish, or an equal share of what is left; what cannot be divided goes to the first."""
        left = COLUMNS - sum(panel.width or 0 for panel in self.panels)
        open_ = sum(panel.width is None for panel in self.panels)
        names = ", ".join(panel.name for panel in self.panels)
        if left < open_ or (left and not open_):
            taken = COLUMNS - left
            raise ValueError(f"the line of {names} takes {taken} of {COLUMNS} columns; fill it, or leave some widths open")
        shares = iter([left // open_ + (number < left % open_) for number in range(open_)] if open_ else [])
        return tuple(panel.width or next(shares) for panel in self.panels)


def line(height: int, *panels: Panel) -> Line:
    return Line(height, panels)


@dataclass(frozen=True)
class Row:
    """A titled part of a tab. A collapsed row asks nothing until somebody opens it; one without title has no bar of its own.

    `only_with` is a series that is not scraped everywhere, without which the row has nothing to show: Grafana's newer schema
    hides it there. The older one knows no such rule; folded, the row costs nothing, and its panels say what is missing.
    """

    name: str
    title: str
    lines: tuple[Line, ...]
    collapsed: bool = False
    repeat_by: str | None = None
    only_with: str = ""

    @property
    def panels(self) -> Iterator[Panel]:
        return (panel for line_ in self.lines for panel in line_.panels)


def row(
    name: str, title: str, *lines: Line, collapsed: bool = False, repeat_by: str | None = None, only_with: str = ""
) -> Row:
    return Row(name, title, lines, collapsed, repeat_by, only_with)


@dataclass(frozen=True)
class Place:
    """A panel and its rectangle."""

    panel: Panel
    x: int
    y: int
    width: int
    height: int

    @property
    def grid_position(self) -> Json:
        return {"x": self.x, "y": self.y, "w": self.width, "h": self.height}


def places(row_: Row, top: int) -> tuple[Place, ...]:
    """The panels of a row whose title stands at `top`, line by line."""
    found, y = [], top + _bar(row_)
    for line_ in row_.lines:
        x = 0
        for panel, width in zip(line_.panels, line_.widths(), strict=True):
            found.append(Place(panel, x, y, width, line_.height))
            x += width
        y += line_.height
    return tuple(found)


def height(row_: Row) -> int:
    """Grid units that a row takes, its title included."""
    return _bar(row_) + (0 if row_.collapsed else sum(line_.height for line_ in row_.lines))


def _bar(row_: Row) -> int:
    return 1 if row_.title else 0
