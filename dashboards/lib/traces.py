"""One request from inside, and who calls whom: flame graph, traces, node graph. The shape of the rows is the panels' own."""

from __future__ import annotations

from typing import ClassVar

from attrs import define

from dashboards.lib.field import Json
from dashboards.lib.panel import Panel


@define(slots=False, kw_only=True)
class FlameGraph(Panel):
    """Areas within areas: rows label, level, value, self, depth first, exactly one at level 0."""

    kind: ClassVar[str] = "flamegraph"


@define(slots=False, kw_only=True)
class Traces(Panel):
    """One trace: rows traceID, spanID, parentSpanID, operationName, serviceName, startTime and duration in milliseconds."""

    kind: ClassVar[str] = "traces"
    unitless: ClassVar[bool] = True


@define(slots=False, kw_only=True)
class NodeGraph(Panel):
    """Two queries: nodes (id, title, mainstat) and edges (id, source, target, mainstat)."""

    kind: ClassVar[str] = "nodeGraph"
    edge_unit: str = "short"

    def options(self) -> Json:
        return {"nodes": {"mainStatUnit": self.unit}, "edges": {"mainStatUnit": self.edge_unit}, "zoomMode": "cooperative"}
