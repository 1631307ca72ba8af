"""The slowest requests of all chosen agents, with what made them slow."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.field import named
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.requests import (
    CAUSE,
    CAUSE_WITH_RUNBOOK,
    PARTS,
    PHASES,
    REQUESTS,
    STATUS,
    chosen_requests,
    command,
    known_causes,
    status_column,
    trace_links,
)
from dashboards.lib.tables import NARROW, Table, columns, moment, shortened
from dashboards.performance.places import one_agent

MOST = 50
SHOWN = {**{phase: PHASES[phase] for phase in ("auth", "llm", "tool")}, "postprocess": "After"}
"""The parts with a column of their own, and its heading; all others are the rest."""
SLOW = """
WITH requests AS (
  SELECT t.trace_id, a.name AS agent, t.version, t.started_at, t.latency_ms, {status} AS status
  FROM {requests}
  WHERE {chosen}
  ORDER BY t.latency_ms DESC, t.started_at DESC, t.trace_id LIMIT {most}
), {parts}
SELECT r.started_at AS "time", r.agent, r.version, r.latency_ms / 1000 AS seconds, r.status,
       {phases},
       max(known.words) AS cause, max(known.runbook) AS runbook, {command} AS command, r.trace_id AS trace
FROM requests r
LEFT JOIN phases p ON p.trace_id = r.trace_id
LEFT JOIN most ON most.trace_id = r.trace_id
LEFT JOIN {known} ON known.cause = {cause}
GROUP BY r.trace_id, r.agent, r.version, r.started_at, r.latency_ms, r.status
ORDER BY r.latency_ms DESC, r.started_at DESC, r.trace_id
""".strip()


def requests(settings: Settings) -> Panel:
    named_phases = ", ".join(f"'{phase}'" for phase in SHOWN)
    phases = ",\n       ".join(
        (
            *(f"(max(p.ms) FILTER (WHERE p.phase = '{phase}') / 1000)::float8 AS {phase}" for phase in SHOWN),
            f"((r.latency_ms - coalesce(sum(p.ms) FILTER (WHERE p.phase IN ({named_phases})), 0)) / 1000)::float8 AS rest",
        )
    )
    text = SLOW.format(
        status=STATUS,
        requests=REQUESTS,
        chosen=chosen_requests(),
        most=MOST,
        parts=PARTS,
        phases=phases,
        command=command(settings, "r.trace_id"),
        known=known_causes(settings),
        cause=CAUSE,
    )
    headings = {
        "time": "Time", "agent": "Agent", "version": "Version", "seconds": "Took", "status": "Ended", "cause": "Likely cause",
        **SHOWN, "rest": "Rest", "runbook": "runbook", "command": "Command", "trace": "Request",
    }  # fmt: skip
    widths = {"Took": 62} | dict.fromkeys((*SHOWN.values(), "Rest"), 65)
    return Table(
        name="slow_requests",
        title=f"The {MOST} slowest requests, and where their time went",
        description=(
            f"The {MOST} slowest requests of the range that were kept as traces, with the time in each part. The likely cause "
            "is the part that took most, by fixed rules; a click on it opens the runbook, one on a request the request from "
            "inside or in Langfuse; the command, to copy, reads all its steps. The panel's menu, Inspect, Data, saves the "
            "table as CSV. Every filter of the tab acts."
        ),
        targets=(SqlQuery(sql=text),),
        no_value="no request of the range was kept as a trace",
        transformations=columns(headings),
        overrides=(
            NARROW,
            moment("Time"),
            named("Agent", custom_width=88, links=[one_agent("${__value.raw}")]),
            named("Version", custom_width=64),
            status_column("Ended", 76),
            *(named(name, unit="s", custom_width=width) for name, width in widths.items()),
            *CAUSE_WITH_RUNBOOK,
            shortened("Command", custom_width=80),
            shortened("Request", custom_width=90, links=list(trace_links(settings, "${__value.raw}"))),
        ),
        paged=True,
    )
