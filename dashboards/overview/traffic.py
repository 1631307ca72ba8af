"""The platform's HTTP interface: how much, how well, how fast."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.http import HTTP_LATENCY, HTTP_REQUESTS, HTTP_SERVER_ERROR_RATIO
from dashboards.lib import colours
from dashboards.lib.field import at_most, painted
from dashboards.lib.figures import NEITHER, Stat
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import quantiles, series

NO_REQUESTS = "no requests in range"


def requests() -> Panel:
    return Stat(
        name="request_rate",
        title="Requests, last hour",
        description=(
            "HTTP requests answered per second, over one hour, with its course. Far below the same hour of other days: look "
            "upstream, at login and network; far above: at clients that repeat."
        ),
        targets=(series(HTTP_REQUESTS, window="1h"),),
        width=5,
        unit="reqps",
        decimals=2,
        minimum=0,
        no_value=NO_REQUESTS,
        sparkline=True,
        change=NEITHER,
    )


def server_errors(settings: Settings) -> Panel:
    limits = settings.thresholds
    return Stat(
        name="server_error_share",
        title="Server errors, 1 h",
        description=(
            f"{DEFINITIONS['server_error_ratio'].formula}, over one hour. Above {limits.http_error_ratio:.0%}: the platform "
            "itself fails, before any agent is asked; look at its log and its database."
        ),
        targets=(series(HTTP_SERVER_ERROR_RATIO, window="1h"),),
        width=5,
        unit="percentunit",
        decimals=2,
        minimum=0,
        no_value=NO_REQUESTS,
        limits=at_most(limits.http_error_ratio, limits.http_error_ratio_page),
        sparkline=True,
    )


def response_times() -> Panel:
    return TimeSeries(
        name="response_times",
        title="Response time of the API",
        description=(
            "Half, 95 % and 99 % of all HTTP requests were answered within these times, over five minutes. All three rise: the "
            "platform is overloaded; only p99: one route or one dependency."
        ),
        targets=(quantiles(HTTP_LATENCY, (0.5, 0.95, 0.99), window="5m"),),
        unit="s",
        minimum=0,
        no_value=NO_REQUESTS,
        calculations=("lastNotNull", "mean", "max"),
        legend_placement="right",
        overrides=painted({"p50": colours.LOW, "p95": colours.MIDDLE, "p99": colours.HIGH}),
    )
