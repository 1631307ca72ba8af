"""Which request the tab shows: the one that a link or a reader names, else the slowest that the filters let through."""

from __future__ import annotations

from dashboards.lib.requests import REQUESTS, STATUS, chosen_requests
from dashboards.lib.variables import TextVariable

TRACE = TextVariable(
    name="trace",
    label="Request",
    description="Id of a trace. Empty: the slowest request of the range that all filters let through.",
)
NOT_KEPT = "no such request was kept as a trace"


def shown() -> str:
    """The table expression `requests` with the one request, for the beginning of a question."""
    return f"""
requests AS (
  SELECT t.trace_id, t.started_at, t.latency_ms, {STATUS} AS status, t.error_type, t.severity, a.name AS agent, t.version,
         t.environment, t.intent
  FROM {REQUESTS}
  WHERE t.trace_id = ${{trace:sqlstring}} OR (${{trace:sqlstring}} = '' AND {chosen_requests()})
  ORDER BY t.latency_ms DESC, t.started_at DESC, t.trace_id LIMIT 1
)""".strip()
