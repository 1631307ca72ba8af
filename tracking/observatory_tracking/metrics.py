"""The Prometheus metrics of what is tracked, under the names that the observatory reads."""

from __future__ import annotations

import threading

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from observatory_tracking import names
from observatory_tracking.names import CANCELLED, SUCCESS


class Metrics:
    """Counters and histograms in `registry`. Names beyond a label's cap are counted as `other`, so that memory is bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._known: dict[str, set[str]] = {label: set() for label in names.CAPS}
        self._lock = threading.Lock()
        self._queries = Counter(
            "agent_queries_total", "Queries that agents finished", ("agent", "status", "version"), registry=registry
        )
        self._seconds = Histogram(
            "agent_query_duration_seconds", "Time from query to answer", ("agent", "version", "status"),
            buckets=names.AGENT_SECONDS, registry=registry,
        )  # fmt: skip
        self._in_progress = Gauge("agent_queries_in_progress", "Queries being worked on", ("agent",), registry=registry)
        self._errors = Counter("agent_errors_total", "Errors of agents", ("agent", "error_type", "severity"), registry=registry)
        self._retries = Counter("agent_retries_total", "Repeated attempts of agents", ("agent", "reason"), registry=registry)
        self._tools = Counter("agent_tool_calls_total", "Tool calls", ("tool", "agent", "status"), registry=registry)
        self._tool_seconds = Histogram(
            "agent_tool_call_duration_seconds", "Time of a tool call", ("tool",), buckets=names.TOOL_SECONDS, registry=registry
        )
        self._calls = Counter(
            "agent_external_api_requests_total", "Calls of external interfaces", ("api", "status"), registry=registry
        )
        self._call_seconds = Histogram(
            "agent_external_api_duration_seconds", "Time of an external call", ("api",),
            buckets=names.TOOL_SECONDS, registry=registry,
        )  # fmt: skip
        self._workflows = Counter(
            "agent_workflow_runs_total", "Workflows that ended", ("workflow_type", "status"), registry=registry
        )
        self._workflow_seconds = Histogram(
            "agent_workflow_duration_seconds", "Time of a workflow", ("workflow_type",),
            buckets=names.WORKFLOW_SECONDS, registry=registry,
        )  # fmt: skip
        self._sessions = Gauge("agent_sessions_active", "User sessions that are open", registry=registry)
        self._dropped = Counter(
            "agent_tracking_dropped_rows_total", "Rows that could not be kept or stored", ("table", "reason"), registry=registry
        )
        self._failures = Counter("agent_tracking_failures_total", "Mistakes within the tracking itself", registry=registry)

    def execution_begun(self, agent: str) -> None:
        self._in_progress.labels(self._named("agent", agent)).inc()

    def execution_ended(self, agent: str, version: str, status: str, seconds: float, error_type: str) -> None:
        """A query that its user gave up has no time to an answer."""
        agent, version = self._named("agent", agent), self._named("version", version)
        self._in_progress.labels(agent).dec()
        self._queries.labels(agent, status, version).inc()
        if status != CANCELLED:
            self._seconds.labels(agent, version, SUCCESS if status == SUCCESS else "failed").observe(seconds)
        if error_type:
            self._errors.labels(agent, error_type, names.SEVERITIES[error_type]).inc()

    def retried(self, agent: str, reason: str) -> None:
        self._retries.labels(self._named("agent", agent), self._named("reason", reason)).inc()

    def tool_ended(self, tool: str, agent: str, status: str, seconds: float) -> None:
        tool = self._named("tool", tool)
        self._tools.labels(tool, self._named("agent", agent), status).inc()
        self._tool_seconds.labels(tool).observe(seconds)

    def api_answered(self, api: str, status: str, seconds: float) -> None:
        api = self._named("api", api)
        self._calls.labels(api, self._named("status", status)).inc()
        self._call_seconds.labels(api).observe(seconds)

    def workflow_ended(self, workflow_type: str, status: str, seconds: float) -> None:
        workflow_type = self._named("workflow_type", workflow_type)
        self._workflows.labels(workflow_type, status).inc()
        self._workflow_seconds.labels(workflow_type).observe(seconds)

    def session_opened(self) -> None:
        self._sessions.inc()

    def session_closed(self) -> None:
        self._sessions.dec()

    def dropped(self, table: str, reason: str, rows: int = 1) -> None:
        """`reason`: full (too many rows waited), refused (the database does not take it) or ended (the process ended first)."""
        self._dropped.labels(table, reason).inc(rows)

    def failed(self) -> None:
        self._failures.inc()

    def _named(self, label: str, value: str) -> str:
        known = self._known[label]
        if value not in known:
            with self._lock:
                if value not in known and len(known) >= names.CAPS[label]:
                    return names.OVERFLOW
                known.add(value)
        return value
