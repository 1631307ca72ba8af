"""What the tracking library writes and counts is what the contract says, and never in the way of the code that it tracks."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import observatory_tracking
import psycopg
import pytest
from observatory_tracking import Tracker, correlation_id, names, tables
from observatory_tracking.metrics import Metrics
from prometheus_client import CollectorRegistry
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from contract import buckets
from contract.catalogue import metric as declared
from contract.labels import ERROR_TYPES, LABELS
from contract.relations import RELATIONS, SQL_TYPES
from contract.status import normalise
from tests.database.pooler import pooler

ADMIN = "postgres"
SECRET = "what the user asked: my password is hunter2"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def tables_database(database: str) -> str:
    """A database of a platform that had nothing: with the library's own tables."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(tables().encode())
        connection.execute(tables().encode())  # a second time changes nothing
    return database


@pytest.fixture
def tracker(tables_database: str, registry: CollectorRegistry) -> Iterator[Tracker]:
    found = Tracker(tables_database, registry=registry)
    yield found
    found.close()


def rows(dsn: str, table: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(f"SELECT * FROM app.{table} ORDER BY start_time".encode()).fetchall()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return registry.get_sample_value(name, labels) or 0.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


class TestNames:
    def test_columns_are_those_of_the_contract(self) -> None:
        for table, columns in names.TABLES.items():
            relation = RELATIONS[table]
            assert columns == tuple(column.name for column in relation.columns), table
            assert (columns[0],) == relation.key

    def test_the_tables_are_those_of_the_contract(self, tables_database: str) -> None:
        asked = (
            "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns "
            "WHERE table_schema = 'app' AND table_name = %s ORDER BY ordinal_position"
        )
        spelt = {**SQL_TYPES, "timestamptz": "timestamp with time zone"}
        with psycopg.connect(tables_database) as connection:
            for table in ("agents", *names.TABLES):
                made = connection.execute(asked, (table,)).fetchall()
                wanted = [(c.name, spelt.get(c.type, c.type), c.nullable) for c in RELATIONS[table].columns]
                assert made == wanted, table

    def test_metrics_are_those_of_the_contract(self, registry: CollectorRegistry) -> None:
        Metrics(registry)
        for family in registry._names_to_collectors.values():  # type: ignore[attr-defined]
            name = family._name + ("_total" if family._type == "counter" else "")
            if name.startswith("agent_tracking_"):
                continue
            metric = declared(name)
            assert metric.type == family._type
            assert set(metric.labels) == set(family._labelnames), name
            if metric.buckets:
                assert tuple(family._upper_bounds[:-1]) == tuple(metric.buckets), name

    def test_words_caps_and_bounds_are_those_of_the_contract(self) -> None:
        assert set(names.SEVERITIES) == set(ERROR_TYPES)
        assert set(names.SEVERITIES.values()) <= set(LABELS["severity"].values)
        assert {label: LABELS[label].cap for label in names.CAPS} == names.CAPS
        assert {status: word for status, word in names.STORED.items() if normalise(word) == status} == names.STORED
        assert (names.AGENT_SECONDS, names.TOOL_SECONDS, names.WORKFLOW_SECONDS) == (
            buckets.AGENT, buckets.TOOL, buckets.WORKFLOW,
        )  # fmt: skip

    def test_a_schema_of_another_name(self) -> None:
        assert "platform.agents" in tables("platform") and "app." not in tables("platform")
        with pytest.raises(ValueError, match="small letters"):
            tables("app; DROP TABLE users")


class TestRows:
    def test_what_belongs_together_is_linked_and_counted(self, tracker: Tracker, tables_database: str) -> None:
        with tracker.track_session(user_id=7) as session, tracker.track_workflow("refund") as workflow:
            outer = correlation_id()
            with tracker.track_execution("billing", "1.4.2", intent="refund", conversation_id=3) as first:
                assert correlation_id() == outer
                with tracker.track_tool("lookup", api="crm") as tool:
                    tool.answered(200, 0.25)
                with tracker.track_tool("calculator"):
                    pass
                first.tokens += 812
                first.retried("rate_limit")
            with tracker.track_execution("triage", "2.0.0") as second:
                second.tokens += 8
                second.fail("llm", "no answer")
            workflow.completion = 0.5
        assert correlation_id() == ""
        assert tracker.flush(10)
        executions = rows(tables_database, "agent_executions")
        assert [(r["agent_name"], r["status"], r["tools_called"], r["tool_count"]) for r in executions] == [
            ("billing", "success", ["lookup", "calculator"], 2), ("triage", "failure", [], 0),
        ]  # fmt: skip
        assert {(str(r["session_id"]), r["user_id"], r["correlation_id"]) for r in executions} == {(session.id, 7, outer)}
        assert (executions[0]["retry_count"], executions[0]["api_calls_count"], executions[0]["tokens_used"]) == (1, 1, 812)
        assert executions[0]["agent_id"] != executions[1]["agent_id"] and executions[1]["error_type"] == "llm"
        assert executions[0]["duration_ms"] == first.seconds * 1000
        tool_rows = rows(tables_database, "tool_usage_metrics")
        assert [(r["tool_name"], str(r["execution_id"]), r["external_api_called"]) for r in tool_rows] == [
            ("lookup", first.id, "crm"), ("calculator", first.id, None),
        ]  # fmt: skip
        assert (tool_rows[0]["api_status_code"], tool_rows[0]["api_response_time_ms"]) == (200, 250)
        [run] = rows(tables_database, "workflow_metrics")
        assert (run["agents_involved"], run["total_tool_calls"], run["total_tokens_used"], run["task_completion_rate"]) == (
            ["billing", "triage"], 2, 820, 0.5,
        )  # fmt: skip
        [visit] = rows(tables_database, "session_metrics")
        assert (visit["total_queries"], visit["successful_queries"], visit["failed_queries"], visit["is_active"]) == (
            2,
            1,
            1,
            False,
        )
        assert visit["average_response_time_ms"] == pytest.approx((first.seconds + second.seconds) * 500)

    def test_an_execution_is_there_while_it_runs(self, tracker: Tracker, tables_database: str) -> None:
        with tracker.track_execution("billing"):
            assert tracker.flush(10)
            [row] = rows(tables_database, "agent_executions")
            assert (row["status"], row["end_time"], row["duration_ms"]) == ("in_progress", None, None)
        assert tracker.flush(10)
        [row] = rows(tables_database, "agent_executions")
        assert row["status"] == "success" and row["end_time"] >= row["start_time"]

    def test_an_agent_is_entered_once_or_given(self, tracker: Tracker, tables_database: str) -> None:
        for agent_id in (None, None, 99):
            with tracker.track_execution("billing", agent_id=agent_id):
                pass
            assert tracker.flush(10)
        with psycopg.connect(tables_database) as connection:
            [(number, name)] = connection.execute("SELECT id, name FROM app.agents").fetchall()
        assert name == "billing"
        assert [row["agent_id"] for row in rows(tables_database, "agent_executions")] == [number, number, 99]

    @pytest.mark.parametrize("content", [False, True])
    def test_what_people_wrote_is_kept_only_when_it_may_be(
        self, tables_database: str, registry: CollectorRegistry, content: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        tracker = Tracker(tables_database, registry=registry, content=content)
        with (
            tracker.track_session(1, user_agent=SECRET, ip_address="10.0.0.1"),
            suppress(RuntimeError),
            tracker.track_execution("billing", query=f"{SECRET}\x00" + "x" * 20_000) as run,
        ):
            run.response = SECRET
            raise RuntimeError(SECRET)
        assert tracker.close()
        [row], [visit] = rows(tables_database, "agent_executions"), rows(tables_database, "session_metrics")
        texts = (row["query"], row["response"], row["error_message"], visit["user_agent"], visit["ip_address"])
        if content:
            assert all(texts) and len(row["query"]) == 10_000 - 1
        else:
            assert texts == (None,) * 5
        assert SECRET not in caplog.text


class TestOutcomes:
    @pytest.mark.parametrize(
        ("error", "status", "stored", "kind"),
        [
            (TimeoutError("slow"), "timeout", "timeout", "timeout"),
            (PermissionError("no"), "error", "failure", "auth"),
            (ValueError("odd"), "error", "failure", "validation"),
            (ZeroDivisionError("odd"), "error", "failure", "internal"),
            (KeyboardInterrupt(), "cancelled", "cancelled", None),
            (asyncio.CancelledError(), "cancelled", "cancelled", None),
        ],
    )
    def test_what_is_raised_goes_on_and_is_told(
        self, tracker: Tracker, tables_database: str, registry: CollectorRegistry,
        error: BaseException, status: str, stored: str, kind: str | None,
    ) -> None:  # fmt: skip
        with pytest.raises(type(error)) as caught, tracker.track_execution("billing", "1"):
            raise error
        assert caught.value is error
        assert tracker.flush(10)
        [row] = rows(tables_database, "agent_executions")
        assert (row["status"], row["error_type"]) == (stored, kind)
        assert value(registry, "agent_queries_total", agent="billing", status=status, version="1") == 1
        assert value(registry, "agent_queries_in_progress", agent="billing") == 0
        timed = sum(
            value(registry, "agent_query_duration_seconds_count", agent="billing", version="1", status=way)
            for way in ("success", "failed")
        )
        assert timed == (status != "cancelled")

    def test_an_error_says_what_it_is(self, tracker: Tracker, registry: CollectorRegistry) -> None:
        class Refused(Exception):
            error_type = "rate_limit"

        with suppress(Refused), tracker.track_execution("billing"):
            raise Refused
        assert value(registry, "agent_errors_total", agent="billing", error_type="rate_limit", severity="warning") == 1

    def test_what_a_tool_raises_is_the_tools(self, tracker: Tracker, registry: CollectorRegistry) -> None:
        with suppress(ValueError), tracker.track_execution("billing"), tracker.track_tool("lookup", api="crm"):
            raise ValueError("no such customer")
        assert value(registry, "agent_errors_total", agent="billing", error_type="tool", severity="error") == 1
        assert value(registry, "agent_tool_calls_total", tool="lookup", agent="billing", status="error") == 1
        assert value(registry, "agent_external_api_requests_total", api="crm", status="error") == 1

    def test_a_label_has_so_many_values_and_no_more(self, registry: CollectorRegistry) -> None:
        tracker = Tracker(registry=registry)
        for number in range(names.CAPS["tool"] + 5):
            with tracker.track_tool(f"tool-{number}"):
                pass
        assert value(registry, "agent_tool_calls_total", tool="other", agent="", status="success") == 5


class TestContexts:
    def test_asynchronous_work_does_not_mix(self, tracker: Tracker, tables_database: str) -> None:
        async def one(user: int) -> tuple[str, str]:
            async with tracker.track_session(user), tracker.track_execution(f"agent-{user}") as run:
                before = correlation_id()
                await asyncio.sleep(0.01)
                async with tracker.track_tool(f"tool-{user}"):
                    await asyncio.sleep(0.01)
                assert correlation_id() == before
                return run.id, before

        async def all_of_them() -> list[tuple[str, str]]:
            return await asyncio.gather(*map(one, range(20)))

        found = asyncio.run(all_of_them())
        assert len({correlation for _, correlation in found}) == 20
        assert tracker.flush(10)
        executions = {str(row["execution_id"]): row for row in rows(tables_database, "agent_executions")}
        for user, (identity, _) in enumerate(found):
            assert (executions[identity]["user_id"], executions[identity]["tools_called"]) == (user, [f"tool-{user}"])

    def test_a_generator_may_end_elsewhere(self, tracker: Tracker, registry: CollectorRegistry) -> None:
        async def pieces() -> Any:
            with tracker.track_execution("billing", "1"):
                yield 1
                yield 2

        async def read_one() -> None:
            stream = pieces()
            await anext(stream)
            await asyncio.create_task(stream.aclose())

        asyncio.run(read_one())
        assert value(registry, "agent_queries_total", agent="billing", status="cancelled", version="1") == 1
        assert value(registry, "agent_tracking_failures_total") == 0

    def test_many_threads(self, tracker: Tracker, tables_database: str, registry: CollectorRegistry) -> None:
        def work(_: int) -> None:
            with tracker.track_execution("billing", "1"), tracker.track_tool("lookup"):
                pass

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(400)))
        assert tracker.flush(20)
        assert len(rows(tables_database, "agent_executions")) == 400
        assert len({row["execution_id"] for row in rows(tables_database, "tool_usage_metrics")}) == 400
        assert value(registry, "agent_queries_total", agent="billing", status="success", version="1") == 400

    def test_a_fork_leaves_the_parents_rows_to_the_parent(self, tracker: Tracker, tables_database: str) -> None:
        with tracker.track_execution("before"):
            child = os.fork()
            if child == 0:
                with tracker.track_execution("child"):
                    pass
                os._exit(0 if tracker.flush(10) else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert tracker.flush(10)
        assert sorted((r["agent_name"], r["status"]) for r in rows(tables_database, "agent_executions")) == [
            ("before", "success"), ("child", "success"),
        ]  # fmt: skip


class TestTrouble:
    def test_without_a_database_nothing_waits_and_what_is_too_much_is_counted(self, registry: CollectorRegistry) -> None:
        tracker = Tracker(f"host=127.0.0.1 port={free_port()} password=canary-secret", registry=registry, limit=100)
        for _ in range(300):
            with tracker.track_execution("billing", "1"):
                pass
        assert not tracker.flush(0.5)
        assert value(registry, "agent_queries_total", agent="billing", status="success", version="1") == 300
        assert not tracker.close(0.1)
        kept = value(registry, "agent_tracking_dropped_rows_total", table="agent_executions", reason="ended")
        full = value(registry, "agent_tracking_dropped_rows_total", table="agent_executions", reason="full")
        assert 100 <= kept <= 200, "as many as may wait, and as many as were on their way"
        assert 300 - kept <= full <= 2 * (300 - kept), "once for its beginning, once for its end"

    def test_nothing_secret_is_said(self, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture) -> None:
        tracker = Tracker(f"host=127.0.0.1 port={free_port()} password=canary-secret", registry=registry)
        with tracker.track_execution("billing"):
            pass
        assert not tracker.flush(0.3)
        assert "cannot be reached" in caplog.text and "canary-secret" not in caplog.text
        tracker.close(0)

    def test_a_row_that_is_refused_holds_up_no_other(
        self, tracker: Tracker, tables_database: str, registry: CollectorRegistry
    ) -> None:
        for user in (1, 2**70, 3):
            with tracker.track_session(user):
                pass
        assert tracker.flush(10)
        assert [row["user_id"] for row in rows(tables_database, "session_metrics")] == [1, 3]
        assert value(registry, "agent_tracking_dropped_rows_total", table="session_metrics", reason="refused") >= 1

    @pytest.mark.parametrize("version", ["1\0", "1\udcff"])
    def test_a_text_that_cannot_be_sent_holds_up_no_other_nor_its_agent(
        self, tracker: Tracker, tables_database: str, registry: CollectorRegistry, version: str
    ) -> None:
        for said in ("1", version, "2"):
            with tracker.track_execution("billing", said):
                pass
        assert tracker.flush(10)
        assert [row["version"] for row in rows(tables_database, "agent_executions")] == ["1", "2"]
        assert value(registry, "agent_tracking_dropped_rows_total", table="agent_executions", reason="refused") >= 1

    def test_a_lost_connection_loses_no_row(self, tracker: Tracker, tables_database: str) -> None:
        for agent in ("one", "two", "three"):
            with tracker.track_execution(agent):
                pass
            assert tracker.flush(20)
            with psycopg.connect(tables_database, autocommit=True) as connection:
                ended = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'observatory-tracking' "
                    "AND datname = current_database()"
                ).fetchall()
            assert ended == [(True,)]
        assert [row["agent_name"] for row in rows(tables_database, "agent_executions")] == ["one", "two", "three"]

    def test_rows_wait_while_nothing_may_be_written(self, tracker: Tracker, tables_database: str) -> None:
        """As on a standby that is about to take over, or where the host has closed a database whose disk is nearly full."""
        name = sql.Identifier(str(conninfo_to_dict(tables_database)["dbname"]))
        with psycopg.connect(tables_database, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
            with tracker.track_execution("billing"):
                pass
            assert not tracker.flush(0.5)
            connection.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
        assert tracker.flush(20)
        assert len(rows(tables_database, "agent_executions")) == 1

    def test_rows_are_written_through_a_pooler(self, tables_database: str, registry: CollectorRegistry) -> None:
        """Of transactions, which knows no options of a session, and gives each transaction another one."""
        database = str(conninfo_to_dict(tables_database)["dbname"])
        with pooler(tables_database, {ADMIN: "word"}) as found:
            trackers = [Tracker(found.dsn(database, ADMIN), registry=CollectorRegistry()) for _ in range(3)]
            for number in range(21):
                for tracker in trackers:
                    with tracker.track_execution("billing", str(number)):
                        pass
                assert all(tracker.flush(20) for tracker in trackers)
            assert all(tracker.close() for tracker in trackers)
        assert len(rows(tables_database, "agent_executions")) == 63

    def test_a_thread_that_cannot_begin_is_asked_for_again(
        self, tracker: Tracker, tables_database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refused)
            with tracker.track_execution("one"):
                pass
        with tracker.track_execution("two"):
            pass
        assert tracker.flush(10)
        assert {row["agent_name"] for row in rows(tables_database, "agent_executions")} == {"one", "two"}

    def test_rows_wait_while_the_table_is_locked(self, tracker: Tracker, tables_database: str) -> None:
        def tracked() -> None:
            with tracker.track_execution("billing"):
                pass

        with psycopg.connect(tables_database) as connection:
            connection.execute("LOCK TABLE app.agent_executions IN ACCESS EXCLUSIVE MODE")
            caller = threading.Thread(target=tracked, daemon=True)
            caller.start()
            caller.join(60)
            assert not caller.is_alive(), "the caller waits for the lock"
            assert not tracker.flush(0.5)
            connection.rollback()
        assert tracker.flush(20)
        assert len(rows(tables_database, "agent_executions")) == 1

    def test_a_mistake_within_the_tracking_breaks_nothing(
        self, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        tracker = Tracker(registry=registry)

        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(tracker.metrics, "execution_begun", broken)
        monkeypatch.setattr(tracker.metrics, "execution_ended", broken)
        done = []
        for _ in range(3):
            with tracker.track_execution("billing"):
                done.append(True)
        assert len(done) == 3 and correlation_id() == ""
        assert value(registry, "agent_tracking_failures_total") == 6
        assert caplog.text.count("tracking failed: RuntimeError: a bug") == 1

    def test_an_error_without_words_ends_what_it_ends(self, registry: CollectorRegistry) -> None:
        class Wordless(Exception):
            def __str__(self) -> str:
                raise AttributeError("no words")

        with suppress(Wordless), Tracker(registry=registry).track_execution("billing"):
            raise Wordless
        assert value(registry, "agent_queries_total", agent="billing", status="error", version="") == 1
        assert value(registry, "agent_queries_in_progress", agent="billing") == 0

    def test_a_process_that_ends_writes_what_waits(self, tables_database: str) -> None:
        program = """
import sys
from observatory_tracking import Tracker
with Tracker(sys.argv[1]).track_execution("short"):
    pass
"""
        where = {**os.environ, "PYTHONPATH": str(Path(observatory_tracking.__file__).parents[1])}
        subprocess.run([sys.executable, "-c", program, tables_database], env=where, check=True, timeout=60)
        assert [row["agent_name"] for row in rows(tables_database, "agent_executions")] == ["short"]

    def test_threads_are_few(self, tables_database: str, registry: CollectorRegistry) -> None:
        before = threading.active_count()
        tracker = Tracker(tables_database, registry=registry)
        assert threading.active_count() == before, "nothing was tracked yet"
        with tracker.track_execution("billing"):
            pass
        assert threading.active_count() == before + 1
        assert tracker.close()
        eventually(lambda: threading.active_count() == before)
