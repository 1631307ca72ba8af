"""Does it scale: what more load costs in time, which agents feel it most, and what one process carries."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import AGENT_QUERIES
from contract.signals.model import Level, equal, like
from dashboards.lib import colours
from dashboards.lib.executions import ALL_FILTERS, BUCKET_SECONDS, SECONDS, TIME_BUCKET, ended, percentile
from dashboards.lib.field import at_most, fixed, lines, named, of_query, painted
from dashboards.lib.filters import acting
from dashboards.lib.graphs import TimeSeries, Trend
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask
from dashboards.lib.tables import COLOURED_TEXT, NARROW, Table, columns
from dashboards.performance.fleet import BY, HOUR, NO_TRAFFIC
from dashboards.performance.places import one_agent

PROCESSES = Level(
    "processes", "Processes", "Processes of the platform that were scraped", "none", "up", (equal("job", "platform"),)
)
_PARTS, _BUSY = 8, 0.75
LEAST_SLICES = 4
"""Of an agent, with fewer of which nothing is said about it."""
SLOWER, MUCH_SLOWER = 1.1, 1.5
_SLICES = f"""
SELECT {{keys}}{TIME_BUCKET} AS slice, count(*) AS n FROM x
  WHERE {TIME_BUCKET} >= $__timeFrom()::timestamptz
    AND {TIME_BUCKET} + make_interval(secs => {BUCKET_SECONDS}) <= $__timeTo()::timestamptz
  GROUP BY {{group}}
""".strip()
"""How many executions began in each whole slice of the range, a forty-eighth of it."""


def with_load(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    sql = f"""
WITH x AS (
  {ended(SECONDS, "e.start_time AS at")}
), slices AS (
  {_SLICES.format(keys="", group="1")}
), placed AS (
  SELECT s.slice, ceil({_PARTS} * cume_dist() OVER (ORDER BY s.n)) AS place FROM slices s
)
SELECT count(*) / (count(DISTINCT p.slice) * {BUCKET_SECONDS})::float8 AS load,
       {percentile(0.5)}::float8 AS p50, {percentile(0.95)}::float8 AS p95
FROM x JOIN placed p ON p.slice = {TIME_BUCKET}
GROUP BY p.place
ORDER BY 1
""".strip()
    return Trend(
        name="time_with_load",
        title="Does it stay quick when it has more to do?",
        description=(
            "The range in forty-eight slices (of at least a quarter of an hour), from the emptiest to the busiest, in eight "
            "parts of equal number: how many executions began in a second, and the half and 95 % of their durations, exact. "
            "Flat: it scales, and more processes or a higher limit are well spent. Climbing to the right: something that all "
            f"share is full; find it before buying more. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=sql),),
        width=9,
        unit="s",
        minimum=0,
        x="load",
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        overrides=(
            named("load", unit="none", custom_axisLabel="executions begun per second"),
            *painted({"p50": colours.LOW, "p95": colours.MIDDLE}),
        ),
    )


def by_agent() -> Panel:
    sql = f"""
WITH x AS (
  {ended("e.agent_name AS agent", SECONDS, "e.start_time AS at")}
), slices AS (
  {_SLICES.format(keys="x.agent, ", group="1, 2")}
), placed AS (
  SELECT s.agent, s.slice, cume_dist() OVER (PARTITION BY s.agent ORDER BY s.n) > {_BUSY:g} AS busy FROM slices s
), compared AS (
  SELECT x.agent, p.busy, count(DISTINCT p.slice) AS slices,
         count(*) / (count(DISTINCT p.slice) * {BUCKET_SECONDS})::float8 AS load, {percentile(0.95)}::float8 AS p95
  FROM x JOIN placed p ON p.agent = x.agent AND p.slice = {TIME_BUCKET}
  GROUP BY x.agent, p.busy
)
SELECT b.agent, b.load / u.load AS more, u.p95 AS usual, b.p95 AS busy, b.p95 / nullif(u.p95, 0) AS slower
FROM compared b JOIN compared u ON u.agent = b.agent AND b.busy AND NOT u.busy
WHERE least(b.slices, u.slices) >= {LEAST_SLICES}
ORDER BY 5 DESC, 1
LIMIT 200
""".strip()
    headings = {"agent": "Agent", "more": "Load", "usual": "p95", "busy": "busiest", "slower": "Time"}
    return Table(
        name="scaling",
        title="Who gets slower when it is busy?",
        description=(
            "Each agent in the busiest quarter of its slices of the range (see left) against its others: how many times as "
            f"many executions begin, and how many times as long they take (p95); yellow from {SLOWER:g} times, red from "
            f"{MUCH_SLOWER:g}. Much load and the same time: it scales well. Slower at the top of the list is where more "
            f"processes, a cache or a quicker dependency help most. Agents with fewer than {LEAST_SLICES} slices of either "
            f"kind are not there. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=sql),),
        width=8,
        no_value="too short a range, or no traffic in it",
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            named("Agent", custom_minWidth=72, custom_wrapText=True, links=[one_agent("${__value.raw}")]),
            *(named(name, unit="s", decimals=2, custom_width=62) for name in ("p95", "busiest")),
            *(named(name, unit="suffix:×", decimals=2, custom_width=54) for name in ("Load", "Time")),
            named("Time", thresholds=at_most(SLOWER, MUCH_SLOWER).to_json_data(), custom_cellOptions=COLOURED_TEXT),
        ),
    )


def per_process() -> Panel:
    with acting(("environment",)):
        carried = ask(AGENT_QUERIES, BY, HOUR)
        processes = ask(PROCESSES, BY, "", (like("environment", "$environment"),))
    return TimeSeries(
        name="per_process",
        title="What one process carries",
        description=(
            "Queries finished per second, over one hour, for each process of the platform that was scraped, and dashed, on the "
            "right, how many processes there are. A process was added and each carries less while the time stays: it was not "
            "needed yet; each carries as much as before: it came in time. Agents have no part in it: a process serves all."
        ),
        targets=(
            PromQuery(expr=f"{carried} / ({processes} > 0)", legend="{{environment}}", step="5m"),
            PromQuery(expr=processes, legend="{{environment}}, processes", step="5m"),
        ),
        unit="reqps",
        minimum=0,
        no_value=NO_TRAFFIC,
        overrides=(
            of_query(
                "B", unit="none", decimals=0, color=fixed(colours.GREY), custom_axisPlacement="right",
                custom_lineStyle={"fill": "dash", "dash": [8, 4]},
            ),
        ),
    )  # fmt: skip
