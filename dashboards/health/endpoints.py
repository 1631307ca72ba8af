"""The HTTP interface by route: how much, how often it fails, how long it takes. Routes are templates, never addresses."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.http import (
    HTTP_CLIENT_ERROR_RATIO,
    HTTP_IN_PROGRESS,
    HTTP_LATENCY,
    HTTP_REQUESTS,
    HTTP_SERVER_ERROR_RATIO,
)
from dashboards.health.headline import NO_TRAFFIC
from dashboards.lib import colours
from dashboards.lib.field import at_most, lines, named, painted
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask, greatest
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, MERGED, Table, columns

MOST = 8
BY = ("handler",)
P95, P99 = HTTP_LATENCY, HTTP_LATENCY.at(0.99)


def rates() -> Panel:
    return TimeSeries(
        name="request_rates",
        title=f"Requests by route ({MOST} busiest)",
        description=(
            f"{HTTP_REQUESTS.description}, over five minutes, of the {MOST} busiest routes at each moment. One route jumps: a "
            "client repeats, look at who calls it. All fall: look upstream, at login and network."
        ),
        targets=(PromQuery(expr=f"topk({MOST}, {ask(HTTP_REQUESTS, BY, '5m')})", legend="{{handler}}"),),
        unit="reqps",
        minimum=0,
        no_value=NO_TRAFFIC,
        calculations=("max",),
    )


def errors(settings: Settings) -> Panel:
    limit = settings.thresholds.http_error_ratio
    parts = {"refused (4xx)": ask(HTTP_CLIENT_ERROR_RATIO, (), "5m"), "failed (5xx)": ask(HTTP_SERVER_ERROR_RATIO, (), "5m")}
    return TimeSeries(
        name="error_shares",
        title=f"Refused and failed (alert above {limit:.0%})",
        description=(
            "Share of answers of the 4xx and of the 5xx class, over five minutes. 5xx: the platform fails. 4xx: callers do "
            "something wrong, or a deployment changed what they may ask; a burst of 401 is somebody who tries passwords."
        ),
        targets=(PromQuery(expr=union("class", parts), legend="{{class}}"),),
        unit="percentunit",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "max"),
        overrides=painted({"refused (4xx)": colours.AMBER, "failed (5xx)": colours.RED}),
    )


def latency(settings: Settings) -> Panel:
    limit = settings.thresholds.http_seconds
    return TimeSeries(
        name="route_latency",
        title=f"Slowest routes (alert above {limit:g} s)",
        description=(
            f"{P95.description}, over five minutes, in the environment where it is longest; the {MOST} slowest routes at each "
            "moment, on a logarithmic scale. "
            "Routes that wait for a model are slow by nature; others that become slow wait for database or cache."
        ),
        targets=(PromQuery(expr=f"topk({MOST}, {greatest(P95, BY)} >= 0)", legend="{{handler}}"),),
        unit="s",
        logarithmic=True,
        soft_minimum=0.005,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        calculations=("max",),
    )


def table(settings: Settings) -> Panel:
    limits = settings.thresholds
    asked = {
        "Requests": ask(HTTP_REQUESTS, BY, "5m"),
        "Failed": ask(HTTP_SERVER_ERROR_RATIO, BY, "5m"),
        "Refused": ask(HTTP_CLIENT_ERROR_RATIO, BY, "5m"),
        "p95": f"{greatest(P95, BY)} >= 0",
        "p99": f"{greatest(P99, BY)} >= 0",
        "In progress": ask(HTTP_IN_PROGRESS, BY, ""),
    }
    values = {f"Value #{chr(65 + place)}": name for place, name in enumerate(asked)}
    graded = at_most(limits.http_error_ratio, limits.http_error_ratio_page).to_json_data()
    return Table(
        name="routes",
        title="Routes",
        description=(
            "Each route over the last five minutes: requests per second, share that failed (5xx) and was refused (4xx), and "
            "how long 95 % and 99 % of them took at most, in the environment where it is longest. Coloured from where the "
            "alerts begin."
        ),
        targets=tuple(PromQuery(expr=expr, instant=True, format="table") for expr in asked.values()),
        no_value=NO_TRAFFIC,
        transformations=(MERGED, *columns({"handler": "Route", **values})),
        sorted_by="Requests",
        paged=True,
        overrides=(
            named("Requests", unit="reqps", decimals=2, custom_cellOptions=BAR_CELL, custom_width=190, min=0, fieldMinMax=True),
            named("Failed", unit="percentunit", decimals=1, thresholds=graded, custom_width=90,
                  custom_cellOptions=COLOURED_TEXT),
            named("Refused", unit="percentunit", decimals=1, custom_width=95),
            named("p95", unit="s", custom_width=95, thresholds=at_most(limits.http_seconds).to_json_data(),
                  custom_cellOptions=COLOURED_TEXT),
            named("p99", unit="s", custom_width=95),
            named("In progress", unit="short", decimals=0, custom_width=110),
        ),
    )  # fmt: skip
