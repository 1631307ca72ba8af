"""How much agents have to do, and how much of what they can take that is."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import AGENT_QUERIES, CAPACITY_USED
from dashboards.lib import colours
from dashboards.lib.field import fixed, lines, of_query
from dashboards.lib.filters import acting
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, ask, series
from dashboards.performance.fleet import BY, BY_AGENTS, HOUR, NO_TRAFFIC, NOW, capacity
from dashboards.performance.places import around, one_agent

LIMIT_LINE = of_query("B", color=fixed(colours.RED), custom_lineStyle={"fill": "dash", "dash": [8, 4]}, custom_fillOpacity=0)
MOST = 8


def throughput() -> Panel:
    with acting(("environment", "agent")):
        finished = series(AGENT_QUERIES, BY, window=HOUR, step="1m")
        limit = PromQuery(expr=capacity(), legend="limit · {{environment}}")
    return TimeSeries(
        name="throughput",
        title="Queries per second, and the limit",
        description=(
            "Queries finished per second by environment, over one hour, and dashed the sum of the configured limits of the "
            "chosen agents, on a logarithmic scale. The shaded hour is each day's busiest. A click asks who filled the hour."
        ),
        targets=(finished, limit),
        unit="reqps",
        logarithmic=True,
        soft_minimum=0.01,
        no_value=NO_TRAFFIC,
        overrides=(LIMIT_LINE,),
        calculations=("mean", "max"),
        data_links=(around("Who filled this hour", "agents"),),
    )


def utilisation(settings: Settings) -> Panel:
    limits = settings.thresholds
    return TimeSeries(
        name="utilisation",
        title=f"Capacity used by agent (alert above {limits.capacity_ratio:.0%})",
        description=(
            f"{CAPACITY_USED.description}, over five minutes; the {MOST} fullest at each moment. Lines: where the alert "
            "begins, and the critical one. Above: add processes, or limit the client that sends most."
        ),
        targets=(
            PromQuery(
                expr=f"topk({MOST}, {ask(CAPACITY_USED, BY_AGENTS, NOW)})", legend="{{agent}} · {{environment}}", step="1m"
            ),
        ),
        unit="percentunit",
        minimum=0,
        soft_maximum=1,
        no_value="no limit configured",
        limits=lines((limits.capacity_ratio, colours.DEGRADED), (limits.capacity_ratio_critical, colours.DOWN)),
        drawn="dashed",
        calculations=("lastNotNull", "max"),
        data_links=(one_agent("${__field.labels.agent}"),),
    )
