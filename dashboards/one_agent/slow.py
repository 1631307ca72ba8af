"""The agent's slow and failed requests, one by one: where their time went, why, and what to do."""

from __future__ import annotations

from contract.settings import Settings
from contract.status import FAILED
from dashboards.lib.field import named
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.requests import (
    CAUSE,
    PART,
    PARTS,
    PHASES,
    REQUESTS,
    RUNBOOK,
    STATUS,
    STEPS,
    chosen_requests,
    command,
    known_causes,
    status_column,
    trace_links,
)
from dashboards.lib.tables import NARROW, Table, columns, moment, shortened
from dashboards.lib.variables import TextVariable

MOST = 50
DEPENDENCY = TextVariable(
    name="dependency", label="Waits for", description="Shows only calls of this dependency in 'Slowest calls'. Empty: all."
)
_NOT_KEPT = "no request of the range was kept as a trace"
_REQUESTS = f"""
requests AS (
  SELECT t.trace_id, t.started_at, t.latency_ms, {STATUS} AS status, t.error_type
  FROM {REQUESTS}
  WHERE {{condition}}
  ORDER BY t.latency_ms DESC, t.started_at DESC, t.trace_id LIMIT {{most}}
)""".strip()


def _slowest(most: int = MOST) -> str:
    return _REQUESTS.format(condition=chosen_requests(), most=most)


def _slow(settings: Settings) -> str:
    parts = ",\n       ".join(f"(max(p.ms) FILTER (WHERE p.phase = '{phase}') / 1000)::float8 AS {phase}" for phase in PHASES)
    return f"""
WITH {_slowest()}, {PARTS}
SELECT r.started_at AS "time", r.latency_ms / 1000 AS seconds, r.status,
       {parts},
       max(known.words) AS cause, r.trace_id AS trace
FROM requests r
LEFT JOIN phases p ON p.trace_id = r.trace_id
LEFT JOIN most ON most.trace_id = r.trace_id
LEFT JOIN {known_causes(settings)} ON known.cause = {CAUSE}
GROUP BY r.trace_id, r.started_at, r.latency_ms, r.status
ORDER BY r.latency_ms DESC, r.started_at DESC, r.trace_id
""".strip()


def requests(settings: Settings) -> Panel:
    headings = {
        "time": "Time", "seconds": "Took", "status": "Ended", "cause": "Likely cause", **_SHORT,
        "trace": "Request",
    }  # fmt: skip
    return Table(
        name="slow_requests",
        title=f"The {MOST} slowest requests, and where their time went",
        description=(
            f"The {MOST} slowest requests of the range that were kept as traces and that all filters let through, with the "
            "time in each part. The likely cause is the part that took most. A click on a request opens it; the panel's menu, "
            "Inspect, Data, saves the table as CSV."
        ),
        targets=(SqlQuery(sql=_slow(settings)),),
        no_value=_NOT_KEPT,
        transformations=columns(headings),
        overrides=(
            moment("Time"),
            status_column("Ended", 80),
            *(named(name, unit="s", custom_width=width) for name, width in _SECONDS.items()),
            named("Likely cause", custom_width=145),
            shortened("Request", links=[link.to_json_data() for link in trace_links(settings, "${__value.raw}")]),
        ),
        paged=True,
    )


_SHORT = {**PHASES, "preprocess": "Before", "postprocess": "After"}
"""Parts of a request as headings of narrow columns."""
_SECONDS = dict.fromkeys(("Took", *_SHORT.values()), 68) | {"Retrieval": 78}


def _advice(settings: Settings) -> str:
    return f"""
WITH {_slowest()}, {PARTS}
SELECT r.latency_ms / 1000 AS seconds, known.words AS cause,
       waits.dependency || ' ' || round((100 * waits.ms / nullif(r.latency_ms, 0))::numeric) || ' %' AS waited,
       known.advice, known.runbook, {command(settings, "r.trace_id")} AS command, r.trace_id AS trace
FROM requests r
JOIN most ON most.trace_id = r.trace_id
LEFT JOIN waits ON waits.trace_id = r.trace_id
JOIN {known_causes(settings)} ON known.cause = {CAUSE}
ORDER BY r.latency_ms DESC, r.started_at DESC, r.trace_id
""".strip()


def advice(settings: Settings) -> Panel:
    headings = {
        "seconds": "Took", "cause": "Likely cause", "waited": "Waited most for", "advice": "What to try", "runbook": "Runbook",
        "command": "Command", "trace": "Request",
    }  # fmt: skip
    return Table(
        name="advice",
        title="What to do about each of them",
        description=(
            "The same requests with what they waited for most and its share of their time, what usually helps, the runbook "
            "that goes further, and a command to copy that reads all steps of the request, with what was asked and answered, "
            "from Langfuse (its keys come from ~/.netrc). Causes come from fixed rules, no model is asked."
        ),
        targets=(SqlQuery(sql=_advice(settings)),),
        no_value=_NOT_KEPT,
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Took", unit="s", custom_width=72),
            named("Likely cause", custom_width=145),
            named("Waited most for", custom_width=145),
            named("What to try", custom_minWidth=300, custom_wrapText=True),
            RUNBOOK,
            shortened("Command", custom_width=90),
            shortened("Request", custom_width=100, links=list(trace_links(settings, "${__value.raw}"))),
        ),
        paged=True,
    )


def _calls() -> str:
    return f"""
WITH {_slowest(500)}
SELECT s.started_at AS "time", s.dependency, s.phase, s.duration_ms / 1000 AS seconds, r.latency_ms / 1000 AS whole,
       s.duration_ms / nullif(r.latency_ms, 0) AS share, s.status, r.trace_id AS trace
FROM requests r {STEPS}
WHERE s.kind = 'dependency' AND (${{dependency:sqlstring}} = '' OR s.dependency = ${{dependency:sqlstring}})
ORDER BY s.duration_ms DESC, s.started_at DESC, s.span_id LIMIT 100
""".strip()


def calls(settings: Settings) -> Panel:
    headings = {
        "time": "Time", "dependency": "Waited for", "phase": "Part", "seconds": "Call took", "whole": "Request took",
        "share": "Share", "status": "Ended", "trace": "Request",
    }  # fmt: skip
    return Table(
        name="slowest_calls",
        title="Slowest calls of what it waits for",
        description=(
            "The slowest calls of models, stores and interfaces within the 500 slowest requests of the range, of one "
            "dependency when a bar of the waterfall was clicked or its name is written above. Always the same one: call its "
            "owner; all of them at one time: look at network and processor of the platform."
        ),
        targets=(SqlQuery(sql=_calls()),),
        no_value="no such call in range",
        transformations=columns(headings),
        overrides=(
            moment("Time"),
            *(named(name, unit="s", custom_width=130) for name in ("Call took", "Request took")),
            named("Share", unit="percentunit", decimals=0, custom_width=80),
            PART,
            status_column("Ended", 80),
            shortened("Request", links=[link.to_json_data() for link in trace_links(settings, "${__value.raw}")]),
        ),
        paged=True,
    )


def _failed() -> str:
    words = ", ".join(f"'{status}'" for status in FAILED)
    return f"""
SELECT t.started_at AS "time", t.latency_ms / 1000 AS seconds, {STATUS} AS status, t.error_type, t.severity, t.version,
       t.environment, t.intent, t.trace_id AS trace
FROM {REQUESTS}
WHERE {chosen_requests()} AND {STATUS} IN ({words})
ORDER BY t.started_at DESC, t.trace_id LIMIT 100
""".strip()


def failed(settings: Settings) -> Panel:
    headings = {
        "time": "Time", "seconds": "Took", "status": "Ended", "error_type": "Kind of error", "severity": "Severity",
        "version": "Version", "environment": "Environment", "intent": "Intent", "trace": "Request",
    }  # fmt: skip
    return Table(
        name="failed_requests",
        title="Latest failed requests",
        description=(
            "The newest hundred requests of the range that failed or timed out and were kept as traces. Look for what they "
            "share: one version, one intent, one kind of error. A click on a request opens it."
        ),
        targets=(SqlQuery(sql=_failed()),),
        no_value="no failed request in range",
        transformations=columns(headings),
        overrides=(
            NARROW,
            moment("Time"),
            named("Took", unit="s", custom_width=80),
            *(named(name, custom_minWidth=100) for name in ("Kind of error", "Environment", "Intent")),
            *(named(name, custom_width=76) for name in ("Severity", "Version")),
            status_column("Ended", 80),
            shortened("Request", links=[link.to_json_data() for link in trace_links(settings, "${__value.raw}")]),
        ),
        paged=True,
    )
