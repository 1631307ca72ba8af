"""A small platform with a past of two months: the same for the same seed, dense near now, with rows on bounds of windows."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from contract.relations import APP_SCHEMA

AGENTS = ("billing", "travel", "idle")
ENVIRONMENTS = ("production", "staging")
STATUSES = ("success", "Success", "failed", "timeout", "cancelled", "in_progress", "strange")
PRIORITIES = ("low", "normal", "high", "urgent", "odd")
TICKET_STATUSES = ("open", "in_progress", "waiting", "resolved", "closed")


class Life:
    """Writes rows that lie before `now` (and some a little after it, by clocks that are fast)."""

    def __init__(self, dsn: str, now: datetime, seed: int = 7) -> None:
        self._dsn, self._now, self._random = dsn, now, random.Random(seed)
        self._bounds = [
            begin - timedelta(hours=hours)
            for begin, lengths in (
                (now.replace(second=0, microsecond=0), (1, 24)),
                (now.replace(minute=0, second=0, microsecond=0), (168, 720)),
            )
            for hours in lengths
        ]

    def moment(self) -> datetime:
        """Half of them on the last day, a few exactly on the bound of a window or just before it."""
        draw = self._random.random()
        if draw < 0.05:
            return self._random.choice(self._bounds)
        if draw < 0.1:
            return self._random.choice(self._bounds) - timedelta(microseconds=1)
        return self._now - timedelta(days=60) * self._random.random() ** 6

    def choice(self, values: Sequence[Any]) -> Any:
        return self._random.choice(values)

    def number(self, most: int) -> int:
        return self._random.randrange(most)

    def maybe(self, value: Any, share: float = 0.7) -> Any:
        return value if self._random.random() < share else None

    def identity(self) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128), version=4)

    def write(self) -> None:
        """Everything, relation by relation, in one transaction each."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            for relation, columns, rows in (
                self._agents(), self._deployments(), self._users(), self._conversations(), self._messages(), self._handoffs(),
                self._feedback(), self._tickets(), self._documents(), self._chunks(), self._searches(), self._executions(),
                self._tools(), self._workflows(), self._sessions(), self._queue(), self._features(), self._logins(),
            ):  # fmt: skip
                insert(connection, relation, columns, rows)

    def _agents(self) -> Rows:
        rows = [(n, name, "chat", "production", True) for n, name in enumerate(AGENTS)]
        return "agents", "id name type environment is_active", rows

    def _deployments(self) -> Rows:
        rows = [
            (1, 0, "1.0", "production", self._now - timedelta(days=30), self._now - timedelta(days=9)),
            (2, 0, "1.1", "production", self._now - timedelta(days=9), None),
            (3, 1, "2.0", "staging", self._now - timedelta(days=9), None),
        ]
        return "deployments", "id agent_id version environment deployed_at retired_at", rows

    def _users(self) -> Rows:
        rows = [(n, self.moment(), self.choice(("customer", "staff", "")), "active") for n in range(60)]
        return "users", "id created_at role status", rows

    def _conversations(self) -> Rows:
        rows = []
        for n in range(400):
            began = self.moment()
            ended = self.maybe(began + timedelta(minutes=self.number(50)), 0.85)
            goal = self.choice((True, False, None)) if ended else None
            outcome = self.choice(("resolved", "handoff", "abandoned", None)) if ended else None
            rows.append(
                (n, n % 60, self.number(2), began, ended, "x", self.maybe("refund"), goal, outcome, self.choice(ENVIRONMENTS))
            )
        return "conversations", "id user_id agent_id created_at ended_at status intent goal_achieved outcome environment", rows

    def _messages(self) -> Rows:
        rows = [
            (n, self.number(400), self.maybe(self.number(60), 0.9), self.choice(("user", "assistant")), self.moment(),
             self.maybe(self.number(900)))
            for n in range(1500)
        ]  # fmt: skip
        return "messages", "id conversation_id user_id role created_at tokens", rows

    def _handoffs(self) -> Rows:
        rows = [(n, self.number(400), self.moment(), self.choice(("asked", "stuck"))) for n in range(60)]
        return "handoffs", "id conversation_id at reason", rows

    def _feedback(self) -> Rows:
        rows = [
            (n, self.maybe(self.number(400), 0.9), self.maybe(1 + self.number(5)), self.maybe(self.choice((1, -1, 0))),
             self.maybe(self.number(11), 0.4), self.moment())
            for n in range(300)
        ]  # fmt: skip
        rows.sort(key=lambda row: row[-1])
        return "feedback", "id conversation_id rating thumbs nps created_at", [(n, *row[1:]) for n, row in enumerate(rows)]

    def _tickets(self) -> Rows:
        rows = []
        for n in range(160):
            created, status = self.moment(), self.choice(TICKET_STATUSES)
            responded = self.maybe(created + timedelta(minutes=self.number(300)))
            resolved = created + timedelta(hours=self.number(90)) if status in ("resolved", "closed") else None
            due = [self.maybe(created + timedelta(minutes=self.number(most)), 0.8) for most in (300, 6000)]
            reopened = self.choice((0, 0, 0, 1, 2))
            assignee = self.maybe(9)
            rows.append(
                (n, n % 60, status, self.choice(PRIORITIES), assignee, created, created, responded, resolved, reopened, *due)
            )
        columns = (
            "id user_id status priority assignee_id created_at updated_at first_response_at resolved_at reopened_count "
            "sla_first_response_due_at sla_resolution_due_at"
        )
        return "tickets", columns, rows

    def _documents(self) -> Rows:
        rows = []
        for n in range(80):
            at = self.moment()
            status, kind = self.choice(("done", "done", "failed", "processing")), self.choice(("pdf", "html"))
            rows.append((n, "name", kind, status, self.number(10**6), at, at + timedelta(seconds=40)))
        return "documents", "id file_name file_type status size_bytes created_at updated_at", rows

    def _chunks(self) -> Rows:
        return "chunks", "id document_id created_at token_count", [(n, n % 80, self.moment(), 200) for n in range(200)]

    def _searches(self) -> Rows:
        rows = [(n, self.moment(), self.choice((3.0, 5.0, 77.7, 900.0, 6000.0)), self.number(3)) for n in range(200)]
        return "kb_searches", "id at duration_ms result_count", rows

    def _executions(self) -> Rows:
        self._execution_ids = [self.identity() for _ in range(500)]
        rows = []
        for identity in self._execution_ids:
            began, status, agent = self.moment(), self.choice(STATUSES), self.number(2)
            running = status == "in_progress"
            duration = None if running else self.choice((50.0, 100.0, 499.9994, 2000.0, 5000.001, 320000.0, 999999.0))
            ended = None if running else self.maybe(began + timedelta(milliseconds=duration or 0), 0.9)
            error = self.choice(("llm", "tool", "unheard of", None))
            version, tokens = self.choice(("1.0", "1.1", None)), self.maybe(self.number(5000))
            place = self.choice(ENVIRONMENTS)
            rows.append(
                (
                    identity,
                    agent,
                    AGENTS[agent],
                    version,
                    began,
                    ended,
                    duration,
                    status,
                    error,
                    1,
                    self.number(3),
                    tokens,
                    0,
                    place,
                )
            )
        columns = (
            "execution_id agent_id agent_name version start_time end_time duration_ms status error_type tool_count retry_count "
            "tokens_used api_calls_count environment"
        )
        return "agent_executions", columns, rows

    def _tools(self) -> Rows:
        rows = []
        for _ in range(300):
            began, duration = self.moment(), self.choice((10.0, 10.0001, 80.0, 5120.0, 99999.0))
            end, execution = began + timedelta(milliseconds=duration), self.maybe(self.choice(self._execution_ids), 0.9)
            rows.append(
                (self.identity(), self.choice(("search", "mail")), execution, began, end, duration, self.choice(STATUSES))
            )
        return "tool_usage_metrics", "usage_id tool_name execution_id start_time end_time duration_ms status", rows

    def _workflows(self) -> Rows:
        rows = []
        for _ in range(80):
            began, status = self.moment(), self.choice(STATUSES)
            end = None if status == "in_progress" else began + timedelta(seconds=self.number(9000))
            place = self.maybe(self.choice(ENVIRONMENTS))
            rows.append((self.identity(), self.choice(("refund", "trip")), began, end, status, 1, 0, 0, 0, place))
        columns = (
            "workflow_id workflow_type start_time end_time status agent_count total_tool_calls total_api_calls "
            "total_tokens_used environment"
        )
        return "workflow_metrics", columns, rows

    def _sessions(self) -> Rows:
        rows = []
        for n in range(120):
            began, active = self.moment(), self.number(4) == 0
            end = None if active else began + timedelta(seconds=self.number(20000))
            rows.append((self.identity(), began, end, n % 60, 3, 2, 1, 1, 500, active, self.choice(ENVIRONMENTS)))
        columns = (
            "session_id start_time end_time user_id total_queries successful_queries failed_queries unique_agents_count "
            "total_tokens_used is_active environment"
        )
        return "session_metrics", columns, rows

    def _queue(self) -> Rows:
        rows = [
            (n, self.choice(("mail", "sync")), self._now, self._now, 0, self.choice(("waiting", "done"))) for n in range(40)
        ]
        return "offline_queue", "id queue enqueued_at available_at attempts status", rows

    def _features(self) -> Rows:
        return (
            "feature_usage_events",
            "id user_id feature at",
            [(n, n % 60, self.choice(("export", "share")), self.moment()) for n in range(150)],
        )

    def _logins(self) -> Rows:
        rows = [(n, n % 60, self.moment(), self.choice(("success", "failure", "ok"))) for n in range(150)]
        return "login_events", "id user_id at result", rows


Rows = tuple[str, str, list[tuple[Any, ...]]]
"""A relation, its columns, and values for them."""


def insert(connection: psycopg.Connection[Any], relation: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    names = columns.split()
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(APP_SCHEMA, relation),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join([sql.Placeholder()] * len(names)),
    )
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(query, rows)
