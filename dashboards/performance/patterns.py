"""Failures as patterns: which kinds hit which agents how hard, and which of these are unusual."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.executions import ALL_FILTERS, HAS_FAILED, STATUS, TIER, ended
from dashboards.lib.field import Word, named, words
from dashboards.lib.filters import chosen, chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import COLOURED_TEXT, NARROW, Table, columns
from dashboards.lib.traces import FlameGraph
from dashboards.performance.errors import KIND_SQL
from dashboards.performance.places import one_agent

MAP = """
WITH x AS (
  {executions}
), leaves AS (
  SELECT x.kind, x.agent, x.severity, count(*)::float8 AS n FROM x GROUP BY 1, 2, 3
)
SELECT areas.label, areas.level, areas.value, areas.self FROM (
  SELECT 'failed executions' AS label, 0 AS level, sum(n) AS value, 0::float8 AS self, '' AS a, '' AS b, '' AS c
  FROM leaves HAVING sum(n) > 0
  UNION ALL SELECT replace(kind, '_', ' '), 1, sum(n), 0, kind, '', '' FROM leaves GROUP BY kind
  UNION ALL SELECT agent, 2, sum(n), 0, kind, agent, '' FROM leaves GROUP BY kind, agent
  UNION ALL SELECT severity, 3, n, n, kind, agent, severity FROM leaves
) areas
ORDER BY areas.a, areas.b, areas.c, areas.level
LIMIT 1000
""".strip()


def areas() -> Panel:
    executions = ended(
        f"{KIND_SQL} AS kind",
        "e.agent_name AS agent",
        "coalesce(t.severity, 'not traced') AS severity",
        joins="LEFT JOIN analytics.traces t ON t.trace_id = e.trace_id",
        where=f"{HAS_FAILED} AND {chosen(KIND_SQL, 'error_type')}",
    )
    return FlameGraph(
        name="error_map",
        title="Failures by kind, agent and severity",
        description=(
            "The width is the number of failed executions: all of them, below by kind of error, below by agent, below by "
            "severity, which only requests have that were kept as traces. One wide block under a kind: one agent's fault; "
            f"many narrow ones: something that they share. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=MAP.format(executions=executions)),),
        width=12,
        unit="short",
        no_value="no failed execution in range",
    )


WEEKS = 4
UNUSUAL = """
WITH spans AS (
  SELECT k, $__timeTo()::timestamptz - k * interval '7 days' AS till,
    $__timeTo()::timestamptz - k * interval '7 days'
      - least(interval '1 day', $__timeTo()::timestamptz - $__timeFrom()::timestamptz) AS begin
  FROM generate_series(0, {weeks}) AS k
), counted AS (
  SELECT s.k, f.agent, f.kind, f.n FROM spans s CROSS JOIN LATERAL (
    SELECT e.agent_name AS agent, {kind} AS kind, count(*)::float8 AS n
    FROM analytics.agent_executions e
    WHERE e.start_time BETWEEN s.begin AND s.till AND {failed} AND {filters}
    GROUP BY 1, 2
  ) f
), patterns AS (
  SELECT c.agent, c.kind, coalesce(sum(c.n) FILTER (WHERE c.k = 0), 0) AS seen,
    coalesce(sum(c.n) FILTER (WHERE c.k > 0), 0) / {weeks} AS usual,
    coalesce(sum(c.n ^ 2) FILTER (WHERE c.k > 0), 0) / {weeks} AS squares
  FROM counted c GROUP BY 1, 2
), scored AS (
  SELECT p.*, (p.seen - p.usual) / sqrt(greatest(p.squares - p.usual ^ 2, p.usual, 1)) AS score FROM patterns p
)
SELECT s.agent, s.kind, s.seen, s.usual, s.score,
  CASE WHEN s.score >= 3 THEN 'unusual' WHEN s.score >= 2 THEN 'more than usual' WHEN s.score <= -2 THEN 'less than usual'
    ELSE 'usual' END AS verdict
FROM scored s
ORDER BY s.score DESC, s.agent, s.kind
LIMIT 50
""".strip()
VERDICTS = {
    "unusual": Word("unusual", colours.DOWN),
    "more than usual": Word("more than usual", colours.DEGRADED),
    "usual": Word("usual", colours.OK),
    "less than usual": Word("less than usual", colours.NEUTRAL),
}


def unusual() -> Panel:
    filters = chosen_all(
        environment="e.environment", agent="e.agent_name", version="e.version", intent="e.intent", status=STATUS, tier=TIER
    )
    text = UNUSUAL.format(
        weeks=WEEKS, kind=KIND_SQL, failed=f"{HAS_FAILED} AND {chosen(KIND_SQL, 'error_type')}", filters=filters
    )
    headings = {
        "agent": "Agent", "kind": "Kind of error", "verdict": "Unusual?", "score": "Score", "seen": "Failed",
        "usual": "Usually",
    }  # fmt: skip
    return Table(
        name="unusual_errors",
        title="Which failures are unusual?",
        description=(
            "Failed executions of the end of the range (one day at most) by agent and kind, against the same hours of the "
            f"{WEEKS} weeks before. The score is the difference in standard deviations, of which chance alone makes at least "
            "the square root of what is usual; from 3 it is unusual. Begin with the highest score, not with the highest "
            f"number. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=text),),
        no_value="no failed execution in range, nor in the weeks before",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Agent", custom_minWidth=86, links=[one_agent("${__value.raw}")]),
            named(
                "Unusual?", custom_width=84, custom_wrapText=True, custom_cellOptions=COLOURED_TEXT, mappings=words(VERDICTS)
            ),
            named("Kind of error", custom_minWidth=90),
            named("Score", unit="none", decimals=1, custom_width=65),
            named("Failed", unit="locale", decimals=0, custom_width=65),
            named("Usually", unit="none", decimals=1, custom_width=75),
        ),
        paged=True,
    )
