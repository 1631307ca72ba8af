"""User analytics, and Feedback & quality: what they hold, and the formulas that stand in no other place."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from contract.settings import Settings
from dashboards.feedback import TAB as FEEDBACK
from dashboards.lib.queries import PromQuery, SqlQuery
from dashboards.lib.tab import Tab
from dashboards.users import TAB as USERS
from exporters.database.migrations import migrate
from provisioning.database.rollup_views import rollup_queries
from provisioning.interpolation import Span, sql_macros, substitute
from tests.conftest import PrometheusTools

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)
"""A Wednesday: the last full week began on the 9th."""
CHOSEN = {"environment": "production", "agent": ".*", "model": ".*", "intent": ".*", "group_by": "'role'"}
Connection = psycopg.Connection[dict[str, Any]]

CONTENTS = {
    USERS: {
        "headline": ["direction", "users", "active", "stickiness_now", "fourth_week", "login_success_now"],
        "activity": ["active_users", "stickiness", "growth", "roles"],
        "logins": ["logins_per_hour", "login_success", "sessions"],
        "retention": ["cohorts", "lifecycle", "segments"],
        "ahead": ["active_users_ahead", "new_users_ahead", "forecast_trials"],
        "groups": ["groups"],
        "habits": ["conversations_per_user", "conversations_mean", "messages_per_conversation", "messages_mean"],
        "hours": ["hours", "logins_per_day"],
        "features": ["adoption", "first_use", "features", "paths"],
        "people": ["most_active", "most_expensive", "cost_by_day"],
    },
    FEEDBACK: {
        "headline": ["content", "rating_now", "nps_now", "thumbs_now", "response_now", "evaluation_now"],
        "ratings": ["distribution", "average", "nps", "nps_groups"],
        "answers": ["response_rate", "negative"],
        "evaluations": ["evaluation_trend", "evaluation_by_model", "evaluations"],
        "groups": ["groups"],
        "worst": ["conversations"],
        "measured": ["rating_latency", "rating_cost", "rating_by_model"],
        "comments": ["comment_terms", "comment_sentiment", "comments"],
    },
}


@pytest.mark.parametrize("tab", CONTENTS, ids=lambda tab: tab.key)
def test_contents(tab: Tab) -> None:
    assert {row.name: [panel.name for panel in row.panels] for row in tab.rows(Settings())} == CONTENTS[tab]


@pytest.mark.parametrize(("tab", "refresh"), [(USERS, "1m"), (FEEDBACK, "5m")], ids=["users", "feedback"])
def test_they_look_as_often_as_their_sources_change(tab: Tab, refresh: str) -> None:
    assert (tab.refresh, tab.time_from) == (refresh, "now-30d")


def test_no_person_is_named() -> None:
    asked = [query.text for panel in USERS.panels(Settings()) for query in panel.targets]
    assert not any(word in text for text in asked for word in ("user_id", "email", "app.", "ip_address"))


def limits(tab: Tab, name: str, settings: Settings) -> set[float]:
    [panel] = [panel for panel in tab.panels(settings) if panel.name == name]
    return {value for value, _ in panel.limits.steps}


def test_limits_are_those_of_the_alerts() -> None:
    settings = Settings.model_validate({"thresholds": {"login_failure_ratio": 0.25, "negative_feedback_ratio": 0.4}})
    assert limits(USERS, "login_success", settings) == limits(USERS, "login_success_now", settings) == {0.75}
    assert limits(FEEDBACK, "negative", settings) == {0.4} and limits(FEEDBACK, "thumbs_now", settings) == {0.6}


@pytest.fixture
def counts(database: str) -> Iterator[Connection]:
    """An empty schema `analytics` with its roll-up views, and tables in place of what the platform brings."""
    with psycopg.connect(database, autocommit=True) as installer:
        migrate(installer)
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("SET timezone = 'Asia/Tokyo'")
        for name, query in rollup_queries():
            connection.execute(sql.SQL("CREATE VIEW {} AS {}").format(sql.Identifier("analytics", name), query))
        connection.execute(
            "CREATE TABLE analytics.users"
            " (user_key text, created_at timestamptz, role text, department text, country_code text)"
        )
        connection.execute("CREATE TABLE analytics.agents (id bigint, name text)")
        connection.execute(
            "CREATE TABLE analytics.conversations"
            " (id bigint, agent_id bigint, environment text, intent text, channel text, outcome text)"
        )
        connection.execute(
            "CREATE TABLE analytics.feedback (id bigint, conversation_id bigint, created_at timestamptz, rating smallint,"
            " thumbs smallint, nps smallint, comment text, trace_id text)"
        )
        yield connection


def asked(connection: Connection, tab: Tab, name: str, days: int = 30) -> list[dict[str, Any]]:
    """What a panel shows at NOW."""
    [panel] = [panel for panel in tab.panels(Settings()) if panel.name == name]
    [query] = panel.targets
    assert isinstance(query, SqlQuery)
    text = substitute(query.sql, lambda variable, _form: CHOSEN.get(variable))
    end = NOW.timestamp()
    return connection.execute(sql_macros(text, Span(end - days * 86400, end, 3600)).encode()).fetchall()


def came(connection: Connection, user: int, joined: str, *mondays: str) -> None:
    """A user who joined on a day and wrote something in the weeks that begin on these days."""
    connection.execute("INSERT INTO analytics.user_keys (user_id, user_key) VALUES (%s, %s)", (f"{user}", f"key {user}"))
    connection.execute("INSERT INTO analytics.users VALUES (%s, %s, 'member', NULL, NULL)", (f"key {user}", f"{joined}T12:00Z"))
    for monday in mondays:
        connection.execute(
            "INSERT INTO analytics.firsts (fact, key, at) VALUES ('users_active_in_week', %s, %s)",
            (f"{monday} {user}", f"{monday}T09:00Z"),
        )


def test_weeks_of_users_are_those_that_were_counted(counts: Connection) -> None:
    came(counts, 7, "2026-11-01", "2026-11-02", "2026-11-16")
    counts.execute("INSERT INTO analytics.firsts (fact, key, at) VALUES ('conversations_with_feedback', '7', now())")
    found = counts.execute("SELECT week::text, at, user_key FROM analytics.user_weekly ORDER BY week").fetchall()
    assert [(row["week"], row["user_key"]) for row in found] == [("2026-11-02", "key 7"), ("2026-11-16", "key 7")]
    assert found[0]["at"] == datetime(2026, 11, 2, 9, tzinfo=UTC)


def test_users_are_new_return_come_back_or_go_quiet(counts: Connection) -> None:
    came(counts, 1, "2026-11-10", "2026-11-09")  # joined in the last full week
    came(counts, 2, "2026-01-01", "2026-11-02", "2026-11-09")  # stays
    came(counts, 3, "2026-01-01", "2026-10-19", "2026-11-09")  # was away
    came(counts, 4, "2026-01-01", "2026-11-02")  # did not come again
    shown = {row.pop("Week"): row for row in asked(counts, USERS, "lifecycle")}
    assert shown["09 Nov"] == {"new": 1, "returning": 1, "resurrected": 1, "gone quiet": -1}
    assert shown["02 Nov"] == {"new": 0, "returning": 0, "resurrected": 2, "gone quiet": 0}
    assert "16 Nov" not in shown  # not over


def test_segments(counts: Connection) -> None:
    four = ("2026-10-19", "2026-10-26", "2026-11-02", "2026-11-09")
    came(counts, 1, "2026-01-01", *four)
    came(counts, 2, "2026-01-01", *four[1:])
    came(counts, 3, "2026-01-01", four[0], "2026-11-16")
    came(counts, 4, "2026-01-01", *four[:3])
    came(counts, 5, "2026-11-17", "2026-11-16")
    came(counts, 6, "2026-01-01", "2026-10-12")
    came(counts, 7, "2026-01-01")
    shown = [(row["Segment"], row["Users"]) for row in asked(counts, USERS, "segments")]
    assert shown == [("power", 1), ("regular", 2), ("new or back", 1), ("at risk", 1), ("dormant", 2)]
    assert asked(counts, USERS, "groups") == [
        {"Group": "member", "Users": 7, "Not dormant": pytest.approx(5 / 7), "Power": 1, "Regular": 2, "New or back": 1,
         "At risk": 1, "Dormant": 2}
    ]  # fmt: skip


def told(connection: Connection, agent: int, **said: object) -> None:
    """Feedback an hour ago on a conversation of its own."""
    [row] = connection.execute("SELECT count(*) AS n FROM analytics.feedback").fetchall()
    number = row["n"] + 1
    connection.execute("INSERT INTO analytics.conversations VALUES (%s, %s, 'production', 'refund')", (number, agent))
    connection.execute(
        "INSERT INTO analytics.feedback (id, conversation_id, created_at, rating, thumbs, comment)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (number, number, NOW - timedelta(hours=1), said.get("rating"), said.get("thumbs"), said.get("comment")),
    )


@pytest.mark.parametrize(
    ("down", "up", "state"), [(10, 9, 1), (10, 10, 0), (9, 0, 0), (0, 3, 0)], ids=["down", "half", "too few", "up"]
)
def test_an_agent_is_voted_down_by_enough_thumbs(counts: Connection, down: int, up: int, state: int) -> None:
    counts.execute("INSERT INTO analytics.agents VALUES (1, 'billing'), (2, 'sales')")
    for thumb in [-1] * down + [1] * up:
        told(counts, 1, thumbs=thumb)
    told(counts, 2, thumbs=1)
    assert asked(counts, FEEDBACK, "content", days=1) == [{"Users": state}]


def test_without_thumbs_nothing_is_said(counts: Connection) -> None:
    assert asked(counts, FEEDBACK, "content", days=1) == asked(counts, FEEDBACK, "distribution") == []


def test_terms_are_counted_once_a_comment_and_coloured_by_stars(counts: Connection) -> None:
    counts.execute("INSERT INTO analytics.agents VALUES (1, 'billing')")
    told(counts, 1, rating=1, comment="Slow, slow, SLOW. The invoice didn't arrive; <b>slow</b>")
    told(counts, 1, rating=2, comment="too slow")
    told(counts, 1, rating=5, comment="the invoice was right")
    told(counts, 1, comment="über schnell")
    shown = {row["term"]: (row["comments"], row["colour"]) for row in asked(counts, FEEDBACK, "comment_terms")}
    assert shown["slow (1.5 ★)"] == (2, "#D55E00") and shown["invoice (3.0 ★)"] == (2, "#E69F00")
    assert shown["right (5.0 ★)"] == (1, "#009E73") and shown["über"] == (1, "#8A8F98")
    assert "didn't (1.0 ★)" in shown and not any("<" in term or term.startswith(("the ", "too ")) for term in shown)


def test_an_answer_of_many_calls_has_its_stars_once(counts: Connection) -> None:
    counts.execute("INSERT INTO analytics.agents VALUES (1, 'billing')")
    for stars, calls in ((5, 1), (1, 9)):
        told(counts, 1, rating=stars)
        counts.execute("UPDATE analytics.feedback SET trace_id = %s WHERE rating = %s", (f"trace {stars}", stars))
        for number in range(calls):
            counts.execute(
                "INSERT INTO analytics.llm_calls (observation_id, trace_id, agent, environment, model, type, level, status,"
                " started_at, latency_ms, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,"
                " reasoning_tokens, total_tokens, changed_at) VALUES (%s, %s, 'billing', 'production', 'm', 'GENERATION',"
                " 'DEFAULT', 'success', %s, %s, 0, 0, 0, 0, 0, 100, %s)",
                (f"{stars} {number}", f"trace {stars}", NOW, 1000 * stars, NOW),
            )
    [row] = asked(counts, FEEDBACK, "rating_by_model")
    assert (row["Answers"], row["Stars"], row["1 or 2 stars"]) == (2, 3, 0.5)
    assert (row["Latency"], row["Cost each"], row["Tokens each"]) == (pytest.approx(1.4), None, 100)
    [point] = asked(counts, FEEDBACK, "rating_latency")
    assert (point["Stars"], point["Calls"], point["Latency"]) == (3, 10, pytest.approx(1.4))


def test_uses_of_nobody_are_no_user(counts: Connection) -> None:
    counts.execute("CREATE TABLE analytics.messages (created_at timestamptz, role text, user_key text)")
    counts.execute("CREATE TABLE analytics.feature_usage_events (at timestamptz, feature text, user_key text)")
    for key in ("a", "b"):
        counts.execute("INSERT INTO analytics.messages VALUES (%s, 'user', %s)", (NOW - timedelta(hours=1), key))
    for feature, keys in {"search": ("a", "a", None), "export": (None, None)}.items():
        for key in keys:
            counts.execute(
                "INSERT INTO analytics.feature_usage_events VALUES (%s, %s, %s)", (NOW - timedelta(hours=1), feature, key)
            )
    assert asked(counts, USERS, "adoption") == [{"Feature": "search", "Adoption": 0.5}]


USE = {"growing": (110, 100, 1), "steady": (101, 100, 0), "shrinking": (90, 100, -1)}


@pytest.mark.parametrize(("now", "before", "expected"), USE.values(), ids=USE)
def test_the_direction_of_use(prometheus_tools: PrometheusTools, tmp_path: Path, now: int, before: int, expected: int) -> None:
    """Of two replicas that say the same."""
    [panel] = [panel for panel in USERS.panels(Settings()) if panel.name == "direction"]
    [query] = panel.targets
    assert isinstance(query, PromQuery)
    series = [
        {"series": f'{name}{{window="7d",instance="{instance}"}}', "values": f"{value}x10"}
        for name, value in (("platform_users_active", now), ("platform_users_active_before", before))
        for instance in ("a", "b")
    ]
    case = {
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {"expr": query.expr, "eval_time": "5m", "exp_samples": [{"labels": "{}", "value": expected}]}
                ],
            }
        ]
    }
    (tmp_path / "test.yml").write_text(json.dumps(case))
    command = [prometheus_tools.promtool, "test", "rules", "test.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
