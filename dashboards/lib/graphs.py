"""Figures over time, and over another ordered quantity."""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import define

from dashboards.lib.durations import SECONDS, counted_in, limits_in, queries_in
from dashboards.lib.field import Drawn, Json
from dashboards.lib.panel import PALETTE_IN_ORDER, TOOLTIP, Calculation, Panel, legend
from dashboards.lib.queries import PromQuery

_UNIT, _FRAME = 38, 56
"""Pixels of a grid unit with its gap, and those of a panel's height that are not the graph's: gap, title, padding."""
_LEGEND_SHARE, _LEGEND_ROW = 0.35, 24
"""How much of the height Grafana gives a legend below a graph at most, and pixels of a row; it scrolls what has no room."""
_SCARCELY_SEEN = 0.3
_COUNTED = {"none", "short", "locale"}


@define(slots=False, kw_only=True)
class Graph(Panel):
    """Lines, bars or points on two axes.

    `drawn` says how the thresholds appear; the axis runs from `soft_minimum` to `soft_maximum` unless a value lies beyond, so
    that a threshold stays in sight; a gap longer than `bridged` milliseconds stays a gap. What Prometheus gives in
    seconds and has a limit of minutes, hours or days is drawn in these.
    """

    style: Literal["line", "bars", "points"] = "line"
    stacked: bool = False
    fill: int = 0
    drawn: Drawn = "off"
    soft_minimum: float = 0
    soft_maximum: float | None = None
    axis_label: str = ""
    logarithmic: bool = False
    bridged: int | bool = False
    calculations: tuple[Calculation, ...] = ()
    legend_placement: Literal["bottom", "right"] = "bottom"

    def __attrs_post_init__(self) -> None:
        unit = counted_in(max((value for value, _ in self.limits.steps), default=0))
        asked = [query for query in self.targets if isinstance(query, PromQuery)]
        if self.unit != "s" or unit == "s" or len(asked) < len(self.targets):
            return
        self.unit, self.targets, self.limits = unit, queries_in(unit, asked), limits_in(unit, self.limits)
        self.soft_maximum = self.soft_maximum and self.soft_maximum / SECONDS[unit]

    def default_colour(self) -> Json:
        return PALETTE_IN_ORDER

    def options(self) -> Json:
        return {"legend": legend(self.calculations, self.legend_placement), "tooltip": TOOLTIP}

    def custom(self) -> Json:
        return {
            "drawStyle": self.style,
            "lineInterpolation": "linear",
            "lineWidth": self._line_width(),
            "fillOpacity": max(self.fill, 80 if self.style == "bars" else 60 if self.stacked else 0),
            "gradientMode": "none",
            "showPoints": "always" if self.style == "points" else "never",
            "pointSize": 4,
            "spanNulls": self.bridged,
            "axisLabel": self.axis_label,
            "axisSoftMin": self.soft_minimum,
            "axisSoftMax": self.soft_maximum,
            "scaleDistribution": {"type": "log", "log": 10} if self.logarithmic else {"type": "linear"},
            "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": self.drawn},
        }

    def cuts_its_legend(self, height: int) -> bool:
        """Whether a table below the graph, in a panel of so many grid units, ends within one of its rows."""
        if not self.calculations or self.legend_placement == "right":
            return False
        rows = _LEGEND_SHARE * (height * _UNIT - _FRAME) / _LEGEND_ROW
        return _SCARCELY_SEEN < rows % 1 < 1 - _SCARCELY_SEEN

    def rounds_an_axis(self) -> bool:
        """Whether an axis has fewer decimals than its steps may need: 2.5 % would stand as 3 %, $0.0025 as $0.00.

        With 0, Grafana leaves away what is no whole number: right for what is counted, and of shares nearly everything.
        """
        given = [given for override in self.overrides for given in override.properties]
        units = {self.unit, *(unit for key, unit in given if key == "unit")}
        whole = self.decimals is None or (self.decimals == 0 and units <= _COUNTED)
        return not whole or any(decimals for key, decimals in given if key == "decimals")

    def _line_width(self) -> int:
        """Of stacked areas nothing: the lines of those that are zero would lie upon the others."""
        return 1 if self.style == "bars" else 0 if self.stacked else 2


@define(slots=False, kw_only=True)
class TimeSeries(Graph):
    """Figures over time."""

    kind: ClassVar[str] = "timeseries"


@define(slots=False, kw_only=True)
class Trend(Graph):
    """Figures over a number that ascends, such as a rank or a version. `x` names that field."""

    kind: ClassVar[str] = "trend"
    x: str

    def options(self) -> Json:
        return {**super().options(), "xField": self.x}

    def rounds_an_axis(self) -> bool:
        # Of the axis below Grafana leaves nothing away: day 2.5 would stand as 3.
        below = (key for override in self.overrides if override.options == self.x for key, _ in override.properties)
        return "decimals" in below or super().rounds_an_axis()
