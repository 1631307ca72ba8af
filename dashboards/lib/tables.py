"""Tables, and the transformations that make Prometheus answers readable in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import define

from dashboards.lib.field import Json
from dashboards.lib.panel import Panel


@define(slots=False, kw_only=True)
class Table(Panel):
    """Rows and columns. `sorted_by` names the column (as shown) that decides the order, the greatest value first or last."""

    kind: ClassVar[str] = "table"
    unitless: ClassVar[bool] = True
    sorted_by: str | None = None
    greatest_first: bool = True
    paged: bool = False

    def options(self) -> Json:
        order = [{"displayName": self.sorted_by, "desc": self.greatest_first}] if self.sorted_by else []
        return {"showHeader": True, "cellHeight": "sm", "frameIndex": 0, "enablePagination": self.paged, "sortBy": order}

    def custom(self) -> Json:
        return {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}


def columns(names: Mapping[str, str], hidden: tuple[str, ...] = ("Time", "__name__", "job", "instance")) -> Json:
    """Keeps and orders columns: `names` maps a field to its heading, in the order wanted; `hidden` are taken out."""
    return {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(hidden, True),
            "includeByName": {},
            "indexByName": {name: position for position, name in enumerate(names)},
            "renameByName": {name: heading for name, heading in names.items() if name != heading},
        },
    }


MERGED: Json = {"id": "merge", "options": {}}
"""Several table answers as one, rows with equal labels joined."""

COLOURED_TEXT: Json = {"type": "color-text"}
COLOURED_CELL: Json = {"type": "color-background", "mode": "basic"}
BAR_CELL: Json = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
