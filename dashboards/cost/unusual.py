"""Cost and tokens against the band of what is usual, and the alerts about it."""

from __future__ import annotations

from contract.signals.model import Signal, equal, like
from dashboards.lib import colours
from dashboards.lib.field import fixed, named
from dashboards.lib.firing import alerts, since
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask
from dashboards.lib.tables import Table, columns
from recording_rules.anomaly import ANOMALY_UPPER, ANOMALY_VALUE


def _band(anomaly: str, name: str, title: str, unit: str, what: str) -> Panel:
    def asked(signal: Signal) -> str:
        return ask(signal, ("environment",), "5m", (equal("anomaly", anomaly), like("environment", "$environment")))

    parts = {"now": asked(ANOMALY_VALUE), "usually at most": asked(ANOMALY_UPPER)}
    return TimeSeries(
        name=name,
        title=title,
        description=(
            f"{what}, over five minutes, and the upper end of the band that its own last day and the same hour of weeks before "
            "have drawn. Above the band for ten minutes an alert tells it. Without more queries: an agent runs in circles, or "
            "its context has grown; find it in 'What agents cost'."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{environment}}, {{figure}}", step="2m"),),
        unit=unit,
        minimum=0,
        no_value="no band yet: it takes a day of history",
        calculations=("lastNotNull", "max"),
        always_last="24h",
        overrides=(named("production, usually at most", color=fixed(colours.AMBER)),),
    )


def cost_band() -> Panel:
    return _band("cost", "cost_band", "Cost against the usual, last 24 hours", "currencyUSD", "USD per second of model calls")


def tokens_band() -> Panel:
    return _band(
        "tokens", "tokens_band", "Tokens against the usual, last 24 hours", "short", "Tokens per second of model calls"
    )


def firing() -> Panel:
    about = 'alertname=~"Anomaly.*|Cost.*|ModelTokensPerCall.*"'
    headings = {
        "alertname": "Alert", "severity": "Severity", "environment": "Environment", "anomaly": "Figure", "scope": "Scope",
        "Value": "Since",
    }  # fmt: skip
    return Table(
        name="unusual_firing",
        title="Alerts on cost, tokens and unusual figures",
        description="Those that fire now. Each alert's message says what to do; tab SLOs & alerts has its history.",
        targets=(PromQuery(expr=since(alerts("firing", about)), format="table", instant=True),),
        no_value="none fires",
        transformations=columns(headings),
        sorted_by="Since",
        greatest_first=False,
        overrides=(named("Since", unit="dateTimeFromNow"),),
    )
