"""What all panels have in common. Each type in the vocabulary adds its `options` and, per field, its `custom` settings."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from attrs import define
from grafanalib import core

from dashboards.lib.colours import GREY
from dashboards.lib.field import PLAIN, Json, Link, Override, Thresholds, Word, special
from dashboards.lib.queries import Query
from dashboards.lib.spoken import renamed, renamings

PALETTE: Json = {"mode": "palette-classic-by-name"}
"""The same name has the same colour in every panel."""
PALETTE_IN_ORDER: Json = {"mode": "palette-classic"}
"""Neighbours never look alike; the same name may have another colour elsewhere."""
BY_VALUE: Json = {"mode": "thresholds"}

Calculation = Literal["lastNotNull", "mean", "min", "max", "sum", "count", "range", "diff", "diffperc", "first", "last"]

NO_TRAFFIC = special("nan", Word("no traffic", GREY))
"""A quantile of nothing and a share of nothing are not numbers, and not zero."""


@define(slots=False, kw_only=True)
class Panel(core.Panel):
    """A panel of a tab.

    `name` is its key within the tab and never changes; `description` says what it means and what to do when it looks bad.
    `width` is in columns of 24; without it the panel takes an equal share of what its line has left. `no_value` is shown when
    there is no data: it says what that means. `links` are the panel's, `data_links` those of its values. `always_last` is a
    duration that the panel looks back whatever range is chosen. `of_agents`: its rows are agents, which have their own colours.
    """

    kind: ClassVar[str]
    dataless: ClassVar[bool] = False
    """Whether the type asks nothing."""
    unitless: ClassVar[bool] = False
    """Whether the type shows no figures that need one unit."""

    name: str
    title: str
    description: str
    targets: tuple[Query, ...] = ()
    width: int | None = None
    unit: str = ""
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    no_value: str = "no data"
    limits: Thresholds = PLAIN
    mappings: tuple[Json, ...] = ()
    colour: Json | None = None
    links: tuple[Link, ...] = ()
    data_links: tuple[Link, ...] = ()
    overrides: tuple[Override, ...] = ()
    transformations: tuple[Json, ...] = ()
    repeat_by: str | None = None
    always_last: str | None = None
    of_agents: bool = False

    def options(self) -> Json:
        """Options of the panel type."""
        return {}

    def custom(self) -> Json:
        """Options of the panel type that each field can override."""
        return {}

    def default_colour(self) -> Json:
        return BY_VALUE

    def most_points(self) -> int | None:
        """How many points a series may have; None: as many as the panel has pixels."""
        return None

    def field_defaults(self) -> Json:
        return {
            "unit": self.unit or None,
            "decimals": self.decimals,
            "min": self.minimum,
            "max": self.maximum,
            "noValue": self.no_value,
            "thresholds": self.limits.to_json_data(),
            "mappings": [*self.mappings, *NO_TRAFFIC],
            "color": self.colour or self.default_colour(),
            "links": list(self.data_links),
            "custom": self.custom() or None,
        }

    def all_overrides(self) -> tuple[Override, ...]:
        """The panel's overrides, after those that its type always has."""
        return self.overrides

    def all_transformations(self) -> tuple[Json, ...]:
        """The panel's transformations, and those that its type always has."""
        return (*self.transformations, *renamings(self.targets))

    def to_json_data(self) -> Any:
        """The panel as grafanalib writes it; `finish` makes it today's Grafana JSON."""
        fields = {} if self.dataless else self.field_defaults()
        return self.panel_json(
            {
                "type": self.kind,
                "options": self.options(),
                "fieldConfig": {"defaults": fields, "overrides": renamed(self.all_overrides(), self.targets)},
                "transformations": list(self.all_transformations()),
                "repeat": self.repeat_by,
                "repeatDirection": "h" if self.repeat_by else None,
                "maxDataPoints": self.most_points(),
                "timeFrom": self.always_last,
            }
        )


def reduced(calculation: Calculation, all_values: bool = False) -> Json:
    """How a panel makes one figure of a field, or shows every row."""
    return {"calcs": [calculation], "fields": "", "values": all_values}


_HEADINGS = {"lastNotNull": "Last *", "sum": "Total"}
"""What Grafana writes above calculations, where that is not their name."""


def legend(
    calculations: tuple[Calculation, ...] = (), placement: Literal["bottom", "right"] = "bottom", shown: bool = True
) -> Json:
    """A legend; with calculations it is a table, and what stands out by the last of them comes first."""
    described = {
        "showLegend": shown,
        "displayMode": "table" if calculations else "list",
        "placement": placement,
        "calcs": list(calculations),
    }
    if not calculations:
        return described
    last = calculations[-1]
    return {**described, "sortBy": _HEADINGS.get(last, last.capitalize()), "sortDesc": last != "min"}


TOOLTIP: Json = {"mode": "multi", "sort": "desc"}
