"""A period against the one before: how long before, a reader chooses; everything that compares by it asks recorded series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_QUERIES
from contract.signals.model import Signal
from dashboards.lib import colours
from dashboards.lib.field import Override, Word, at_most, fixed, of_query, words
from dashboards.lib.figures import Stat
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.layout import Row, line, row
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery
from dashboards.lib.variables import SwitchVariable

COMPARE = SwitchVariable(
    name="compare",
    label="Before means",
    values={"7d": "a week before", "1d": "a day before", "1h": "an hour before", "30d": "30 days before"},
    description="Acts on all panels of the row 'Now against before'.",
)
Asked = Callable[[Signal, str], str]
"""PromQL of a signal by environment over one hour, as it was so long ago; now where that is empty."""
_AGO = f"${COMPARE.name}"
_BEFORE = of_query("B", color=fixed(colours.GREY), custom_lineStyle={"fill": "dash", "dash": [8, 4]})
_NO_TRAFFIC = "no traffic now or then"
_FIGURES = {"Queries": AGENT_QUERIES, "p95": AGENT_LATENCY, "Error ratio": AGENT_ERROR_RATIO}


def against_before(of: str, asked: Asked, settings: Settings) -> Row:
    """The row that compares. `of` says in words whose figures they are."""
    limits = settings.thresholds

    def course(name: str, title: str, description: str, signal: Signal, unit: str, **look: Any) -> Panel:
        return TimeSeries(
            name=name,
            title=title,
            description=f"{description} Over one hour, of {of}; dashed as it was so long before as is chosen above.",
            targets=(
                PromQuery(expr=asked(signal, ""), legend="{{environment}}", step="5m"),
                PromQuery(expr=asked(signal, _AGO), legend="before · {{environment}}", step="5m"),
            ),
            unit=unit,
            minimum=0,
            no_value=_NO_TRAFFIC,
            calculations=("max",),
            overrides=(_BEFORE,),
            **look,
        )

    return row(
        "before",
        "Now against before",
        line(4, _changes(of, asked, limits.regression_ratio - 1)),
        line(
            9,
            course(
                "queries_before", "Queries per second, now and before",
                "Less than before while the time stays: people stay away, or cannot get through.", AGENT_QUERIES, "reqps",
            ),
            course(
                "latency_before", "p95, now and before",
                "Above the dashed line at every hour: something became slower for good, look at versions and models; at "
                "some hours only: load.", AGENT_LATENCY, "s",
            ),
            course(
                "errors_before", "Error ratio, now and before",
                "Above the dashed line since one moment: look at what was deployed then.", AGENT_ERROR_RATIO, "percentunit",
            ),
        ),
        collapsed=True,
    )  # fmt: skip


def _changes(of: str, asked: Asked, worse: float) -> Panel:
    changed = {title: _change(asked(signal, ""), asked(signal, _AGO)) for title, signal in _FIGURES.items()}
    return Stat(
        name="changes_before",
        title="Change of the last hour against the same hour before",
        description=(
            f"The last hour of {of} / the hour so long before as is chosen above, less one: queries, p95 and error ratio. p95 "
            f"and error ratio are amber from {worse:.0%} more, where a version counts as worse. An hour before is another "
            "hour of the day: for a fair comparison choose a day or a week. From none: there was nothing of it then."
        ),
        targets=(PromQuery(expr=union("figure", changed), legend="{{figure}} · {{environment}}", instant=True),),
        unit="percentunit",
        decimals=1,
        no_value=_NO_TRAFFIC,
        mappings=tuple(words({"Infinity": Word("from none")})),
        shown="value_and_name",
        value_size=24,
        overrides=(Override("byRegexp", "/^(p95|Error ratio)/", (("thresholds", at_most(worse).to_json_data()),)),),
    )


def _change(now: str, before: str) -> str:
    """PromQL of now / before, less one: zero of nothing that stayed nothing, infinite of what came from nothing, and no number
    where either is none, as a percentile without traffic is.
    """
    same = f"({now}) == ({before})"
    return f"((({now}) / ({before}) - 1) unless {same} or 0 * ({same}))"
