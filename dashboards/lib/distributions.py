"""How values are spread: heatmap, histogram, xy chart."""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import define

from dashboards.lib.field import Json
from dashboards.lib.panel import PALETTE, TOOLTIP, Panel, legend


@define(slots=False, kw_only=True)
class Heatmap(Panel):
    """Counts per bucket over time. With `buckets` the queries give the buckets; without, they are made of plain values.

    From `strongest` on, the colour stays the same: one extreme value would make all others look alike.
    """

    kind: ClassVar[str] = "heatmap"
    buckets: bool = True
    bucket_unit: str = "s"
    scheme: str = "Viridis"
    strongest: float | None = None

    def options(self) -> Json:
        return {
            "calculate": not self.buckets,
            "cellGap": 1,
            "cellValues": {"unit": self.unit},
            "color": {
                "mode": "scheme",
                "scheme": self.scheme,
                "steps": 64,
                "exponent": 0.5,
                "fill": "dark-orange",
                "reverse": False,
                "max": self.strongest,
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"} if self.buckets else None,
            "showValue": "never",
            "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": True},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": self.bucket_unit},
        }

    def custom(self) -> Json:
        return {"scaleDistribution": {"type": "linear"}}


@define(slots=False, kw_only=True)
class Histogram(Panel):
    """How often values fall into equal buckets. `bucket_count` is a wish; `combined` puts all series into one."""

    kind: ClassVar[str] = "histogram"
    bucket_count: int = 30
    combined: bool = False

    def default_colour(self) -> Json:
        return PALETTE

    def options(self) -> Json:
        return {"bucketCount": self.bucket_count, "combine": self.combined, "legend": legend(), "tooltip": TOOLTIP}

    def custom(self) -> Json:
        return {"fillOpacity": 80, "lineWidth": 1, "gradientMode": "none", "stacking": {"mode": "none", "group": "A"}}


@define(slots=False, kw_only=True)
class XYChart(Panel):
    """One point per row: field `x` against field `y`."""

    kind: ClassVar[str] = "xychart"
    x: str
    y: str
    shown: Literal["points", "lines", "points+lines"] = "points"

    def default_colour(self) -> Json:
        return PALETTE

    def options(self) -> Json:
        pair = {axis: {"matcher": {"id": "byName", "options": field}} for axis, field in (("x", self.x), ("y", self.y))}
        first_frame = {"matcher": {"id": "byIndex", "options": 0}}
        return {
            "mapping": "manual",
            "series": [{**pair, "frame": first_frame}],
            "legend": legend(),
            "tooltip": {"mode": "single", "sort": "none"},
        }

    def custom(self) -> Json:
        return {"show": self.shown, "pointSize": {"fixed": 5}, "pointShape": "circle", "fillOpacity": 50, "lineWidth": 1}
