"""Without a connection that may write: every figure that is left equals a plain SQL query, and what is missing is said."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from contract.settings import Settings
from exporters.business import read_only
from exporters.business.read_only import ReadOnlyCollector, missing
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from exporters.windows import before, window
from tests.business import plain
from tests.business.figures import Figures, figures, of
from tests.business.life import AGENTS, ENVIRONMENTS, Life

NOW = datetime(2026, 3, 15, 12, 34, 56, tzinfo=UTC)


def settings(**relations: object) -> Settings:
    return Settings.model_validate({"environments": ENVIRONMENTS, "database": {"relations": relations}})


def gather(dsn: str, at: datetime = NOW, **relations: object) -> Figures:
    configured = settings(**relations)
    shared = SharedSession(Session(lambda: dsn, 10.0), 1.0)
    collector = ReadOnlyCollector(configured, Mapping.of(configured), shared.seat())
    collector.collect(at.timestamp())
    collector.close()
    return figures(collector.snapshot, at.timestamp())


@pytest.fixture(scope="module")
def lived(module_database: str) -> str:
    Life(module_database, NOW).write()
    return module_database


@pytest.fixture(scope="module")
def found(lived: str) -> Figures:
    return gather(lived)


WINDOWED = plain.WINDOWED | {"platform_feedback_response_ratio": plain.FEEDBACK_RESPONSE_ANY}


@pytest.mark.parametrize("name", WINDOWED)
def test_a_figure_of_windows_equals_plain_sql(lived: str, found: Figures, name: str) -> None:
    expected = plain.windowed(lived, WINDOWED[name], NOW)
    assert of(found, name) == pytest.approx(expected)
    assert len({labels[-1] for labels in expected}) == 5, "all windows have something to say"


STANDING = {name: (plain.STANDING | plain.RECENT)[name] for name in [*plain.STANDING] if name not in missing()}


@pytest.mark.parametrize("name", STANDING)
def test_what_stands_in_tables_equals_plain_sql(lived: str, found: Figures, name: str) -> None:
    expected = plain.answer(lived, STANDING[name], NOW)
    assert expected
    assert {labels: value for labels, value in of(found, name).items() if value} == pytest.approx(expected)


def test_active_users_of_the_window_before(lived: str, found: Figures) -> None:
    for name in ("24h", "7d", "30d"):
        expected = plain.answer(lived, plain.ACTIVE_BEFORE, NOW, before(window(name, NOW)))
        assert found["platform_users_active_before", name] == expected[name,] > 0


def test_every_query_succeeds_and_every_metric_is_the_one_it_declares(found: Figures) -> None:
    assert set(of(found, "exporter_query_success").values()) == {1.0}
    said = {name for name, *_ in found if not name.startswith("exporter_")}
    assert said == {name for names in read_only.YIELDS.values() for name in names}


def test_what_is_expected_starts_at_zero(platform_database: str) -> None:
    with psycopg.connect(platform_database) as connection:
        for number, name in enumerate(AGENTS):
            sql = "INSERT INTO app.agents (id, name, type, environment, is_active) VALUES (%s, %s, 'chat', 'production', true)"
            connection.execute(sql, (number, name))
    empty = gather(platform_database)
    assert len(of(empty, "platform_tickets")) == 5 * 4, "statuses x priorities"
    assert len(of(empty, "platform_executions_in_progress")) == 3 * 2, "agents x environments"
    assert len(of(empty, "platform_window_conversations")) == 2 * 5, "environments x windows"
    assert {value for (name, *_), value in empty.items() if name.startswith("platform_")} == {0.0}
    assert of(empty, "platform_goal_success_ratio") == of(empty, "platform_nps_points") == {}, "no whole, no ratio"
    assert of(empty, "platform_users_active")["30d",] == 0


def test_what_is_gone_is_gone(platform_database: str) -> None:
    Life(platform_database, NOW).write()
    assert ("platform_users", "staff") in gather(platform_database)
    with psycopg.connect(platform_database) as connection:
        connection.execute("DELETE FROM app.users WHERE role = 'staff'")
    assert ("platform_users", "staff") not in gather(platform_database)


def test_the_same_tables_as_of_another_time(lived: str) -> None:
    earlier = NOW - timedelta(days=3)
    expected = plain.windowed(lived, plain.WINDOWED["platform_goal_success_ratio"], earlier)
    assert of(gather(lived, earlier), "platform_goal_success_ratio") == pytest.approx(expected)


def test_absent_relations_are_not_asked_for(lived: str) -> None:
    absent = {"absent": True}
    left = gather(lived, handoffs=absent, feedback=absent, offline_queue=absent)
    assert of(left, "platform_handoff_ratio") == of(left, "platform_nps_points") == of(left, "platform_queue_messages") == {}
    assert of(left, "platform_goal_success_ratio")
    asked = {query for _, query in of(left, "exporter_query_success")}
    assert not asked & {"handoff_ratio", "nps_points", "feedback_response_ratio", "queue_messages"}


def test_mapped_tables_are_asked_by_their_own_names(lived: str, found: Figures) -> None:
    with psycopg.connect(lived, autocommit=True) as connection:
        connection.execute(
            "CREATE SCHEMA shop;"
            "CREATE VIEW shop.talks AS SELECT id AS number, user_id, agent_id, created_at AS begun, ended_at AS over, status,"
            " intent, goal_achieved::int AS goal, outcome, channel, environment AS place, metadata FROM app.conversations"
        )
    columns = {"id": "number", "created_at": "begun", "ended_at": "over", "goal_achieved": "goal = 1", "environment": "place"}
    mapped = gather(lived, conversations={"table": "shop.talks", "columns": columns})
    for name in ("platform_goal_success_ratio", "platform_window_conversations", "platform_feedback_rating_average"):
        assert of(mapped, name) == of(found, name)


def test_what_is_missing_is_said_once(lived: str, caplog: pytest.LogCaptureFixture) -> None:
    configured = settings()
    shared = SharedSession(Session(lambda: lived, 10.0), 1.0)
    collector = ReadOnlyCollector(configured, Mapping.of(configured), shared.seat())
    with caplog.at_level(logging.INFO, "observatory.exporter"):
        collector.collect(NOW.timestamp())
        collector.collect(NOW.timestamp())
    collector.close()
    said = [record.__dict__["pairs"] for record in caplog.records if record.getMessage() == "read only"]
    assert len(said) == 1
    assert "OBSERVATORY_POSTGRES_ADVANCE_DSN" in said[0]["remedy"]
    assert said[0]["missing"] == ",".join(missing())
    assert "platform_executions_total" in missing()
    assert "metrics are missing" in collector.note
