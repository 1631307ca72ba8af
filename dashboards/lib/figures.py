"""Single figures: stat, gauge, bar gauge."""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import define, evolve

from dashboards.lib.field import Json
from dashboards.lib.panel import Calculation, Panel, reduced
from dashboards.lib.queries import PromQuery
from dashboards.lib.tables import MERGED

Change = Literal["standard", "inverted", "same_as_value"]
RISE_IS_GOOD: Change = "standard"
FALL_IS_GOOD: Change = "inverted"
NEITHER: Change = "same_as_value"
_COURSE_POINTS = 720
"""Points that a course may have. Grafana asks no further than the last whole step: of a day that is two minutes ago at most."""


@define(slots=False, kw_only=True)
class Stat(Panel):
    """Big figures. `sparkline` draws the range below, `filled` paints the whole tile.

    `change` shows the percentage between the first and the last value of the range, coloured by what is good. Over long ranges
    the points of a course are hours apart, so that its last one is old: `up_to_now` asks for the end of the range as well, of a
    single series.
    """

    kind: ClassVar[str] = "stat"
    calculation: Calculation = "lastNotNull"
    sparkline: bool = False
    change: Change | None = None
    filled: bool = False
    every_row: bool = False
    direction: Literal["auto", "horizontal", "vertical"] = "auto"
    shown: Literal["auto", "value", "value_and_name", "name", "none"] = "auto"
    value_size: int = 40
    title_size: int = 13
    up_to_now: bool = False

    def __attrs_post_init__(self) -> None:
        if self.up_to_now:
            now = (evolve(query, instant=True) for query in self.targets if isinstance(query, PromQuery))
            self.targets = (*self.targets, *now)
            self.transformations = (MERGED, *self.transformations)

    def options(self) -> Json:
        return {
            "colorMode": "background_solid" if self.filled else "value",
            "graphMode": "area" if self.sparkline else "none",
            "justifyMode": "center" if self.filled else "auto",
            "orientation": self.direction,
            "percentChangeColorMode": self.change or "standard",
            "showPercentChange": self.change is not None,
            "textMode": self.shown,
            "wideLayout": False,
            "reduceOptions": reduced(self.calculation, self.every_row),
            "text": {"titleSize": self.title_size, "valueSize": self.value_size},
        }

    def most_points(self) -> int | None:
        return _COURSE_POINTS if self.sparkline else None


@define(slots=False, kw_only=True)
class Gauge(Panel):
    """A figure on a scale from `minimum` to `maximum`, with the thresholds on it."""

    kind: ClassVar[str] = "gauge"
    calculation: Calculation = "lastNotNull"
    every_row: bool = False
    threshold_labels: bool = False

    def options(self) -> Json:
        return {
            "orientation": "auto",
            "shape": "gauge",
            "barShape": "flat",
            "barWidthFactor": 0.5,
            "effects": {"barGlow": False, "centerGlow": False, "gradient": False},
            "segmentCount": 1,
            "segmentSpacing": 0.3,
            "sizing": "auto",
            "minVizHeight": 75,
            "minVizWidth": 75,
            "showThresholdLabels": self.threshold_labels,
            "showThresholdMarkers": True,
            "reduceOptions": reduced(self.calculation, self.every_row),
        }


@define(slots=False, kw_only=True)
class BarGauge(Panel):
    """One bar per series or row, from `minimum` on, longest possible at `maximum`; up to 25 rows.

    Their lengths are compared, so they begin at zero: at the least of all, where Grafana begins else, that one has no length.
    Grafana keeps room for the name with most letters, set in 12 pixels: one with fewer but wider letters fits where names are
    a little smaller than that.
    """

    kind: ClassVar[str] = "bargauge"
    minimum: float | None = 0
    calculation: Calculation = "lastNotNull"
    every_row: bool = False
    direction: Literal["horizontal", "vertical"] = "horizontal"

    def options(self) -> Json:
        return {
            "displayMode": "basic",
            "orientation": self.direction,
            "namePlacement": "left" if self.direction == "horizontal" else "auto",
            "valueMode": "text",
            "showUnfilled": True,
            "sizing": "manual",
            "minVizHeight": 12,
            "minVizWidth": 8,
            "maxVizHeight": 30,
            "reduceOptions": reduced(self.calculation, self.every_row),
            "text": {"titleSize": 11, "valueSize": 14},
            "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
        }
