"""The ledger of model calls: is it complete, and how long will the requests last?"""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.sources import LEDGER_LAG, REQUESTS_LEFT, TRUNCATED
from dashboards.lib import colours
from dashboards.lib.field import lines
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, series
from dashboards.observatory.signals import CORRECTIONS, RECONCILED, UNPRICED
from recording_rules import registry


def lag(settings: Settings) -> Panel:
    limit = settings.thresholds.ledger_lag_seconds
    return TimeSeries(
        name="ledger_lag",
        title=f"Age of the ledger (alert: {limit / 60:g} min)",
        description="Age of the newest model call that was read. It grows by itself while nobody calls a model.",
        targets=(series(LEDGER_LAG, ("source",)),),
        unit="s",
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        no_value="no ledger: windows mode",
        calculations=("lastNotNull", "max"),
    )


def requests_left(settings: Settings) -> Panel:
    limit = settings.thresholds.requests_left
    return TimeSeries(
        name="requests_left",
        title=f"Requests left (alert below {limit:.0%})",
        description="Requests that are left of those that an interface allows in its period. The reader slows down by itself.",
        targets=(series(REQUESTS_LEFT, ("api",)),),
        unit="percentunit",
        maximum=1,
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        no_value="no limit is known: a server of one's own has none",
        calculations=("lastNotNull", "min"),
    )


def reconciliation() -> Panel:
    return TimeSeries(
        name="reconciliation",
        title="Ledger against Langfuse's own sums",
        description="Calls, tokens and cost of the ledger / Langfuse's aggregate of the same settled hour. 100 % is equal; "
        "below, calls are missing in the ledger.",
        targets=(series(RECONCILED, ("measure",)),),
        unit="percentunit",
        soft_minimum=0.9,
        soft_maximum=1.1,
        no_value="not compared yet",
        calculations=("lastNotNull", "min"),
    )


def corrections() -> Panel:
    return TimeSeries(
        name="corrections",
        title="Corrections",
        description="Calls that came again with other figures, and whose difference was booked. Some are normal: Langfuse adds "
        "prices later.",
        targets=(series(CORRECTIONS, ("measure",)),),
        unit="short",
        style="bars",
        soft_maximum=1,
        no_value="no ledger: windows mode",
        calculations=("max",),
    )


def unpriced() -> Panel:
    return TimeSeries(
        name="unpriced",
        title="Calls without a price",
        description="Calls of models that neither Langfuse nor the configuration has a price for: their cost is missing. Add a "
        "price in `sources.langfuse.prices`.",
        targets=(PromQuery(expr=registry.query(UNPRICED, ("model",), "$__rate_interval"), legend="{{model}}"),),
        unit="short",
        style="bars",
        soft_maximum=1,
        no_value="no ledger: windows mode",
        calculations=("max",),
    )


def cut() -> Panel:
    return TimeSeries(
        name="cut_answers",
        title="Cut answers",
        description="Answers that were cut at the row limit: the figures of that question are too small. See AnswersCut.",
        targets=(series(TRUNCATED, ("source", "query")),),
        unit="short",
        style="bars",
        soft_maximum=1,
        no_value="nothing was ever cut",
        calculations=("max",),
    )
