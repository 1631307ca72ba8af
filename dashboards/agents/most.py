"""Graphs of the last day: the agents that have most of something, at each moment."""

from __future__ import annotations

from typing import Any

from contract.signals.model import Signal
from dashboards.lib.field import narrowing_link
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.queries import PromQuery, ask

MOST = 8
LATELY = "24h"
"""These graphs show how it is now, whatever range the days are over."""
ONE_AGENT = narrowing_link("This agent in detail", "one-agent", "agent", "${__field.labels.agent}", ("environment",))
_BY = ("environment", "agent")


def most(signal: Signal, window: str, **panel: Any) -> TimeSeries:
    """The `MOST` agents with most of a signal over a window; `panel` is what else the graph is given."""
    return TimeSeries(
        targets=(PromQuery(expr=f"topk({MOST}, {ask(signal, _BY, window)})", legend="{{agent}} · {{environment}}"),),
        minimum=0,
        always_last=LATELY,
        calculations=("lastNotNull", "max"),
        data_links=(ONE_AGENT,),
        **panel,
    )
