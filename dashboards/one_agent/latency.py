"""How long the agent takes to answer, and since when."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import AGENT_LATENCY
from dashboards.lib import colours
from dashboards.lib.distributions import Heatmap
from dashboards.lib.field import fixed, lines, named, painted
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery
from dashboards.one_agent.asking import NO_TRAFFIC, latency_targets, percentiles

_LEGEND = "{{figure}} · {{environment}}"
_DASHED = {"fill": "dash", "dash": [6, 4]}


def over_time(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    targets = latency_targets(settings)
    promised = (PromQuery(expr=targets, legend="{{figure}}"),) if targets else ()
    return TimeSeries(
        name="latency",
        title=f"Response time (alert at p95 above {limit:g} s)",
        description=(
            "Half, 95 % and 99 % of its queries were answered within these times, over five minutes, in each chosen "
            "environment; and the target of its service level where it has one. All three rise: everything it does is slower, "
            "look at the model; only p99: one kind of request, see the slow requests."
        ),
        targets=(percentiles(AGENT_LATENCY, (0.5, 0.95, 0.99), ("environment", "agent"), legend=_LEGEND), *promised),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "mean", "max"),
        overrides=(
            *painted(
                {
                    f"{figure} · {settings.environments[0]}": colour
                    for figure, colour in {"p50": colours.LOW, "p95": colours.MIDDLE, "p99": colours.HIGH}.items()
                }
            ),
            *(
                named(f"target of {slo.name}", color=fixed(colours.GREEN), custom_lineStyle=_DASHED)
                for slo in settings.slo
                if slo.sli == "latency"
            ),
        ),
    )


def heatmap() -> Panel:
    return Heatmap(
        name="percentiles",
        title="Percentiles as colours: did something become slower?",
        description=(
            "Each row is a percentile of the response time over one hour, each colour a time. A column that lights up in "
            "all rows is a moment when everything was slow; rows that change colour and stay so are a regression: see what "
            "went into service then."
        ),
        targets=(percentiles(AGENT_LATENCY, (0.5, 0.75, 0.9, 0.95, 0.99), window="1h", step="5m"),),
        unit="s",
        bucket_unit="none",
        no_value=NO_TRAFFIC,
    )
