"""Tables, and the transformations that make Prometheus answers readable in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from attrs import define

from dashboards.lib.field import Json, Override, named
from dashboards.lib.panel import Panel
from dashboards.lib.spoken import CELLS, holds

EMPTY_CELL = Override("byRegexp", "/.*/", (("noValue", "–"),))
"""What a table shows when it has no row is not what a cell shows when it has no value."""

UNFILTERED = Override("byType", "number", (("custom.filterable", False),))
"""Figures are sorted, not picked from a list: above them there is room for words instead of the filter's mark."""

_LEAST = 90
"""Pixels of a column without a width of its own, where there is no more room; Grafana's own 150 makes narrow screens scroll."""

_WORDS = {"Environment": 118, "Kind of error": 126}
"""Pixels that long headings of words need, where a table gives their columns no width of its own."""

NARROW = Override("byRegexp", "/.*/", (("custom.minWidth", 60), ("custom.filterable", False), ("custom.wrapHeaderText", True)))
"""For tables of many columns: those without a width of their own may become this narrow; headings wrap and have no filter's
mark."""


@define(slots=False, kw_only=True)
class Table(Panel):
    """Rows and columns. `sorted_by` names the column (as shown) that decides the order, the greatest value first or last.

    `two_lines`: rows have room for two. Grafana makes room itself for long texts of a source, not for what a mapping makes of
    short ones.
    """

    kind: ClassVar[str] = "table"
    unitless: ClassVar[bool] = True
    sorted_by: str | None = None
    greatest_first: bool = True
    paged: bool = False
    two_lines: bool = False

    def options(self) -> Json:
        order = [{"displayName": self.sorted_by, "desc": self.greatest_first}] if self.sorted_by else []
        return {
            "showHeader": True,
            "cellHeight": "lg" if self.two_lines else "sm",
            "frameIndex": 0,
            "enablePagination": self.paged,
            "sortBy": order,
        }

    def all_overrides(self) -> tuple[Override, ...]:
        named_here = [override.options for override in self.overrides]
        words = {name: least for name, least in _WORDS.items() if name not in named_here}
        least = (Override("byName", name, (("custom.minWidth", width),)) for name, width in words.items())
        spoken = (named(heading, mappings=CELLS) for heading in self._unspoken())
        return (EMPTY_CELL, UNFILTERED, *spoken, *self.overrides, *least)

    def _unspoken(self) -> Iterator[str]:
        """Headings of columns with values that only programs write."""
        for step in self.transformations:
            if step["id"] == "organize":
                shown = step["options"]["renameByName"]
                yield from (shown.get(name, name) for name in step["options"]["indexByName"] if holds(name))

    def custom(self) -> Json:
        return {"align": "auto", "minWidth": _LEAST, "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}


def columns(headings: Mapping[str, str]) -> tuple[Json, ...]:
    """Only these columns, in this order: `headings` maps a field to what is written above it. Missing ones are left out.

    Of several queries Grafana numbers the values only while more than one answers. A lone answer is that of the first, since
    the others say more about its rows.
    """
    if "Value #A" in headings:
        headings = {**headings, "Value": headings["Value #A"]}
    order = {name: position for position, name in enumerate(headings)}
    renamed = {name: heading for name, heading in headings.items() if name != heading}
    return (
        {"id": "filterFieldsByName", "options": {"include": {"names": list(headings)}}},
        {"id": "organize", "options": {"excludeByName": {}, "indexByName": order, "renameByName": renamed}},
    )


def moment(name: str) -> Override:
    """A column of moments to the minute, as narrow as it can be: without the year, for tables that look back months at most."""
    return named(name, unit="time: MM-DD HH:mm", custom_width=104)


_SHORT: Json = {"type": "regex", "options": {"pattern": "^(.{8}).{4,}$", "result": {"text": "$1…", "index": 0}}}


def shortened(name: str, **properties: Any) -> Override:
    """A column of ids or commands, too long for a cell: how they begin. Grafana's mark to inspect a cell shows them whole."""
    return named(name, **{"mappings": [_SHORT], "custom_inspect": True, "custom_minWidth": 90} | properties)


MERGED: Json = {"id": "merge", "options": {}}
"""Several table answers as one, rows with equal labels joined."""

def ago(name: str) -> Override:
    """A column of moments as the time since, wide enough for those that are a few seconds old."""
    return named(name, unit="dateTimeFromNow", custom_width=134)


COLOURED_TEXT: Json = {"type": "color-text"}
COLOURED_CELL: Json = {"type": "color-background", "mode": "basic"}
BAR_CELL: Json = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
"""Needs a `max`, or `fieldMinMax=True`: without either the longest bar is the greatest number of all columns."""
