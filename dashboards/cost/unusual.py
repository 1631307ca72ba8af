"""Cost and traffic against the band of what is usual, and the alerts about it."""

from __future__ import annotations

from contract.signals.model import Signal, equal, like
from dashboards.lib import colours
from dashboards.lib.field import Override, fixed, named
from dashboards.lib.firing import alerts, since
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery
from dashboards.lib.tables import Table, columns
from recording_rules import registry
from recording_rules.anomaly import ANOMALY_LOWER, ANOMALY_UPPER, ANOMALY_VALUE

BAND = {"usually at most": ANOMALY_UPPER, "usually at least": ANOMALY_LOWER}
DASHED = {"fill": "dash", "dash": [6, 4]}


def _band(anomaly: str, name: str, title: str, unit: str, what: str, todo: str, *ends: str) -> Panel:
    def asked(signal: Signal) -> str:
        # Bands are of all agents of an environment together: the filter of agents has no part in them.
        where = (equal("anomaly", anomaly), like("environment", "$environment"))
        return registry.query(signal, ("environment",), "5m", where)

    parts = {"now": asked(ANOMALY_VALUE)} | {end: asked(BAND[end]) for end in ends}
    return TimeSeries(
        name=name,
        title=title,
        description=(
            f"{what}, over five minutes, and the band that its own last day and the same hour of weeks before have drawn. "
            f"Outside of it for ten minutes, an alert tells it. {todo}"
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{environment}}, {{figure}}", step="2m"),),
        unit=unit,
        minimum=0,
        no_value="no band yet: it takes a day of history",
        always_last="24h",
        overrides=(
            Override(
                "byRegexp",
                "/usually/",
                (("color", fixed(colours.AMBER)), ("custom.lineStyle", DASHED), ("custom.lineWidth", 1)),
            ),
        ),
    )


def cost_band() -> Panel:
    return _band(
        "cost", "cost_band", "Cost against the usual, last 24 hours", "currencyUSD", "USD per second of model calls",
        "Above without more queries: an agent runs in circles, or its context has grown; find it in 'What agents cost'.",
        "usually at most",
    )  # fmt: skip


def traffic_band() -> Panel:
    return _band(
        "traffic", "traffic_band", "Queries against the usual, last 24 hours", "reqps", "Queries to agents per second",
        "Above: ask who sends them. Below: open the product as a user would.",
        "usually at most", "usually at least",
    )  # fmt: skip


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
