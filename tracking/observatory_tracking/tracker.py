"""What a platform makes once and uses everywhere."""

from __future__ import annotations

import logging
from importlib import resources
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry

from observatory_tracking.metrics import Metrics
from observatory_tracking.spans import Execution, Session, Span, Tool, Workflow
from observatory_tracking.writer import LOG, Row, Writer, connector


class Tracker:
    """Tracks sessions, workflows, executions and tools: rows for PostgreSQL and metrics for Prometheus at once.

    `dsn`: connection string of a role that may insert into and update the four tables of `schema` (see `tables`), None for
    metrics only. `environment` is the one that rows carry. `content`: whether queries, answers, error messages, user agents and
    addresses are kept; without it these columns stay empty. At most `limit` rows wait for the database.
    """

    def __init__(
        self,
        dsn: str | None = None,
        environment: str = "production",
        schema: str = "app",
        content: bool = False,
        limit: int = 10_000,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self.environment, self.content = environment, content
        self.metrics = Metrics(registry)
        self._writer = Writer(connector(dsn), self.metrics.dropped, schema, limit) if dsn else None
        self._complaint = ""

    def track_session(self, user_id: int, user_agent: str | None = None, ip_address: str | None = None) -> Session:
        """A user's visit."""
        return Session(self, user_id, user_agent, ip_address)

    def track_workflow(self, workflow_type: str, user_id: int | None = None) -> Workflow:
        """A task of several agents. Executions within it share its correlation id."""
        return Workflow(self, workflow_type, user_id)

    def track_execution(
        self,
        agent: str,
        version: str = "",
        *,
        agent_id: int | None = None,
        user_id: int | None = None,
        conversation_id: int | None = None,
        intent: str | None = None,
        trace_id: str | None = None,
        query: str | None = None,
    ) -> Execution:
        """One query to an agent. Without `agent_id` the agent is looked up, or entered, by its name in the table `agents`."""
        about = {
            "agent_id": agent_id, "user_id": user_id, "conversation_id": conversation_id, "intent": intent,
            "trace_id": trace_id, "query": query,
        }  # fmt: skip
        return Execution(self, agent, version, about)

    def track_tool(self, name: str, api: str | None = None) -> Tool:
        """One call of a tool, and of the external interface `api` behind it."""
        return Tool(self, name, api)

    def flush(self, seconds: float = 5.0) -> bool:
        """Waits until all rows are written, for at most `seconds`; whether they are."""
        return self._writer is None or self._writer.flush(seconds)

    def close(self, seconds: float = 5.0) -> bool:
        """The same, and takes no more rows. Called by itself when the process ends."""
        return self._writer is None or self._writer.close(seconds)

    def put(self, table: str, row: Row) -> None:
        if self._writer is not None:
            self._writer.put(table, row)

    def event(self, text: str, span: Span, **fields: Any) -> None:
        """A line of the log `observatory_tracking`, its fields in `extra`: failures as warnings, single steps for debugging."""
        level = logging.WARNING if span.failed else logging.INFO if isinstance(span, Session | Workflow) else logging.DEBUG
        if LOG.isEnabledFor(level):
            told = {"id": span.id, "status": span.status, "seconds": round(span.seconds, 6), **fields}
            LOG.log(
                level, "%s: %s", text, " ".join(f"{name}={value}" for name, value in told.items()), extra={"tracking": told}
            )

    def mistake(self, error: Exception) -> None:
        """Something is wrong with the tracking itself; the same mistake is said once."""
        self.metrics.failed()
        text = f"{type(error).__name__}: {error}"
        if text != self._complaint:
            LOG.error("tracking failed: %s", text, exc_info=error)
        self._complaint = text


def tables(schema: str = "app") -> str:
    """SQL that makes the tables where there are none. Raises ValueError for a name that needs quotes."""
    if not schema.isidentifier() or not schema.islower() or not schema.isascii():
        raise ValueError(f"{schema!r}: a schema's name is small letters, digits and underscores")
    text = resources.files("observatory_tracking").joinpath("tables.sql").read_text(encoding="utf-8")
    return text.replace("app.", f"{schema}.").replace("SCHEMA IF NOT EXISTS app", f"SCHEMA IF NOT EXISTS {schema}")
