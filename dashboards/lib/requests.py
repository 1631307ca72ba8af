"""Single requests in SQL: which are chosen, where their time went, what is the likely cause of a slow one, what to do about it.

All of it reads traces, the requests of which the platform kept every step. In these questions `t` is the trace, `a` its agent.
"""

from __future__ import annotations

from psycopg import sql

from contract.causes import CAUSES
from contract.settings import Settings
from contract.status import TIMEOUT, sql_normalise
from dashboards.lib import colours
from dashboards.lib.field import Link, Override, Word, fixed, named, narrowing_link, words
from dashboards.lib.filters import chosen_all

FILTERS = ("environment", "department", "agent", "version", "intent", "tier", "status")
"""Filters of the tabs about agents and their requests; links between these tabs carry all of them."""

PHASES = {
    "auth": "Auth", "preprocess": "Preprocessing", "retrieval": "Retrieval", "llm": "Model", "tool": "Tools",
    "postprocess": "Postprocessing",
}  # fmt: skip
"""Parts of one request in their order, and what people call them."""
OTHER = "Other"
PAINTED = {
    "Auth": colours.YELLOW, "Preprocessing": colours.SKY, "Retrieval": colours.GREEN, "Model": colours.BLUE,
    "Tools": colours.AMBER, "Postprocessing": colours.PURPLE, OTHER: colours.GREY,
}  # fmt: skip
"""Their colours, the same in every panel."""

BEFORE = "before"
"""The series of a waterfall that only moves the bars to their place."""
LONG_NAMES = 40
"""Letters beside a waterfall, where names end with the time that each took."""
OFFSET = named(
    BEFORE, color=fixed(colours.NONE), custom_lineWidth=0, custom_fillOpacity=0,
    custom_hideFrom={"legend": True, "tooltip": True, "viz": False},
)  # fmt: skip

STATUS = sql_normalise("t.status")
SPEED = (
    "CASE WHEN t.latency_ms < 100 THEN 'fast' WHEN t.latency_ms <= 500 THEN 'normal' "
    "WHEN t.latency_ms <= 2000 THEN 'slow' ELSE 'critical' END"
)
"""The tier of a request, in the words of the filter `tier`."""
REQUESTS = "analytics.traces t JOIN analytics.agents a ON a.id = t.agent_id"


def chosen_requests() -> str:
    """An SQL condition: the request ended, lies in the range, and all filters of the tab let it through."""
    filters = chosen_all(
        environment="t.environment", agent="a.name", version="t.version", intent="t.intent", tier=SPEED, status=STATUS
    )
    return f"$__timeFilter(t.started_at) AND t.latency_ms IS NOT NULL AND {filters}"


def status_column(name: str, width: int = 90) -> Override:
    """How a column with the status of requests looks."""
    painted = {"success": colours.OK, "error": colours.DOWN, TIMEOUT: colours.DEGRADED, "cancelled": colours.UNKNOWN}
    return named(
        name,
        custom_width=width,
        custom_cellOptions={"type": "color-text"},
        mappings=words({word: Word(word, colour) for word, colour in painted.items()}),
    )


def trace_links(settings: Settings, trace: str, kept: tuple[str, ...] = FILTERS) -> tuple[Link, ...]:
    """From a request to its page, the filters `kept` as they are, and to its trace in Langfuse. `trace` is Grafana text."""
    return (
        narrowing_link("Open this request", "one-request", "trace", trace, kept),
        Link("Open in Langfuse", f"{settings.sources.langfuse.base_url}/trace/{trace}", new_tab=True),
    )


def lasted(milliseconds: str) -> str:
    """An SQL expression for a time in words, `milliseconds` being one for a number."""
    return (
        f"CASE WHEN {milliseconds} < 1000 THEN round(({milliseconds})::numeric) || ' ms' "
        f"ELSE round(({milliseconds} / 1000)::numeric, 1) || ' s' END"
    )


CAUSE_WITH_RUNBOOK = (
    named(
        "Likely cause",
        custom_minWidth=70,
        custom_wrapText=True,
        links=[Link("Runbook", "${__data.fields.runbook}", new_tab=True).to_json_data()],
    ),
    named("runbook", custom_hideFrom={"viz": True, "legend": True, "tooltip": True}),
)
"""The cause of a slow request, which leads to its runbook, in tables that have no room for a column more."""

RUNBOOK = named(
    "Runbook",
    custom_width=78,
    mappings=[{"type": "regex", "options": {"pattern": ".+", "result": {"text": "open", "index": 0}}}],
    links=[Link("Runbook", "${__value.raw}", new_tab=True).to_json_data()],
)

PART = named("Part", custom_width=125, mappings=words({phase: Word(title) for phase, title in PHASES.items()}))
"""A column with the part of a request that a step belongs to."""


def phase_overrides() -> tuple[Override, ...]:
    """The colour of each part of a request, and its name where a series is called as the label `phase` has it."""
    return (
        *(named(name, color=fixed(colour)) for name, colour in PAINTED.items()),
        *(named(phase, displayName=title, color=fixed(PAINTED[title])) for phase, title in PHASES.items()),
    )


CAUSE = (
    f"CASE WHEN r.status = '{TIMEOUT}' THEN '{TIMEOUT}' WHEN most.phase = 'llm' AND most.steps > 1 THEN 'steps' "
    "ELSE most.phase END"
)
"""The key of the cause: `r` is a request, `most` what `PARTS` found to be its longest part."""

STEPS = """
CROSS JOIN LATERAL (SELECT p.* FROM analytics.trace_spans p WHERE p.trace_id = r.trace_id OFFSET 0) s
""".strip()
"""Joins the steps `s` of each request `r`, a few hundred at most. PostgreSQL does not know how few steps a request has, and
would read all that there are: so it is told to look them up, request by request, in the index."""

PARTS = f"""
spans AS (
  SELECT s.trace_id, s.kind, s.phase, s.dependency, s.duration_ms
  FROM requests r {STEPS}
), phases AS (
  SELECT p.trace_id, p.phase, sum(p.duration_ms) AS ms, count(*) AS steps FROM spans p
  WHERE p.kind = 'phase' AND p.phase IS NOT NULL GROUP BY p.trace_id, p.phase
), most AS (
  SELECT DISTINCT ON (p.trace_id) p.trace_id, p.phase, p.ms, p.steps FROM phases p ORDER BY p.trace_id, p.ms DESC, p.phase
), waits AS (
  SELECT DISTINCT ON (w.trace_id) w.trace_id, w.dependency, w.ms FROM (
    SELECT p.trace_id, p.dependency, sum(p.duration_ms) AS ms FROM spans p
    WHERE p.kind = 'dependency' GROUP BY p.trace_id, p.dependency
  ) w ORDER BY w.trace_id, w.ms DESC, w.dependency
)
""".strip()
"""What the requests of the table expression `requests` did: milliseconds by part, the longest part, the longest wait."""


def known_causes(settings: Settings) -> str:
    """The causes as rows `cause, words, advice, runbook`, to be joined."""
    rows = ((key, cause.words, cause.advice, f"{settings.runbook_url}/{cause.runbook}") for key, cause in CAUSES.items())
    texts = (", ".join(sql.Literal(text).as_string() for text in row) for row in rows)
    return f"(VALUES {', '.join(f'({row})' for row in texts)}) AS known (cause, words, advice, runbook)"


def command(settings: Settings, trace: str) -> str:
    """SQL for the command that reads all steps of a request, with what was asked and answered; NULL for an odd id.

    curl takes the keys of Langfuse from ~/.netrc, so that they stand neither on a screen nor in the list of processes.
    """
    address = f"{settings.sources.langfuse.base_url}/api/public/v2/observations?fields=core,basic,io,usage&traceId="
    start, end = (sql.Literal(text).as_string() for text in (f"curl -sS --netrc '{address}", "'"))
    return f"CASE WHEN {trace} ~ '^[A-Za-z0-9_-]+$' THEN {start} || {trace} || {end} END"
