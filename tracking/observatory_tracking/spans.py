"""Sessions, workflows, executions and calls of tools, each from its beginning to its end.

All are context managers, for `with` and for `async with`. They count each other: a tool within an execution, an execution
within a workflow and a session. None waits for the database, none changes what the code within it returns or raises, and a
mistake within the tracking itself is logged and counted, never raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import Token
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self

from psycopg.types.json import Jsonb

from observatory_tracking.current import CURRENT, Current
from observatory_tracking.names import CANCELLED, ERROR, IN_PROGRESS, SEVERITIES, STORED, SUCCESS, TIMEOUT

if TYPE_CHECKING:
    from observatory_tracking.tracker import Tracker

P = ParamSpec("P")
_LONGEST_TEXT = 10_000


def _harmless(method: Callable[P, None]) -> Callable[P, None]:
    """The method, except that it raises nothing: what is tracked goes on, whatever is wrong with the tracking."""

    @functools.wraps(method)
    def tried(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception as error:
            args[0].tracker.mistake(error)  # type: ignore[attr-defined]

    return tried


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return SUCCESS
    if isinstance(error, TimeoutError):
        return TIMEOUT
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | GeneratorExit | SystemExit):
        return CANCELLED
    return ERROR


def _error_type(error: BaseException) -> str:
    """The kind of an error: what it says itself in `error_type`, or what its class means."""
    said = getattr(error, "error_type", None)
    if isinstance(said, str) and said in SEVERITIES:
        return said
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (TimeoutError, "timeout"), (PermissionError, "auth"), (ValueError, "validation"), (TypeError, "validation"),
    )  # fmt: skip
    return next((kind for class_, kind in kinds if isinstance(error, class_)), "internal")


def _words(error: BaseException) -> str:
    """The class of an error and its words, which some cannot say."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


class Span(ABC):
    """What all of them share: an id, a beginning, an end, an outcome. `seconds` is what it took, once it has ended."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.id = str(uuid.uuid4())
        self.status = IN_PROGRESS
        self.seconds = 0.0
        self.error_type = ""
        self.error_message: str | None = None
        self._began_at: datetime | None = None
        self._ended_at: datetime | None = None
        self._began = 0.0
        self._said: str | None = None
        self._token: Token[Current] | None = None

    def fail(self, error_type: str = "internal", message: str | None = None) -> None:
        """It has failed although nothing was raised. `error_type` is one of SEVERITIES; the message is kept as content is."""
        self._said = TIMEOUT if error_type == "timeout" else ERROR
        self.error_type = error_type if error_type in SEVERITIES else "other"
        self.error_message = message

    @property
    def failed(self) -> bool:
        return self.status in (ERROR, TIMEOUT)

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end(error)

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)

    @_harmless
    def _begin(self) -> None:
        self._began_at, self._began = datetime.now(UTC), time.perf_counter()
        self._token = CURRENT.set(self._within(CURRENT.get()))
        self._opened()

    @_harmless
    def _end(self, error: BaseException | None) -> None:
        self.seconds = time.perf_counter() - self._began
        if self._began_at is not None:
            self._ended_at = datetime.now(UTC)
        self._leave()
        self.status = _outcome(error) if error is not None else self._said or SUCCESS
        if self.failed and error is not None and not self.error_type:
            self.error_type = self._kind(error)
            self.error_message = _words(error)
        self._closed()

    def _leave(self) -> None:
        if self._token is not None:
            with contextlib.suppress(ValueError):  # it ends in another context than it began in: that one never saw it
                CURRENT.reset(self._token)
            self._token = None

    def _kind(self, error: BaseException) -> str:
        return _error_type(error)

    @abstractmethod
    def _within(self, current: Current) -> Current:
        """What is going on inside of it."""

    @abstractmethod
    def _opened(self) -> None:
        """Tells that it has begun."""

    @abstractmethod
    def _closed(self) -> None:
        """Tells that it has ended."""

    def _times(self) -> dict[str, Any]:
        over = self._ended_at is not None
        return {
            "start_time": self._began_at,
            "end_time": self._ended_at,
            "duration_ms": self.seconds * 1000.0 if over else None,
        }

    def _stored(self) -> str:
        return STORED.get(self.status, self.status)

    def _content(self, value: str | None) -> str | None:
        """What people wrote is kept only where the tracker may, and cut; PostgreSQL takes no NUL."""
        return value[:_LONGEST_TEXT].replace("\x00", "") if value is not None and self.tracker.content else None


class Session(Span):
    """A user's visit. Executions within it are counted."""

    def __init__(self, tracker: Tracker, user_id: int, user_agent: str | None, ip_address: str | None) -> None:
        super().__init__(tracker)
        self.user_id, self._user_agent, self._ip_address = user_id, user_agent, ip_address
        self._queries = self._successes = self._failures = self._tokens = 0
        self._seconds = 0.0
        self._agents: dict[str, None] = {}

    def count(self, execution: Execution) -> None:
        self._queries += 1
        self._successes += execution.status == SUCCESS
        self._failures += execution.failed
        self._tokens += execution.tokens
        self._seconds += execution.seconds
        self._agents[execution.agent] = None
        self._store()

    def _within(self, current: Current) -> Current:
        return Current(session=self, correlation_id=current.correlation_id)

    def _opened(self) -> None:
        self.tracker.metrics.session_opened()
        self._store()

    def _closed(self) -> None:
        self.tracker.metrics.session_closed()
        self._store()
        self.tracker.event("session ended", self, queries=self._queries)

    def _store(self) -> None:
        self.tracker.put("session_metrics", {
            "session_id": self.id, **self._times(), "user_id": self.user_id,
            "user_agent": self._content(self._user_agent), "ip_address": self._content(self._ip_address),
            "total_queries": self._queries, "successful_queries": self._successes, "failed_queries": self._failures,
            "agents_used": Jsonb(list(self._agents)), "unique_agents_count": len(self._agents),
            "average_response_time_ms": self._seconds / self._queries * 1000.0 if self._queries else None,
            "total_tokens_used": self._tokens, "is_active": self._ended_at is None, "environment": self.tracker.environment,
        })  # fmt: skip


class Workflow(Span):
    """Several agents at one task. `satisfaction` is 1 to 5 and `completion` a share, once somebody knows."""

    def __init__(self, tracker: Tracker, workflow_type: str, user_id: int | None) -> None:
        super().__init__(tracker)
        self.workflow_type, self._user_id = workflow_type, user_id
        self.satisfaction: float | None = None
        self.completion: float | None = None
        self._session: Session | None = None
        self._tools = self._calls = self._tokens = 0
        self._agents: dict[str, None] = {}

    def count(self, execution: Execution) -> None:
        self._tools += len(execution.tools)
        self._calls += execution.calls
        self._tokens += execution.tokens
        self._agents[execution.agent] = None

    def _within(self, current: Current) -> Current:
        self._session = current.session
        return Current(current.session, self, None, current.correlation_id or uuid.UUID(self.id).hex)

    def _opened(self) -> None:
        self._store()

    def _closed(self) -> None:
        self.tracker.metrics.workflow_ended(self.workflow_type, self.status, self.seconds)
        self._store()
        self.tracker.event("workflow ended", self, workflow_type=self.workflow_type)

    def _store(self) -> None:
        user = self._user_id if self._user_id is not None else self._session.user_id if self._session else None
        self.tracker.put("workflow_metrics", {
            "workflow_id": self.id, "workflow_type": self.workflow_type, **self._times(), "status": self._stored(),
            "agents_involved": Jsonb(list(self._agents)), "agent_count": len(self._agents), "total_tool_calls": self._tools,
            "total_api_calls": self._calls, "total_tokens_used": self._tokens,
            "session_id": self._session.id if self._session else None, "user_id": user,
            "user_satisfaction_score": self.satisfaction, "task_completion_rate": self.completion,
            "environment": self.tracker.environment,
        })  # fmt: skip


class Execution(Span):
    """One query to an agent. `tokens`, `calls` (of models and interfaces) and `trace_id` may be set while it runs."""

    def __init__(self, tracker: Tracker, agent: str, version: str, about: dict[str, Any]) -> None:
        super().__init__(tracker)
        self.agent, self.version = agent, version
        self.tokens = self.calls = self.retries = 0
        self.trace_id: str | None = about.pop("trace_id", None)
        self.response: str | None = None
        self.tools: list[str] = []
        self._about = about
        self._around = Current()

    def retried(self, reason: str = "llm") -> None:
        """Another attempt begins, because of a kind of error."""
        self.retries += 1
        self.tracker.metrics.retried(self.agent, reason)

    def _kind(self, error: BaseException) -> str:
        return "tool" if getattr(error, "_observatory_tool", False) else _error_type(error)

    def _within(self, current: Current) -> Current:
        correlation = current.correlation_id or uuid.UUID(self.id).hex
        self._around = replace(current, correlation_id=correlation)
        return replace(current, execution=self, correlation_id=correlation)

    def _opened(self) -> None:
        self.tracker.metrics.execution_begun(self.agent)
        self._store()

    def _closed(self) -> None:
        self.tracker.metrics.execution_ended(self.agent, self.version, self.status, self.seconds, self.error_type)
        self._store()
        for around in (self._around.workflow, self._around.session):
            if around is not None:
                around.count(self)
        self.tracker.event("execution ended", self, agent=self.agent, version=self.version, tokens=self.tokens)

    def _store(self) -> None:
        about, session = self._about, self._around.session
        user = about["user_id"] if about["user_id"] is not None else session.user_id if session else None
        self.tracker.put("agent_executions", {
            "execution_id": self.id, "agent_id": about["agent_id"], "agent_name": self.agent, "version": self.version,
            **self._times(), "status": self._stored(), "query": self._content(about["query"]),
            "response": self._content(self.response), "error_message": self._content(self.error_message),
            "error_type": self.error_type or None, "tools_called": Jsonb(list(self.tools)), "tool_count": len(self.tools),
            "retry_count": self.retries, "session_id": session.id if session else None, "user_id": user,
            "conversation_id": about["conversation_id"], "correlation_id": self._around.correlation_id,
            "trace_id": self.trace_id, "tokens_used": self.tokens, "api_calls_count": self.calls,
            "environment": self.tracker.environment, "intent": about["intent"],
        })  # fmt: skip


class Tool(Span):
    """One call of a tool, within an execution or by itself. `api` names the external interface that it calls, if it does."""

    def __init__(self, tracker: Tracker, name: str, api: str | None) -> None:
        super().__init__(tracker)
        self.name, self.api = name, api
        self._execution: Execution | None = None
        self._api_code: int | None = None
        self._api_seconds: float | None = None

    def answered(self, code: int, seconds: float | None = None) -> None:
        """The external interface answered with this HTTP status, after these seconds (else: as long as the call took)."""
        self._api_code, self._api_seconds = code, seconds

    def _within(self, current: Current) -> Current:
        self._execution = current.execution
        return current

    def _opened(self) -> None:
        """It is told of when it ends."""

    def _closed(self) -> None:
        agent = self._execution.agent if self._execution else ""
        self.tracker.metrics.tool_ended(self.name, agent, self.status, self.seconds)
        taken = self._api_seconds if self._api_seconds is not None else self.seconds
        if self.api:
            code = str(self._api_code) if self._api_code is not None else self.status
            self.tracker.metrics.api_answered(self.api, code, taken)
        if self._execution:
            self._execution.tools.append(self.name)
            self._execution.calls += bool(self.api)
        self.tracker.put("tool_usage_metrics", {
            "usage_id": self.id, "tool_name": self.name, "execution_id": self._execution.id if self._execution else None,
            **self._times(), "status": self._stored(), "input_data": None, "output_data": None,
            "error_message": self._content(self.error_message), "external_api_called": self.api,
            "api_response_time_ms": taken * 1000.0 if self.api else None, "api_status_code": self._api_code,
        })  # fmt: skip
        self.tracker.event("tool ended", self, tool=self.name)

    def _kind(self, error: BaseException) -> str:
        # The execution around it sees the same exception, and is told that a tool raised it.
        with contextlib.suppress(AttributeError):  # an exception without a dictionary cannot carry it
            error._observatory_tool = True  # type: ignore[attr-defined]
        return "timeout" if isinstance(error, TimeoutError) else "tool"
