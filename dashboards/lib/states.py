"""States over time: state timeline, status history."""

from __future__ import annotations

from typing import ClassVar

from attrs import define

from dashboards.lib.field import Json
from dashboards.lib.panel import TOOLTIP, Panel, legend


@define(slots=False, kw_only=True)
class _States(Panel):
    unitless: ClassVar[bool] = True
    row_height: float = 0.8
    with_legend: bool = True

    def options(self) -> Json:
        return {
            "showValue": "auto",
            "rowHeight": self.row_height,
            "legend": legend(shown=self.with_legend),
            "tooltip": TOOLTIP,
        }

    def custom(self) -> Json:
        return {"fillOpacity": 80, "lineWidth": 0}


@define(slots=False, kw_only=True)
class StateTimeline(_States):
    """How long a state lasted: equal neighbours are drawn as one."""

    kind: ClassVar[str] = "state-timeline"

    def options(self) -> Json:
        return {**super().options(), "mergeValues": True, "alignValue": "left"}


@define(slots=False, kw_only=True)
class StatusHistory(_States):
    """The state at each point in time, as a grid."""

    kind: ClassVar[str] = "status-history"

    def options(self) -> Json:
        return {**super().options(), "colWidth": 0.9}
