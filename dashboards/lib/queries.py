"""What panels ask: PromQL and SQL; and what streams to them.

Data sources are variables of the dashboard, so that one file fits every Grafana.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Literal

from attrs import define, field
from attrs.validators import in_

from contract.live import CHANNEL, FIGURES
from contract.signals.model import Match, Matches, Quantile, Signal
from contract.values import duration_seconds
from dashboards.lib.describe import read_series
from dashboards.lib.filters import filtered
from dashboards.lib.promql import union
from recording_rules import registry

Json = dict[str, Any]


@define(kw_only=True)
class PromQuery:
    """One PromQL query. `instant` asks for the end of the range only; `step` is the least distance between two points.

    Without `step`, what is recorded is asked no more often than it is recorded.
    `legend` is Grafana's text with `{{label}}`; empty leaves the naming to Grafana.
    """

    source: ClassVar[Json] = {"type": "prometheus", "uid": "${prometheus}"}
    expr: str
    legend: str = "__auto"
    instant: bool = False
    format: Literal["time_series", "table", "heatmap"] = "time_series"
    step: str | None = None

    @property
    def text(self) -> str:
        return self.expr

    def to_json_data(self) -> Json:
        return {
            "datasource": self.source,
            "editorMode": "code",
            "expr": self.expr,
            "format": self.format,
            "instant": self.instant,
            "range": not self.instant,
            "interval": self.step or self._recorded_every(),
            "legendFormat": self.legend,
        }

    def _recorded_every(self) -> str | None:
        every = [_recorded_every().get(name) for name in read_series([self.expr])]
        known = [interval for interval in every if interval]
        return min(known, key=duration_seconds) if known and len(known) == len(every) and not self.instant else None


@cache
def _recorded_every() -> dict[str, str]:
    """How often each recorded series that every site has is recorded: a duration, by its name."""
    return {rule.record: group.interval for group in registry.fixed_groups() for rule in group.rules}


@define(kw_only=True)
class SqlQuery:
    """One SQL query. A `time_series` needs a column `time` and is sorted by it; text columns name the series."""

    source: ClassVar[Json] = {"type": "grafana-postgresql-datasource", "uid": "${postgres}"}
    sql: str
    format: Literal["table", "time_series"] = "table"

    @property
    def text(self) -> str:
        return self.sql

    def to_json_data(self) -> Json:
        return {
            "datasource": self.source,
            "editorMode": "code",
            "format": self.format,
            "rawQuery": True,
            "rawSql": self.sql,
        }


@define(kw_only=True)
class LiveQuery:
    """A figure that Grafana streams to the browser: it is told of each, and nothing is asked. One series an environment."""

    source: ClassVar[Json] = {"type": "datasource", "uid": "grafana"}
    text: ClassVar[str] = ""
    figure: str = field(validator=in_(FIGURES))

    def to_json_data(self) -> Json:
        return {
            "datasource": self.source,
            "queryType": "measurements",
            "channel": CHANNEL,
            "filter": {"fields": ["time", self.figure]},
        }


Query = PromQuery | SqlQuery | LiveQuery


def in_range(begin: str) -> str:
    """An SQL condition: a day or an hour of a roll-up has its `begin` in the range. The one that begins where the range ends is
    the first of what comes after it, which `$__timeFilter` would let in whole.
    """
    return f"({begin} >= $__timeFrom() AND {begin} < $__timeTo())"


def ask(signal: Signal, by: tuple[str, ...] = (), window: str = "$__rate_interval", where: Matches = (), ago: str = "") -> str:
    """PromQL of a signal under the dashboard's filters, from recorded series where they fit; as it was `ago` before."""
    return registry.query(signal, by, window, where + filtered(signal), ago)


def series(
    signal: Signal,
    by: tuple[str, ...] = (),
    *,
    window: str = "$__rate_interval",
    where: Matches = (),
    legend: str = "",
    instant: bool = False,
    step: str | None = None,
) -> PromQuery:
    """A signal as a query. Without `legend` its series are called by the values of `by`, or by the signal's title."""
    named_by = " · ".join(f"{{{{{label}}}}}" for label in by) or signal.title
    return PromQuery(expr=ask(signal, by, window, where), legend=legend or named_by, instant=instant, step=step)


def quantiles(signal: Quantile, at: tuple[float, ...], *, window: str = "$__rate_interval", where: Matches = ()) -> PromQuery:
    """Several quantiles of one histogram in one query; the series are called p50, p95 and so on."""
    parts = {signal.at(q).title: ask(signal.at(q), (), window, where) for q in at}
    return PromQuery(expr=union("figure", parts), legend="{{figure}}")


def slowest(signal: Quantile, by: tuple[str, ...], *, window: str = "5m") -> PromQuery:
    """A quantile by `by`, in that one of the chosen environments where it is greatest: recorded for each, never for some."""
    return PromQuery(expr=greatest(signal, by, window), legend=" · ".join(f"{{{{{label}}}}}" for label in by))


def greatest(signal: Quantile, by: tuple[str, ...], window: str = "5m") -> str:
    """PromQL of `slowest`."""
    return f"max by ({', '.join(by)}) ({ask(signal, ('environment', *by), window)})"


def leading(expression: str, by: tuple[str, ...], most: int, *, lowest: bool = False) -> str:
    """PromQL of those `most` series, told apart by `by`, that were highest at some time of the range, each from end to end.

    Without it a graph has a line for each of hundreds of agents; with `topk` alone it has pieces of them. `lowest` turns it.
    """
    choose, reach = ("bottomk", "min") if lowest else ("topk", "max")
    reached = f"{reach}_over_time(({expression})[$__range:$__interval] @ end())"
    return f"({expression}) and on ({', '.join(by)}) {choose}({most}, {reached})"


def top(signal: Signal, label: str, count: int, *, window: str = "", overflow: str = "other", where: Matches = ()) -> PromQuery:
    """The greatest `count` values of a label, and all the rest as one series called by `overflow`.

    The label may already have that value (the contract's overflow); it is never one of the greatest.
    """
    greatest = f"topk({count}, {ask(signal, (label,), window, (*where, Match(label, '!=', overflow)))})"
    rest = f"{ask(signal, (), window, where)} - (sum({greatest}) or vector(0)) > 0"
    return PromQuery(
        expr=f'{greatest}\nor label_replace({rest}, "{label}", "{overflow}", "", "")', legend=f"{{{{{label}}}}}", instant=True
    )
