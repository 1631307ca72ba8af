"""What goes on at this moment, as it happens: streamed to the browser, where the query API tells Grafana."""

from __future__ import annotations

from dashboards.lib.field import Override
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.layout import Row, line, row
from dashboards.lib.panel import PALETTE, Panel
from dashboards.lib.queries import LiveQuery

_LATELY = "5m"
_BY_ENVIRONMENT = Override("byType", "number", (("displayName", "${__field.labels.environment}"),))
_HOW = "A point comes with each commit of the counting process, within a second or so; the graph begins when the tab is opened."


def rows() -> tuple[Row, ...]:
    return (row("live", "At this moment", line(7, conversations(), executions(), errors())),)


def conversations() -> Panel:
    return _streamed(
        "live_conversations",
        "Conversations going on",
        "active_conversations",
        "short",
        "Conversations that began within a day and have not ended. A fall to nothing while people work: they cannot get in.",
    )


def executions() -> Panel:
    return _streamed(
        "live_executions",
        "Executions a second",
        "executions_per_second",
        "ops",
        "Executions that ended in the last minute, for each second. None while conversations go on: agents hang, or the "
        "counting process does.",
    )


def errors() -> Panel:
    return _streamed(
        "live_errors",
        "Failed in the last minute",
        "errors",
        "short",
        "Of the executions that ended in the last minute, those that failed or timed out. A step up that stays: look at the "
        "latest failed executions below.",
    )


def _streamed(name: str, title: str, figure: str, unit: str, words: str) -> Panel:
    return TimeSeries(
        name=name,
        title=title,
        description=f"{words} {_HOW}",
        targets=(LiveQuery(figure=figure),),
        unit=unit,
        colour=PALETTE,
        no_value="waits for figures: Grafana streams them while `observatory api` runs",
        overrides=(_BY_ENVIRONMENT,),
        always_last=_LATELY,
        calculations=("lastNotNull",),
    )
