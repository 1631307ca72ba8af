"""How long answers take: percentiles against the targets, and how the times are spread."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf

from contract.buckets import AGENT
from contract.settings import Settings
from contract.signals.model import Rate
from dashboards.lib import colours
from dashboards.lib.distributions import Heatmap
from dashboards.lib.executions import ALL_FILTERS, SECONDS, TIER, TIME_BUCKET, ended, in_time_share, percentile
from dashboards.lib.field import PLAIN, at_most, fixed, lines, named, of_query
from dashboards.lib.figures import Stat
from dashboards.lib.filters import acting
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import among, union
from dashboards.lib.queries import PromQuery, SqlQuery, ask, series
from dashboards.lib.shares import BarChart
from dashboards.lib.variables import TIERS
from dashboards.performance.fleet import BY, HOUR, NO_TRAFFIC, NOW, PERCENTILES, in_time
from dashboards.performance.places import around, here
from dashboards.performance.service_levels import WELL, levels

TARGET = of_query("B", color=fixed(colours.RED), custom_lineStyle={"fill": "dash", "dash": [8, 4]})
_AT = "e.start_time AS at"


def targets(settings: Settings) -> dict[float, str]:
    """Limits in seconds on how long an answer may take, each with the name of who set it."""
    promised = {slo.target_seconds: slo.name for slo in levels(settings) if slo.target_seconds}
    return promised | {settings.thresholds.response_seconds: "alert"}


def over_time(settings: Settings) -> Panel:
    limit, all_ = settings.thresholds.response_seconds, targets(settings)
    told = ", ".join(f"{seconds:g} s ({name})" for seconds, name in sorted(all_.items()))
    parts = {signal.title: ask(signal, BY, NOW) for signal in PERCENTILES}
    promised = {f"target {name}": f"vector({seconds:g})" for seconds, name in sorted(all_.items())}
    return TimeSeries(
        name="latency",
        title=f"Response time of all agents (alert above {limit:g} s)",
        description=(
            "Half, 95 % and 99 % of all queries were answered within these times, over five minutes, by environment; dashed, "
            f"and in the tooltip, the targets: {told}. All percentiles rise: every agent, or a model, is slow; only p99: "
            "single requests, see the slow requests. A click leads to the distribution of that hour."
        ),
        targets=(
            PromQuery(expr=union("figure", parts), legend="{{figure}} · {{environment}}", step="1m"),
            PromQuery(expr=union("figure", promised), legend="{{figure}}", step="1m"),
        ),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        soft_maximum=limit * 1.2,
        bridged=900_000,
        calculations=("lastNotNull", "mean", "max"),
        overrides=(TARGET,),
        data_links=(around("How the times of this hour are spread", "distribution"),),
    )


def in_time_over_time(settings: Settings) -> Panel:
    signal = in_time(settings)
    return TimeSeries(
        name="in_time",
        title=f"Answered within {settings.thresholds.response_seconds:g} s",
        description=(
            f"{signal.description}, over one hour, by environment: compliance with the limit at which the alert begins. The "
            "lines are 99 % and 95 %. Falling: the agents' table says whose p95 rises."
        ),
        targets=(series(signal, BY, window=HOUR, step="5m"),),
        unit="percentunit",
        maximum=1,
        soft_minimum=0.9,
        no_value=NO_TRAFFIC,
        limits=lines((0.99, colours.DEGRADED), (0.95, colours.DOWN)),
        drawn="dashed",
        calculations=("lastNotNull", "min"),
        data_links=(here("Which agents are slow", "agents"),),
    )


DISTRIBUTION = """
WITH x AS (
  {executions}
), counted AS (
  SELECT width_bucket(x.seconds::float8, {bounds}) AS bucket, x.seconds <= {limit} AS quick, count(*) AS n
  FROM x GROUP BY 1, 2
)
SELECT coalesce(({names})[bucket + 1], '') AS seconds, sum(n) FILTER (WHERE quick)::float8 AS within,
  sum(n) FILTER (WHERE NOT quick)::float8 AS beyond
FROM generate_series((SELECT min(bucket) FROM counted), (SELECT max(bucket) FROM counted)) AS bucket
LEFT JOIN counted USING (bucket)
GROUP BY bucket ORDER BY bucket
""".strip()


def distribution(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    bounds = f"ARRAY[{', '.join(f'{bound:g}' for bound in AGENT)}]::float8[]"
    edges = [
        f"to {AGENT[0]:g}",
        *(f"{low:g}–{high:g}" for low, high in pairwise(AGENT)),
        f"over {AGENT[-1]:g}",
    ]
    texts = ", ".join(f"'{edge}'" for edge in edges)
    sql = DISTRIBUTION.format(executions=ended(SECONDS), bounds=bounds, names=f"ARRAY[{texts}]", limit=f"{limit:g}")
    within, beyond = f"within {limit:g} s", f"beyond {limit:g} s"
    return BarChart(
        name="distribution",
        title="How the times are spread, in seconds",
        description=(
            f"Executions of the range by how long they took; those beyond {limit:g} s, where the alert begins, have another "
            "colour. The percentiles stand beside it. A second hill far right: a timeout, a retry or one slow dependency. "
            f"{ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=sql),),
        width=18,
        unit="locale",
        decimals=0,
        no_value=NO_TRAFFIC,
        stacking="normal",
        x="seconds",
        values_shown="never",
        overrides=(
            named("within", displayName=within, color=fixed(colours.BLUE)),
            named("beyond", displayName=beyond, color=fixed(colours.RED)),
        ),
    )


SPREAD = """
WITH x AS (
  {executions}
)
SELECT {p50} AS p50, {p95} AS p95, {p99} AS p99, avg(x.seconds)::float8 AS mean, {in_time} AS within,
  count(*)::float8 AS executions
FROM x HAVING count(*) > 0
""".strip()


def spread(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    marks = {f"p{share * 100:g}": percentile(share) for share in (0.5, 0.95, 0.99)}
    sql = SPREAD.format(executions=ended(SECONDS), in_time=in_time_share(settings), **marks)
    return Stat(
        name="spread",
        title="Percentiles of the range",
        description=(
            "Exact percentiles and the mean of the executions beside, the share within the alert's limit, and how many there "
            f"were. With fewer than a hundred, p99 is nearly the slowest one. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=sql),),
        unit="s",
        no_value=NO_TRAFFIC,
        limits=at_most(limit),
        shown="value_and_name",
        direction="horizontal",
        value_size=18,
        overrides=(
            named("within", displayName=f"within {limit:g} s", unit="percentunit", decimals=1, thresholds=WELL.to_json_data()),
            named("executions", unit="locale", decimals=0, thresholds=PLAIN.to_json_data()),
        ),
    )


HEATMAP = """
WITH x AS (
  {executions}
), p AS (
  SELECT {bucket} AS "time", percentile_cont(ARRAY[0.5, 0.75, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY x.seconds) AS at
  FROM x GROUP BY 1
)
SELECT "time", at[1] AS p50, at[2] AS p75, at[3] AS p90, at[4] AS p95, at[5] AS p99
FROM p ORDER BY 1
""".strip()


def heatmap(settings: Settings) -> Panel:
    return Heatmap(
        name="percentile_heatmap",
        title="Percentiles over time",
        description=(
            f"A row each from p50 to p99, the colour is how long that took, up to {settings.thresholds.response_seconds:g} s, "
            "where the alert begins. A regression is a column from which all rows look stronger; a single strong cell on top "
            f"is a few slow requests. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=HEATMAP.format(executions=ended(_AT, SECONDS), bucket=TIME_BUCKET), format="time_series"),),
        unit="s",
        no_value=NO_TRAFFIC,
        bucket_unit="short",
        strongest=settings.thresholds.response_seconds,
    )


SPEEDS = """
WITH x AS (
  {executions}
)
SELECT {bucket} AS "time", {shares}
FROM x GROUP BY 1 ORDER BY 1
""".strip()
_BY_TIER = tuple(
    named(tier, displayName=text, color=fixed(colour))
    for (tier, text), colour in zip(TIERS.items(), (colours.SKY, colours.BLUE, colours.AMBER, colours.RED), strict=True)
)


def speeds() -> Panel:
    shares = ", ".join(f"avg((x.tier = '{tier}')::int)::float8 AS {tier}" for tier in TIERS)
    sql = SPEEDS.format(executions=ended(_AT, f"{TIER} AS tier"), bucket=TIME_BUCKET, shares=shares)
    return TimeSeries(
        name="speeds",
        title="Share of queries by speed",
        description=(
            f"Executions by how long they took: {', '.join(TIERS.values())}. The dark end grows: more queries are slow, "
            f"whatever the percentiles say. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="percentunit",
        minimum=0,
        maximum=1,
        no_value=NO_TRAFFIC,
        stacked=True,
        fill=70,
        overrides=_BY_TIER,
    )


SLOWEST = dict(zip(TIERS, (0.1, 0.5, 2.0, inf), strict=True))
"""The bound of the histogram at which each tier ends, in seconds."""


def _rates_by_speed() -> str:
    """PromQL of queries per second in each tier: those within its bound that are not within the one before.

    Prometheus answers in the order of labels: `at` puts the quick ones first.
    """
    within = Rate("agent_queries_within", "Within", "Agent queries within a time", "reqps", "agent_query_duration_seconds")
    rates = [ask(replace(within, at_most=bound), (), NOW) for bound in SLOWEST.values()]
    parts = [rates[0], *(f"({upper} - {lower})" for lower, upper in pairwise(rates))]
    in_order = (f'label_replace({part}, "at", "{place}", "", "")' for place, part in enumerate(parts))
    return union("tier", dict(zip(TIERS, in_order, strict=True)))


def speeds_now() -> Panel:
    with acting(("environment", "agent")):
        rates = _rates_by_speed()
    return TimeSeries(
        name="speeds_now",
        title="Queries per second by speed",
        description=(
            f"What agents finished per second, over five minutes, by how long it took: {', '.join(TIERS.values())}. It is read "
            "from the bounds of the platform's histogram, so it is there within a scrape; the graph beside it asks the rows. "
            "The filter Speed chooses what is drawn. The upper bands grow while the sum does not: the same work takes longer."
        ),
        targets=(PromQuery(expr=among("tier", rates), legend="{{tier}}", step="1m"),),
        unit="reqps",
        minimum=0,
        no_value=NO_TRAFFIC,
        stacked=True,
        fill=70,
        overrides=_BY_TIER,
    )
