"""The life of the synthetic platform, lived once more through the library, leaves the rows that the platform itself writes.

The platform does not use the library: it has to be exact to the row, in one transaction, to the end of its days; the library
rather drops a row than keep anybody waiting. That both write the same tables is held here.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from observatory_tracking import Execution, Tracker, spans, tables
from observatory_tracking.tracker import Tracker as Tracking
from prometheus_client import CollectorRegistry
from psycopg.rows import dict_row

from contract.relations import RELATIONS
from demo.database.rows.conversations import tokens_of, write_conversation
from demo.database.rows.text import Lines, answer, question, visitor
from demo.world.catalogue import AGENT, ERROR_TEXTS
from demo.world.model import Conversation, Incident, ToolCall, WorldSpec
from demo.world.model import Execution as Run
from demo.world.world import World

ANCHOR = 1_800_000_000.0
SPEC = WorldSpec(seed=3, anchor=ANCHOR, days=2, scale=1.5, incidents=(Incident("errors", ANCHOR + 600.0, ANCHOR + 1200.0),))
TABLES = {"agent_executions": "execution_id", "tool_usage_metrics": "usage_id", "session_metrics": "session_id"}
OWN = {"correlation_id"}
"""Made by each in its own way: the platform's are shorter."""


class Clock:
    """Time as the library sees it, and the identities that it gives."""

    def __init__(self) -> None:
        self.now = 0.0
        self.identity = ""

    def perf_counter(self) -> float:
        return self.now

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(self.identity)

    def datetime(self, _: Any) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(spans, "time", made)
    monkeypatch.setattr(spans, "datetime", type("Now", (), {"now": staticmethod(made.datetime)}))
    monkeypatch.setattr(spans.uuid, "uuid4", made.uuid4)
    return made


def live(tracker: Tracker, clock: Clock, talk: Conversation) -> None:
    """A conversation as the code of a platform would be tracked."""
    clock.now, clock.identity = talk.at, talk.session_id
    with tracker.track_session(talk.user_id, *visitor(talk.session_id)):
        for run in talk.executions:
            clock.now, clock.identity = run.at, run.execution_id
            with contextlib.suppress(GeneratorExit), tracker.track_execution(
                run.agent, run.version, agent_id=AGENT[run.agent].agent_id, conversation_id=talk.conversation_id,
                intent=run.intent, trace_id=run.trace_id, query=question(run.intent),
            ) as tracked:  # fmt: skip
                _answer(tracker, clock, run, tracked)
        clock.now = talk.end


def _answer(tracker: Tracker, clock: Clock, run: Run, tracked: Execution) -> None:
    for call in run.tools:
        _use(tracker, clock, call)
    tracked.calls += len(run.calls)
    tracked.tokens += tokens_of(run)
    for _ in range(run.retries):
        tracked.retried()
    clock.now = run.end
    if run.answer_tokens:
        tracked.response = answer(run.intent, run.answer_tokens)
    if run.error_type:
        tracked.fail(run.error_type, ERROR_TEXTS[run.error_type])
    if run.status == "cancelled":
        raise GeneratorExit  # whoever asked has gone


def _use(tracker: Tracker, clock: Clock, call: ToolCall) -> None:
    clock.now, clock.identity = call.at, call.usage_id
    with tracker.track_tool(call.tool, call.api or None) as tool:
        clock.now = call.at + call.duration
        if call.api:
            tool.answered(call.api_status, call.duration * 0.9)
        if call.status != "success":
            tool.fail("timeout" if call.status == "timeout" else "tool", "The tool gave no result")


def written(connection: psycopg.Connection[Any], talks: list[Conversation]) -> None:
    """The rows of the platform, as it writes them."""
    lines: Lines = defaultdict(list)
    for talk in talks:
        write_conversation(lines, talk, talk.settled + 1.0, talk.at - 1.0)
    for table in TABLES:
        names = ", ".join(column.name for column in RELATIONS[table].columns)
        with connection.cursor() as cursor, cursor.copy(f"COPY app.{table} ({names}) FROM STDIN".encode()) as stream:
            stream.write("".join(lines[table]))


def rows(connection: psycopg.Connection[Any], schema: str, table: str) -> dict[Any, dict[str, Any]]:
    """By key, without what each makes in its own way."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(f"SELECT * FROM {schema}.{table}".encode()).fetchall()  # names of ours
    return {row[TABLES[table]]: {name: _plain(row[name], schema == "app") for name in row if name not in OWN} for row in found}


def _plain(value: Any, about: bool) -> Any:
    """Times in seconds; `about`: to the millisecond, which is what is meant."""
    if isinstance(value, datetime):
        value = value.timestamp()
    if isinstance(value, float):
        return pytest.approx(value, abs=2e-3) if about else value
    return json.dumps(value) if isinstance(value, list) else value


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_the_rows_are_the_same(platform_database: str, clock: Clock, environment: str, create: Callable[..., Tracking]) -> None:
    begun = [talk for hour in (0, 1) for talk in World(SPEC).hour(ANCHOR + hour * 3600.0).conversations]
    talks = [talk for talk in begun if talk.environment == environment]
    outcomes = {run.status for talk in talks for run in talk.executions}
    assert environment == "staging" or outcomes == {"success", "error", "timeout", "cancelled"}
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(tables("tracked").encode())
        tracker = create(platform_database, environment)
        for talk in talks:
            live(tracker, clock, talk)
        assert tracker.flush(60.0)
        written(connection, talks)
        for table in TABLES:
            theirs, ours = (rows(connection, schema, table) for schema in ("app", "tracked"))
            assert len(theirs) > 5 and ours.keys() == theirs.keys()
            for key, row in theirs.items():
                assert ours[key] == row, (table, key)


@pytest.fixture
def create(request: pytest.FixtureRequest) -> Callable[[str, str], Tracking]:
    def made(dsn: str, environment: str) -> Tracking:
        tracker = Tracker(dsn, environment, schema="tracked", content=True, registry=CollectorRegistry())
        request.addfinalizer(tracker.close)
        return tracker

    return made
