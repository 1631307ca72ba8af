"""What becomes of rows that are inserted, changed and deleted around the steps that count them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from contract.data_plane import Mapped
from exporters.database.mapping import Mapping
from exporters.rollups.advance import Step, advance_all
from exporters.rollups.forms import form
from exporters.rollups.sources import SOURCES
from tests.rollups import ledger
from tests.rollups.counted import NOON, Counted

ENDED, STARTED, RUNNING = "executions_ended", "executions_started", "executions_in_progress"
PLACE = ("alpha", "1", "production")
SUCCESS = (*PLACE, "success", "success", "")
ERROR = (*PLACE, "error", "failed", "other")
TIMEOUT = (*PLACE, "timeout", "failed", "timeout")


@pytest.fixture(autouse=True)
def _installed(counted: Counted, request: pytest.FixtureRequest) -> None:
    for statement in getattr(request, "param", ()):
        counted.run(statement)
    counted.install()


def _finish(counted: Counted, key: str, status: str, milliseconds: float = 100.0) -> None:
    counted.run(
        "UPDATE app.agent_executions SET status = %s, end_time = %s, duration_ms = %s WHERE execution_id = %s",
        status, NOON + timedelta(minutes=1), milliseconds, key,
    )  # fmt: skip


def test_what_the_platforms_own_triggers_make_of_a_row_is_counted(counted: Counted) -> None:
    """Triggers run in the order of their names."""
    counted.execution("in_progress", end_time=None, milliseconds=None)
    counted.execution()
    counted.advance()
    counted.run(
        "CREATE FUNCTION app.ends() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.status := 'failure'; NEW.end_time := NEW.start_time; RETURN NEW; END $$;"
        "CREATE TRIGGER zzz_ends BEFORE UPDATE ON app.agent_executions FOR EACH ROW EXECUTE FUNCTION app.ends()"
    )
    counted.run("UPDATE app.agent_executions SET api_calls_count = 1")
    assert counted.advance()["executions"].corrected == 1
    assert counted.counters(ENDED) == {ERROR: 2}
    assert counted.stocks(RUNNING) == {}


_GENERATED = (
    "ALTER TABLE app.agent_executions DROP COLUMN tokens_used, ADD COLUMN usage json,"
    " ADD COLUMN tokens_used integer GENERATED ALWAYS AS ((usage ->> 'total')::integer) STORED",
)


@pytest.mark.parametrize("_installed", [_GENERATED], indirect=True, ids=["generated"])
def test_a_column_that_postgresql_generates_is_counted_as_it_became(counted: Counted) -> None:
    """It does so behind all triggers, which see NULL in its place."""
    counted.run(
        "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, status,"
        " tool_count, retry_count, api_calls_count, environment)"
        " VALUES (gen_random_uuid(), 1, 'alpha', '1', %s, %s, 'success', 0, 0, 0, 'production')",
        NOON, NOON,
    )  # fmt: skip
    counted.advance()
    for tokens in (7, 9):
        counted.run("UPDATE app.agent_executions SET usage = json_build_object('total', %s::integer)", tokens)
        counted.advance()
        assert counted.metric("platform_execution_tokens_total") == {("alpha", "production"): {"n": tokens}}
    assert counted.counters(ENDED) == counted.tier("minutes", ENDED) == {SUCCESS: 1}


def test_nothing_new_means_no_step(counted: Counted) -> None:
    counted.execution()
    assert counted.advance().keys() == {"executions"}
    assert counted.advance() == {}


def test_a_step_is_told_of_no_other_table_than_is_asked_for(counted: Counted) -> None:
    """The configuration names another table, and is not installed yet: nothing new in the old one says nothing about it."""
    counted.run("CREATE TABLE app.moved (LIKE app.agent_executions INCLUDING ALL)")
    elsewhere = Mapping({**counted.mapping.relations, "agent_executions": Mapped(table="app.moved")})
    moved = form(counted.connection, elsewhere, SOURCES["executions"])
    asked = {name: replace(one, planned=True) for name, one in counted.forms.items()} | {"executions": moved}
    with counted.transaction() as connection:
        assert advance_all(connection, asked).keys() == asked.keys() - {"executions"}


def test_inserted_and_updated_in_one_interval_counts_once_as_it_is(counted: Counted) -> None:
    key = counted.execution("in_progress", end_time=None, milliseconds=None)
    _finish(counted, key, "failure")
    counted.advance()
    assert counted.counters(ENDED) == counted.tier("minutes", ENDED) == {ERROR: 1}
    assert counted.counters(STARTED) == {PLACE: 1}
    assert counted.stocks(RUNNING) == {}


def test_inserted_and_deleted_in_one_interval_was_never_there(counted: Counted) -> None:
    counted.execution()
    counted.run("DELETE FROM app.agent_executions")
    counted.advance()
    assert counted.counters(ENDED) == counted.counters(STARTED) == {}
    assert counted.one("SELECT count(*) FROM analytics.retractions") == 0


def test_open_then_final_then_corrected(counted: Counted) -> None:
    key = counted.execution("in_progress", end_time=None, milliseconds=None)
    counted.advance()
    assert counted.stocks(RUNNING) == {("alpha", "production"): 1}
    _finish(counted, key, "failure", 77)
    counted.advance()
    assert counted.counters(ENDED) == {ERROR: 1}
    assert counted.stocks(RUNNING) == {}
    assert counted.one("SELECT count(*) FROM analytics.shadows") == 0
    _finish(counted, key, "timeout", 78)
    assert counted.advance()["executions"].corrected == 1
    assert counted.counters(ENDED) == counted.tier("days", ENDED) == {TIMEOUT: 1}
    executions = counted.metric("platform_executions_total")
    assert executions == {(*PLACE, "error"): {"n": 1}, (*PLACE, "timeout"): {"n": 1}}, "both were shown"
    durations = counted.metric("platform_execution_duration_seconds")
    assert durations == {(*PLACE, "failed"): {"le2": 1, "sum": 78_000}}, "both failed, in the same bucket"
    assert counted.counters(STARTED) == {PLACE: 1}


def test_a_correction_of_sums_adds_the_difference_only_upwards(counted: Counted) -> None:
    key = counted.execution()
    counted.advance()
    for tokens in (25, 5):
        counted.run("UPDATE app.agent_executions SET tokens_used = %s WHERE execution_id = %s", tokens, key)
        counted.advance()
    assert counted.metric("platform_execution_tokens_total") == {("alpha", "production"): {"n": 25}}
    assert counted.one(f"SELECT n, s2 FROM analytics.counters WHERE fact = '{ENDED}'") == (1, 5)
    assert counted.one(f"SELECT sum(n)::int, sum(s2)::int FROM analytics.hours WHERE fact = '{ENDED}'") == (1, 5)


def test_counted_then_updated_twice_then_deleted(counted: Counted) -> None:
    key = counted.execution()
    counted.advance()
    _finish(counted, key, "failure")
    _finish(counted, key, "timeout")
    counted.run("DELETE FROM app.agent_executions")
    assert counted.advance()["executions"].gone == 1
    assert counted.counters(ENDED) == counted.tier("minutes", ENDED) == {SUCCESS: 1}


def test_deleted_and_inserted_again_with_the_same_key_is_a_correction(counted: Counted) -> None:
    key = counted.execution()
    counted.advance()
    counted.run("DELETE FROM app.agent_executions")
    counted.execution("failure", execution_id=key)
    counted.advance()
    assert counted.tier("minutes", ENDED) == {ERROR: 1}
    assert counted.counters(STARTED) == {PLACE: 1}


def test_a_change_of_what_is_not_counted_is_no_change(counted: Counted) -> None:
    counted.execution()
    counted.advance()
    counted.run("UPDATE app.agent_executions SET response = 'hello', session_id = gen_random_uuid()")
    assert counted.advance() == {}


def test_a_transaction_that_commits_late_is_counted_then(counted: Counted) -> None:
    with counted.connect() as late, late.transaction():
        counted.insert("agent_executions", _values(counted), late)
        counted.execution("failure")
        counted.advance()
        assert counted.counters(ENDED) == {ERROR: 1}
    counted.advance()
    assert counted.counters(ENDED) == {ERROR: 1, SUCCESS: 1}


def test_savepoints_count_when_they_stay(counted: Counted) -> None:
    with counted.connect() as writer, writer.transaction():
        with writer.transaction():
            counted.insert("agent_executions", _values(counted), writer)
        with pytest.raises(ZeroDivisionError), writer.transaction():
            counted.insert("agent_executions", _values(counted), writer)
            raise ZeroDivisionError
        counted.advance()
        assert counted.counters(ENDED) == {}
    counted.advance()
    assert counted.counters(ENDED) == {SUCCESS: 1}


def test_an_update_that_was_open_when_the_row_was_last_counted(counted: Counted) -> None:
    key = counted.execution()
    counted.advance()
    with counted.connect() as late, late.transaction():
        late.execute("UPDATE app.agent_executions SET status = 'failure' WHERE execution_id = %s", (key,))
        counted.execution()
        counted.advance()
    counted.advance()
    assert counted.tier("minutes", ENDED) == {SUCCESS: 1, ERROR: 1}


def test_rows_that_are_copied(counted: Counted) -> None:
    columns = "execution_id, agent_id, agent_name, start_time, status, tool_count, retry_count, api_calls_count, environment"
    with counted.connection.cursor().copy(f"COPY app.agent_executions ({columns}) FROM STDIN") as copy:
        for number in range(3):
            copy.write_row((f"00000000-0000-0000-0000-00000000000{number}", 1, "alpha", NOON, "success", 0, 0, 0, "production"))
    counted.advance()
    assert counted.counters(ENDED) == {("alpha", "unknown", "production", "success", "success", ""): 3}
    assert counted.one(f"SELECT coalesce(h0, 0) + coalesce(h27, 0) FROM analytics.counters WHERE fact = '{ENDED}'") == 0


def test_a_changed_key_is_another_row(counted: Counted) -> None:
    counted.execution("in_progress", end_time=None, milliseconds=None)
    counted.advance()
    counted.run("UPDATE app.agent_executions SET execution_id = gen_random_uuid()")
    counted.advance()
    assert counted.stocks(RUNNING) == {("alpha", "production"): 1}
    assert counted.one("SELECT count(*) FROM analytics.shadows") == 1


def test_changed_twice_in_one_transaction_is_taken_back_once(counted: Counted) -> None:
    counted.execution()
    counted.advance()
    with counted.connect() as writer, writer.transaction():
        for status in ("failure", "timeout"):
            writer.execute("UPDATE app.agent_executions SET status = %s", (status,))
    assert counted.one("SELECT count(*) FROM analytics.retractions") == 2  # of which the first says what was counted
    counted.advance()
    assert counted.tier("minutes", ENDED) == {TIMEOUT: 1}


def test_a_final_row_that_changes_is_written_in_place_and_counted_as_it_is_last(counted: Counted) -> None:
    """Each change is a transaction of its own, so the first line is of what was counted; the stamp, in an index, stays."""
    key = counted.execution()
    counted.advance()
    stamp = counted.one("SELECT observatory_xid FROM app.agent_executions")
    for status in ("failure", "success", "timeout"):
        counted.run("UPDATE app.agent_executions SET status = %s WHERE execution_id = %s", status, key)
    assert counted.one("SELECT observatory_xid FROM app.agent_executions") == stamp
    assert counted.advance()["executions"] == Step("executions", 1, 1, 0)
    assert counted.counters(ENDED) == counted.tier("minutes", ENDED) == {TIMEOUT: 1}
    counted.run("UPDATE app.agent_executions SET status = 'failure'")
    counted.run("DELETE FROM app.agent_executions")
    assert counted.advance()["executions"] == Step("executions", 0, 0, 1)
    assert counted.counters(ENDED) == {TIMEOUT: 1}
    assert counted.advance() == {}


def test_what_a_row_was_is_noted_whatever_its_writer_has_set(counted: Counted) -> None:
    odd = '"a", {b}\\ NULL'
    counted.execution(version=odd, milliseconds=0.1 + 0.2, end_time=NOON + timedelta(microseconds=1))
    counted.advance()
    before = counted.one(f"SELECT labels, n, s1 FROM analytics.counters WHERE fact = '{ENDED}'")
    assert before[0][1] == odd
    with counted.connect() as writer:
        writer.execute("SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Kolkata'; SET bytea_output = 'escape'")
        writer.execute("UPDATE app.agent_executions SET status = 'failure', version = NULL")
    counted.advance()
    assert [labels[3] for labels in counted.tier("minutes", ENDED)] == ["error"]
    assert counted.one(f"SELECT count(*) FROM analytics.minutes WHERE fact = '{ENDED}' AND n < 0") == 1


def test_a_line_of_an_earlier_version_says_the_same(counted: Counted) -> None:
    counted.execution()
    counted.advance()
    counted.run("UPDATE app.agent_executions SET status = 'failure'")
    image = "jsonb_object(names, texts || times::text[]) || '{\"tool_count\": 0}'"
    counted.run(f"UPDATE analytics.retractions SET image = {image}, names = NULL, texts = NULL, times = NULL")
    assert counted.advance()["executions"] == Step("executions", 1, 1, 0)
    assert counted.tier("minutes", ENDED) == {ERROR: 1}


def test_a_change_that_commits_late_is_counted_once(counted: Counted) -> None:
    """Its transaction is older than that of the change before it, and its line is not seen by the step between them."""
    counted.execution()
    counted.advance()
    with counted.connect() as late:
        with late.transaction():
            late.execute("SELECT pg_current_xact_id()")
            counted.run("UPDATE app.agent_executions SET status = 'failure'")
            late.execute("UPDATE app.agent_executions SET status = 'timeout'")
            counted.advance()
            assert counted.tier("minutes", ENDED) == {ERROR: 1}
        counted.advance()
    assert counted.counters(ENDED) == counted.tier("minutes", ENDED) == {TIMEOUT: 1}


def test_ended_and_given_another_key_in_one_transaction(counted: Counted) -> None:
    counted.execution("in_progress", end_time=None, milliseconds=None)
    counted.advance()
    with counted.connect() as writer, writer.transaction():
        writer.execute("UPDATE app.agent_executions SET status = 'success', end_time = %s, duration_ms = 100", (NOON,))
        writer.execute("UPDATE app.agent_executions SET execution_id = gen_random_uuid()")
    counted.advance()
    assert counted.stocks(RUNNING) == {}
    assert counted.tier("minutes", ENDED) == {SUCCESS: 1}
    assert counted.one("SELECT count(*) FROM analytics.shadows") == 0


def test_an_open_row_is_taken_back_with_the_labels_that_it_was_counted_with(counted: Counted) -> None:
    counted.insert("conversations", _conversation(1))
    counted.advance()
    counted.run("UPDATE app.agents SET name = 'beta'")
    counted.run("UPDATE app.conversations SET ended_at = %s, goal_achieved = true", NOON)
    counted.advance()
    assert counted.tier("hours", "conversations_started") == {("beta", "production", "web"): 1}
    started = counted.metric("platform_conversations_started_total")
    assert started == {("alpha", "production"): {"n": 1}, ("beta", "production"): {"n": 1}}


def test_an_outcome_that_is_judged_later_leaves_one_conversation(counted: Counted) -> None:
    """The outcome is no label of the metric; the goal is."""
    counted.insert("conversations", _conversation(1) | {"ended_at": NOON, "goal_achieved": False})
    shown: list[dict[tuple[str, ...], dict[str, int]]] = []
    for change in ("outcome = 'handoff'", "outcome = 'resolved'", "goal_achieved = true", "channel = 'mail'"):
        counted.run(f"UPDATE app.conversations SET {change}")
        counted.advance()
        counted.fold()
        assert counted.counters("conversations_ended") == counted.tier("days", "conversations_ended")
        shown.append(counted.metric("platform_conversations_ended_total"))
    missed, achieved = ({("alpha", "production", goal): {"n": 1}} for goal in ("missed", "achieved"))
    assert shown == [missed, missed, missed | achieved, missed | achieved]
    assert counted.metric("platform_conversations_started_total") == {("alpha", "production"): {"n": 1}}
    assert counted.one("SELECT corrected FROM analytics.sources WHERE source = 'conversations'") == 3


def test_each_metric_of_a_ticket_counts_it_once_for_what_it_shows(counted: Counted) -> None:
    def shown() -> list[dict[tuple[str, ...], dict[str, int]]]:
        return [counted.metric(f"platform_ticket{name}") for name in ("s_resolved_total", "_resolution_seconds", "_sla_total")]

    ticket = {"id": 1, "user_id": 1, "status": "resolved", "priority": "low", "created_at": NOON, "updated_at": NOON}
    served = {"resolved_at": NOON + timedelta(minutes=6), "sla_resolution_due_at": NOON + timedelta(hours=1)}
    counted.insert("tickets", ticket | served | {"reopened_count": 0})
    counted.advance()
    number, six_minutes, met = {"n": 1}, {"le2": 1, "sum": 360_000_000}, {("resolution", "met"): {"n": 1}}
    assert shown() == [{("low",): number}, {("low",): six_minutes}, met]
    counted.run("UPDATE app.tickets SET category = 'bug', reopened_count = 1")
    counted.advance()
    assert shown() == [{("low",): number}, {("low",): six_minutes}, met], "no metric shows what has changed"
    counted.run("UPDATE app.tickets SET resolved_at = %s", NOON + timedelta(minutes=7))
    counted.advance()
    seven_minutes = {"le2": 1, "sum": 420_000_000}
    assert shown() == [{("low",): number}, {("low",): seven_minutes}, met], "the sum follows upwards"
    counted.run("UPDATE app.tickets SET resolved_at = %s", NOON + timedelta(minutes=30))
    counted.advance()
    both = {"le2": 1, "le3": 1, "sum": 2_220_000_000}
    assert shown() == [{("low",): number}, {("low",): both}, met], "a bucket is shown by the histogram alone"
    counted.run("UPDATE app.tickets SET priority = 'high'")
    counted.advance()
    high = {("high",): {"le3": 1, "sum": 1_800_000_000}}
    assert shown() == [{("low",): number, ("high",): number}, {("low",): both} | high, met], "the level does not show it"
    counted.run("UPDATE app.tickets SET resolved_at = NULL, status = 'open'")
    counted.advance()
    assert shown() == [{("low",): number, ("high",): number}, {("low",): both} | high, met], "it was resolved"
    assert counted.counters("tickets_resolved") == counted.tier("hours", "tickets_resolved") == {}
    counted.run("DELETE FROM app.tickets")
    counted.advance()
    assert counted.metric("platform_tickets_created_total") == {("low",): number, ("high",): number}
    assert counted.stocks("tickets") == {}


def test_totals_that_an_earlier_version_amended_go_on(counted: Counted) -> None:
    """They stay summed as they were: a cell of a fact may be more than its buckets."""
    counted.insert("conversations", _conversation(1) | {"ended_at": NOON, "outcome": "handoff"})
    counted.advance()
    counted.run("INSERT INTO analytics.fresh (fact, labels, n) SELECT fact, labels, n FROM analytics.fresh")
    before = ledger.metrics(counted.connection)
    assert before["platform_conversations_ended_total", ("alpha", "production", "unknown")] == {"n": 2}
    for change in ("outcome = 'resolved'", "channel = 'mail'", "goal_achieved = true"):
        counted.run(f"UPDATE app.conversations SET {change}")
        counted.advance()
    achieved = ("platform_conversations_ended_total", ("alpha", "production", "achieved"))
    assert ledger.metrics(counted.connection) == before | {achieved: {"n": 1}}


def test_a_stock_follows_and_a_counter_does_not_fall(counted: Counted) -> None:
    for number in (1, 2, 3):
        counted.insert("conversations", _conversation(number))
    counted.advance()
    counted.run("DELETE FROM app.conversations WHERE id = 2")
    counted.advance()
    assert counted.stocks("conversations") == {("production",): 2}
    assert counted.counters("conversations_started") == {("alpha", "production", "web"): 3}
    assert counted.metric("platform_conversations_started_total") == {("alpha", "production"): {"n": 3}}


def test_a_bound_belongs_to_its_bucket(counted: Counted) -> None:
    for milliseconds in (50.0, 50.001, 100.0, 320_000.0, 320_000.001):
        counted.execution(milliseconds=milliseconds)
    counted.advance()
    found = counted.one(f"SELECT h0, h1, h2, h26, h27, s1 FROM analytics.counters WHERE fact = '{ENDED}'")
    assert found == (1, 1, 1, 1, 1, 640_200_002)


def test_a_truncated_table_asks_for_a_rebuild(counted: Counted) -> None:
    counted.execution()
    counted.advance()
    counted.run("TRUNCATE app.agent_executions")
    counted.advance()
    needed, problem = counted.one("SELECT rebuild_needed, problem FROM analytics.sources WHERE source = 'executions'")
    assert needed
    assert "truncated" in problem


def _values(counted: Counted) -> dict[str, object]:
    return {
        "execution_id": counted.one("SELECT gen_random_uuid()"), "agent_id": 1, "agent_name": "alpha", "version": "1",
        "start_time": NOON, "end_time": NOON, "duration_ms": 100.0, "status": "success", "tool_count": 0, "retry_count": 0,
        "api_calls_count": 0, "environment": "production",
    }  # fmt: skip


def _conversation(key: int) -> dict[str, object]:
    return {
        "id": key, "user_id": 1, "agent_id": 1, "created_at": NOON, "status": "active", "channel": "web",
        "environment": "production",
    }  # fmt: skip


@pytest.mark.parametrize("stamp", ["NULL", "'5'", "'900000000'"], ids=["none", "of long ago", "of another cluster"])
def test_a_row_that_brings_a_stamp_along_is_counted_once(counted: Counted, stamp: str) -> None:
    """As a copy, a restore or a subscription does, and what names all columns of a row."""
    counted.insert("users", {"id": 1, "created_at": NOON, "role": "member", "status": "active"})
    counted.advance()
    counted.run(
        f"INSERT INTO app.users (id, created_at, role, status, observatory_xid) SELECT 2, created_at, role, status, {stamp}"
        " FROM app.users"
    )
    for _ in range(3):
        counted.advance()
    assert counted.counters("users_created") == counted.stocks("users") == {("member",): 2}
    with counted.transaction():
        counted.execution()
        counted.run(f"UPDATE app.agent_executions SET observatory_xid = {stamp}")
    for tokens in (20, 30):
        for _ in range(3):
            counted.advance()
        assert sum(counted.counters("executions_ended").values()) == 1
        counted.run("UPDATE app.agent_executions SET tokens_used = %s, observatory_xid = " + stamp, tokens)
    while counted.backfill("executions", 5):
        pass
    counted.fold()
    assert counted.one("SELECT sum(n)::int, sum(s2)::int FROM analytics.hours WHERE fact = 'executions_ended'") == (1, 30)
