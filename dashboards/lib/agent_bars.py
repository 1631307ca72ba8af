"""Agents compared by lying bars, each in its agent's colour, with the limit as a line across."""

from __future__ import annotations

from typing import Literal

from attrs import define

from dashboards.lib import colours
from dashboards.lib.field import Json, fixed
from dashboards.lib.shares import BarChart

AGENT = "agent"
"""The column with their names."""
WHOLE = 1.05
"""Where the scale of a share ends: one that ended at 100 % would have its last label cut."""


@define(slots=False, kw_only=True)
class AgentBars(BarChart):
    """One bar per row, in the order of the rows. The query gives `agent` and the figure; `x` is what is written beside a bar.

    The axis runs to `soft_maximum` unless a value lies beyond, so that the limit stays in sight.
    """

    x: str | None = AGENT
    direction: Literal["auto", "horizontal", "vertical"] = "horizontal"
    values_shown: Literal["auto", "always", "never"] = "always"
    value_size: int | None = 12
    with_legend: bool = False
    soft_maximum: float | None = None

    def default_colour(self) -> Json:
        return fixed(colours.NEUTRAL)

    def options(self) -> Json:
        return {**super().options(), "colorByField": AGENT}

    def custom(self) -> Json:
        return {**super().custom(), "thresholdsStyle": {"mode": "dashed"}, "axisSoftMax": self.soft_maximum}
