"""The request from inside: its steps as a trace, as areas within areas, one after the other, and beside what is usual."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.field import fixed, named
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.requests import (
    BEFORE,
    LONG_NAMES,
    OFFSET,
    OTHER,
    PART,
    PHASES,
    STEPS,
    lasted,
    phase_overrides,
    status_column,
)
from dashboards.lib.shares import BarChart
from dashboards.lib.tables import NARROW, Table, columns
from dashboards.lib.traces import FlameGraph, Traces
from dashboards.one_request.answer import USUAL, usual
from dashboards.one_request.shown import NOT_KEPT, shown

MOST_STEPS = 200
_STEPS = """
steps AS (
  SELECT s.span_id, s.parent_span_id, s.name, s.kind, coalesce(s.phase, '') AS phase, s.dependency, s.started_at, s.duration_ms,
         s.status, 1000 * extract(epoch FROM s.started_at - r.started_at)::float8 AS begins, r.trace_id, r.agent, r.latency_ms
  FROM requests r {joined}
  ORDER BY s.started_at, s.span_id LIMIT {most}
)""".strip().format(joined=STEPS, most=MOST_STEPS)
_TREE = """
first AS (
  SELECT s.span_id FROM steps s WHERE s.parent_span_id IS NULL ORDER BY s.started_at, s.duration_ms DESC, s.span_id LIMIT 1
), within AS (
  SELECT DISTINCT ON (s.span_id) s.span_id, o.span_id AS outer_id
  FROM steps s JOIN steps o ON o.parent_span_id = s.parent_span_id AND o.span_id <> s.span_id
   AND o.begins <= s.begins AND o.begins + o.duration_ms >= s.begins + s.duration_ms AND o.duration_ms > s.duration_ms
  ORDER BY s.span_id, o.duration_ms, o.span_id
), hung AS (
  SELECT s.span_id, s.name, s.begins, s.duration_ms,
         CASE WHEN s.span_id = f.span_id THEN NULL ELSE coalesce(w.outer_id, p.span_id, f.span_id) END AS above
  FROM steps s CROSS JOIN first f LEFT JOIN within w ON w.span_id = s.span_id LEFT JOIN steps p ON p.span_id = s.parent_span_id
), below AS (
  SELECT h.above, sum(h.duration_ms) AS ms FROM hung h WHERE h.above IS NOT NULL GROUP BY h.above
), tree AS (
  SELECT h.span_id, h.name, 0 AS level, h.duration_ms, 1::float8 AS scale, ARRAY[h.begins] AS way, ARRAY[h.span_id] AS ids
  FROM hung h WHERE h.above IS NULL
  UNION ALL
  SELECT h.span_id, h.name, t.level + 1, h.duration_ms, t.scale * least(1, t.duration_ms / nullif(b.ms, 0)),
         t.way || h.begins, t.ids || h.span_id
  FROM tree t JOIN hung h ON h.above = t.span_id JOIN below b ON b.above = t.span_id
  WHERE h.span_id <> ALL (t.ids)
)""".strip()
"""Depth first. What runs within the time of a neighbour hangs below it; neighbours that overlap more than their parent holds
are drawn narrower, so that no area is wider than the one that it stands on."""


def trace() -> Panel:
    text = f"""
WITH {shown()}, {_STEPS}
SELECT s.trace_id AS "traceID", s.span_id AS "spanID", s.parent_span_id AS "parentSpanID", s.name AS "operationName",
       CASE WHEN s.kind = 'phase' THEN s.agent ELSE s.kind END AS "serviceName",
       (1000 * extract(epoch FROM s.started_at))::float8 AS "startTime", s.duration_ms::float8 AS duration
FROM steps s ORDER BY s.started_at, s.duration_ms DESC, s.span_id
""".strip()
    return Traces(
        name="trace",
        title="Its steps as a trace",
        description=(
            f"Every step of the request (the first {MOST_STEPS}) on one time axis: parts of the agent, tools that it called, "
            "and what it waited for. Long bars without anything below them are where the time went; gaps are waiting that "
            "nobody has measured."
        ),
        targets=(SqlQuery(sql=text),),
        no_value=NOT_KEPT,
    )


def flames() -> Panel:
    text = f"""
WITH RECURSIVE {shown()}, {_STEPS}, {_TREE}
SELECT t.name AS label, t.level, (t.scale * t.duration_ms)::float8 AS value,
       (t.scale * greatest(t.duration_ms - coalesce(b.ms, 0), 0))::float8 AS self
FROM tree t LEFT JOIN below b ON b.above = t.span_id
ORDER BY t.way, t.ids
""".strip()
    return FlameGraph(
        name="flames",
        title="Its steps as areas",
        description=(
            "The same steps as areas within areas: as wide as they took, below what started them. What ran at the same time "
            "is drawn narrower, so that it fits. A wide area without anything below it is where the time went."
        ),
        targets=(SqlQuery(sql=text),),
        unit="ms",
        no_value=NOT_KEPT,
    )


def waterfall() -> Panel:
    parts = {**PHASES, "": OTHER}
    series = ",\n       ".join(
        f"(CASE WHEN s.phase = '{phase}' THEN s.duration_ms / 1000 END)::float8 AS \"{title}\""
        for phase, title in parts.items()
    )
    text = f"""
WITH {shown()}, {_STEPS}
SELECT s.name || ' ' || {lasted("s.duration_ms")} AS step, greatest(s.begins, 0) / 1000 AS "{BEFORE}",
       {series}
FROM steps s WHERE s.kind <> 'phase' OR s.phase = ''
ORDER BY s.started_at, s.duration_ms DESC, s.span_id LIMIT 30
""".strip()
    return BarChart(
        name="waterfall",
        title="What it waited for, when and how long",
        description=(
            "The whole request and each of its calls of models, tools, stores and interfaces, from when they began, as long as "
            "they took; the colour is the part of the request that called. One after the other where side by side would do: "
            "that is time to win."
        ),
        targets=(SqlQuery(sql=text),),
        unit="s",
        minimum=0,
        no_value=NOT_KEPT,
        x="step",
        direction="horizontal",
        stacking="normal",
        values_shown="never",
        with_scale=False,
        name_letters=LONG_NAMES,
        overrides=(OFFSET, *phase_overrides()),
    )


def beside_the_usual() -> Panel:
    rows = ", ".join(f"('{phase}', '{title}', {place})" for place, (phase, title) in enumerate(PHASES.items()))
    text = f"""
WITH {shown()}, {usual()}, own AS (
  SELECT s.phase, sum(s.duration_ms) AS ms FROM requests r {STEPS}
  WHERE s.kind = 'phase' GROUP BY s.phase
), whole AS (
  SELECT count(*) AS n FROM others o
), mean AS (
  SELECT s.phase, sum(s.duration_ms) / max(w.n) AS ms
  FROM others r {STEPS} CROSS JOIN whole w
  WHERE s.kind = 'phase' GROUP BY s.phase
)
SELECT known.words AS part, (coalesce(own.ms, 0) / 1000)::float8 AS "this request",
       (coalesce(mean.ms, 0) / 1000)::float8 AS usual
FROM requests r CROSS JOIN (VALUES {rows}) AS known (phase, words, place)
LEFT JOIN own ON own.phase = known.phase LEFT JOIN mean ON mean.phase = known.phase
ORDER BY known.place
""".strip()
    return BarChart(
        name="beside_the_usual",
        title="Each part beside what is usual",
        description=(
            f"Time in each part of this request, and the mean of the newest {USUAL} requests of the same agent in the range. "
            "The part that is far longer than usual is the one to look at, even when another one is longer."
        ),
        targets=(SqlQuery(sql=text),),
        unit="s",
        minimum=0,
        no_value=NOT_KEPT,
        x="part",
        direction="horizontal",
        values_shown="always",
        with_scale=False,
        overrides=(named("this request", color=fixed(colours.BLUE)), named("usual", color=fixed(colours.GREY))),
    )


def steps() -> Panel:
    headings = {
        "step": "Step", "kind": "Kind", "phase": "Part", "begins": "Began after", "seconds": "Took", "own": "Of it itself",
        "share": "Share", "status": "Ended", "span": "Span",
    }  # fmt: skip
    text = f"""
WITH RECURSIVE {shown()}, {_STEPS}, {_TREE}
SELECT repeat('· ', t.level) || s.name AS step, s.kind, nullif(s.phase, '') AS phase, greatest(s.begins, 0) / 1000 AS begins,
       s.duration_ms / 1000 AS seconds,
       greatest(s.duration_ms - coalesce(b.ms, 0), 0) / 1000 AS own, (s.duration_ms / nullif(s.latency_ms, 0))::float8 AS share,
       s.status, s.span_id AS span
FROM tree t JOIN steps s ON s.span_id = t.span_id LEFT JOIN below b ON b.above = t.span_id
ORDER BY t.way, t.ids
""".strip()
    return Table(
        name="steps",
        title="Its steps as a table",
        description=(
            "Every step in its order and depth: when it began, how long it took with and without what ran below it, its share "
            "of the request, and how it ended. Sort by 'Of it itself' to find the step that to make faster is worth most."
        ),
        targets=(SqlQuery(sql=text),),
        no_value=NOT_KEPT,
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Step", custom_width=190),
            *(named(name, unit="s", custom_width=90) for name in ("Began after", "Took", "Of it itself")),
            named("Share", unit="percentunit", decimals=0, custom_width=62),
            named("Kind", custom_width=92),
            PART,
            status_column("Ended", 80),
        ),
        paged=True,
    )
