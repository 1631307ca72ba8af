"""Where the time of the agent's requests goes: the parts of a request, and what it waits for."""

from __future__ import annotations

from contract.signals.agents import AGENT_QUERIES, DEPENDENCY_TIME, PHASE_WORK
from dashboards.lib.field import narrowing_link
from dashboards.lib.filters import matched
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery
from dashboards.lib.requests import (
    BEFORE,
    FILTERS,
    LONG_NAMES,
    OFFSET,
    OTHER,
    PHASES,
    REQUESTS,
    STEPS,
    chosen_requests,
    phase_overrides,
)
from dashboards.lib.shares import BarChart, PieChart
from dashboards.one_agent.asking import NO_TRAFFIC, course, of_agent

SAMPLE = 500
"""Requests of which the waterfall is made: the newest of the range."""
_ADVICE = (
    "Begin with the greatest part: a model that is slow is another matter than tools that are. The slow requests below say "
    "what to do."
)


def shares() -> Panel:
    where = (matched("environment"), matched("agent"))
    work, queries = PHASE_WORK.increase(("phase",), where=where), AGENT_QUERIES.increase(where=where)
    return PieChart(
        name="phase_shares",
        title="Parts of an average request",
        description=f"Time in each part of a request / queries, over the whole range, with its share of all parts. {_ADVICE}",
        targets=(PromQuery(expr=f"{work} / scalar({queries} > 0)", legend="{{phase}}", instant=True),),
        width=11,
        unit="s",
        no_value=NO_TRAFFIC,
        overrides=phase_overrides(),
    )


def parts() -> Panel:
    return TimeSeries(
        name="phases",
        title="Parts of an average request over time",
        description=(
            "Time in each part of a request / queries, over five minutes; together they are the mean response time. "
            f"One part grew: that is what became slow. {_ADVICE}"
        ),
        targets=(
            PromQuery(expr=f"{of_agent(PHASE_WORK, ('phase',))} / scalar({of_agent(AGENT_QUERIES)} > 0)", legend="{{phase}}"),
        ),
        width=13,
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        stacked=True,
        fill=60,
        calculations=("lastNotNull", "mean", "max"),
        overrides=phase_overrides(),
    )


def _waterfall() -> str:
    parts = {**PHASES, "": OTHER}
    columns = ",\n       ".join(
        f"(CASE WHEN b.phase = '{phase}' THEN b.seconds END)::float8 AS \"{title}\"" for phase, title in parts.items()
    )
    return f"""
WITH requests AS (
  SELECT t.trace_id, t.started_at, t.latency_ms FROM {REQUESTS}
  WHERE {chosen_requests()}
  ORDER BY t.started_at DESC, t.trace_id LIMIT {SAMPLE}
), whole AS (
  SELECT count(*) AS n, avg(r.latency_ms) / 1000 AS seconds FROM requests r HAVING count(*) > 0
), waits AS (
  SELECT s.dependency, coalesce(s.phase, '') AS phase, sum(s.duration_ms) / 1000 / max(w.n) AS seconds,
         avg(extract(epoch FROM s.started_at - r.started_at)) AS begins
  FROM requests r {STEPS} CROSS JOIN whole w
  WHERE s.kind = 'dependency'
  GROUP BY s.dependency, coalesce(s.phase, '')
), bars AS (
  SELECT w.dependency AS what, w.phase, w.seconds, row_number() OVER turn AS place,
         sum(w.seconds) OVER turn - w.seconds AS before
  FROM waits w WINDOW turn AS (ORDER BY w.begins, w.dependency, w.phase)
  UNION ALL
  SELECT 'own work', '', greatest(w.seconds - coalesce(sum(d.seconds), 0), 0), 1000, coalesce(sum(d.seconds), 0)
  FROM whole w LEFT JOIN waits d ON true GROUP BY w.seconds
)
SELECT b.what || ' ' || round((b.seconds * 1000)::numeric) || ' ms' AS part, b.what, b.before::float8 AS "{BEFORE}",
       {columns}
FROM bars b ORDER BY b.place
""".strip()


def waterfall() -> Panel:
    return BarChart(
        name="waterfall",
        title="What an average request waits for, one after the other",
        description=(
            f"Of the newest {SAMPLE} requests of the range that were kept as traces: time spent waiting for each model, "
            "database, vector store and external interface / requests, in the order in which they are asked first; the colour "
            "is the part of the request that asks. The bars add up to the mean response time, the last is the agent's own "
            "work. A click on a bar shows the slowest calls."
        ),
        targets=(SqlQuery(sql=_waterfall()),),
        unit="s",
        minimum=0,
        no_value="no request of the range was kept as a trace",
        x="part",
        direction="horizontal",
        stacking="normal",
        values_shown="never",
        with_scale=False,
        name_letters=LONG_NAMES,
        overrides=(OFFSET, *phase_overrides()),
        data_links=(narrowing_link("Its slowest calls, below", "one-agent", "dependency", "${__data.fields.what}", FILTERS),),
    )


def dependencies() -> Panel:
    return TimeSeries(
        name="dependencies",
        title="Time of one call, by what it waits for",
        description=(
            "Mean time that a request waits for each dependency, over five minutes. One line climbs: that dependency is slow, "
            "for this agent at least; compare it with other agents before you call its owner."
        ),
        targets=(course(DEPENDENCY_TIME, ("environment", "agent", "dependency"), legend="{{dependency}} · {{environment}}"),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        calculations=("lastNotNull", "mean", "max"),
    )
