"""Shares and comparisons: pie chart, bar chart."""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import define

from dashboards.lib.field import Json, Override
from dashboards.lib.panel import PALETTE_IN_ORDER, TOOLTIP, Calculation, Panel, legend, reduced


@define(slots=False, kw_only=True)
class PieChart(Panel):
    """Parts of a whole: few of them, or the small ones summed before."""

    kind: ClassVar[str] = "piechart"
    calculation: Calculation = "lastNotNull"
    every_row: bool = False
    figures: tuple[Literal["percent", "value"], ...] = ("percent", "value")
    """What stands beside the names: narrow panels have room for one."""

    def default_colour(self) -> Json:
        return PALETTE_IN_ORDER

    def options(self) -> Json:
        return {
            "pieType": "donut",
            "sort": "desc",
            "displayLabels": [],
            "legend": {**legend(placement="right"), "displayMode": "table", "values": list(self.figures)},
            "tooltip": TOOLTIP,
            "reduceOptions": reduced(self.calculation, self.every_row),
        }


_NO_SCALE = Override("byType", "number", (("custom.axisPlacement", "hidden"),))


@define(slots=False, kw_only=True)
class BarChart(Panel):
    """Bars per row; `x` names the field with the words below them (the first text field without it).

    Lying bars whose values stand beside them want no scale: below they would stand once more, units that change would run
    together, and the last label is cut where the scale ends on it.
    Grafana keeps no room for the value behind the longest of them; a `BarGauge` does. Without `value_size`, in pixels, it makes
    all values so small that each fits beside its bar and is no higher than two thirds of it.
    Of longer names than `name_letters` the end is cut.
    """

    kind: ClassVar[str] = "barchart"
    x: str | None = None
    direction: Literal["auto", "horizontal", "vertical"] = "auto"
    stacking: Literal["none", "normal", "percent"] = "none"
    values_shown: Literal["auto", "always", "never"] = "auto"
    value_size: int | None = None
    with_legend: bool = True
    with_scale: bool = True
    name_letters: int = 24

    def default_colour(self) -> Json:
        return PALETTE_IN_ORDER

    def options(self) -> Json:
        return {
            "barWidth": 0.9,
            "groupWidth": 0.7,
            "barRadius": 0,
            "fullHighlight": False,
            "orientation": self.direction,
            "showValue": self.values_shown,
            "stacking": self.stacking,
            "xField": self.x,
            "xTickLabelRotation": 0,
            "xTickLabelMaxLength": self.name_letters,
            "xTickLabelSpacing": 0,
            "legend": legend(shown=self.with_legend),
            "tooltip": TOOLTIP,
            **({"text": {"valueSize": self.value_size}} if self.value_size else {}),
        }

    def custom(self) -> Json:
        return {"fillOpacity": 80, "lineWidth": 1, "gradientMode": "none", "thresholdsStyle": {"mode": "off"}, "axisSoftMin": 0}

    def all_overrides(self) -> tuple[Override, ...]:
        # By type: the words beside the bars are an axis, too.
        return self.overrides if self.with_scale else (_NO_SCALE, *self.overrides)
