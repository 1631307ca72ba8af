"""The newest version of an agent beside the one before it: equal to plain SQL over the platform's rows, and recorded once."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from contract.buckets import AGENT
from exporters.business.significance import longer, more_failures
from exporters.business.versions import Change, Comparisons
from tests.business.figures import Figures, of
from tests.business.installed import Exporter
from tests.business.life import insert

NOW = datetime.now(UTC).replace(microsecond=0)
"""The server's clock decides for how long minutes are kept, so the test lives now."""

PLACES = {"billing": "production", "travel": "staging", "idle": "production", "back": "production"}
AGENTS = dict(enumerate(PLACES))


def _ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


DEPLOYED = (
    ("billing", "1.0", 240.0), ("billing", "1.1", 2.5), ("billing", "1.1", 1.0),
    ("travel", "2.0", 240.0), ("travel", "2.1", 5.2),
    ("idle", "3.0", 240.0), ("idle", "3.1", 0.05),
    ("back", "4.0", 900.0), ("back", "4.1", 8.0), ("back", "4.0", 0.8),
)  # fmt: skip
"""Agent, version, hours ago. A version again is no other version; back to an older one is."""

COMPARED = {
    "billing": ("1.1", "1.0", "minute", timedelta(minutes=80)),
    "travel": ("2.1", "2.0", "hour", timedelta(hours=3)),
    "back": ("4.0", "4.1", "minute", timedelta(minutes=40)),
}
"""The newest version, the one before, and over what they are compared, worked out by hand; idle's is too new."""

SINCE = {"billing": _ago(2.5), "travel": _ago(5.2), "back": _ago(0.8)}

COLUMNS = (
    "execution_id agent_id agent_name version start_time end_time duration_ms status tool_count retry_count api_calls_count "
    "environment"
)


def _executions(rng: random.Random) -> Iterator[tuple[Any, ...]]:
    """Billing's new version fails much more often and takes longer; travel's is like the old one; back is seldom used."""
    for number, agent in AGENTS.items():
        per_hour = {"billing": 900, "travel": 160, "idle": 60, "back": 30}[agent]
        versions = sorted((hours, version) for name, version, hours in DEPLOYED if name == agent)
        for _ in range(per_hour * 12):
            hours = rng.uniform(0.0, 12.0)
            version = next((version for since, version in versions if since >= hours), versions[-1][1])
            bad = agent == "billing" and version == "1.1"
            status = "failed" if rng.random() < (0.12 if bad else 0.03) else rng.choice(("success",) * 20 + ("cancelled",))
            took = 1000 * rng.lognormvariate(0.9 if bad else 0.3, 0.6)
            ended = _ago(hours)
            row = (uuid.UUID(int=rng.getrandbits(128), version=4), number, agent, version, ended - timedelta(milliseconds=took))
            yield (*row, ended, took, status, 0, 0, 0, PLACES[agent])


@pytest.fixture(scope="module")
def lived(module_installed: str) -> str:
    deployed = [
        (n, list(PLACES).index(agent), version, PLACES[agent], _ago(hours))
        for n, (agent, version, hours) in enumerate(DEPLOYED)
    ]
    with psycopg.connect(module_installed, autocommit=True) as connection:
        named = [(number, name, "chat", "production", True) for number, name in AGENTS.items()]
        insert(connection, "agents", "id name type environment is_active", named)
        insert(connection, "deployments", "id agent_id version environment deployed_at", deployed)
        insert(connection, "agent_executions", COLUMNS, list(_executions(random.Random(5))))
    return module_installed


@pytest.fixture(scope="module")
def found(lived: str) -> Figures:
    return _gathered(lived)


def _gathered(dsn: str, now: datetime = NOW, **thresholds: float) -> Figures:
    exporter = Exporter.of(dsn, thresholds=thresholds)
    assert exporter.collect(now.timestamp()) == {}
    figures = exporter.served(now.timestamp())
    exporter.close()
    assert figures["exporter_query_success", "versions", "comparisons"] == 1
    assert figures["exporter_query_success", "versions", "regressions"] == 1
    return figures


def _side(dsn: str, agent: str, new: bool) -> tuple[int, int, list[int], float]:
    """How many ended, how many failed, successes by bucket, and their median as the schema's own function reads it."""
    version, previous, tier, length = COMPARED[agent]
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            """WITH ours AS (
                SELECT status, width_bucket(-duration_ms / 1000, %(falling)s::float8[]) AS place FROM app.agent_executions
                WHERE agent_name = %(agent)s AND version = %(version)s AND environment = %(environment)s
                  AND end_time >= date_trunc(%(tier)s, %(since)s::timestamptz, 'UTC') - %(before)s
                  AND end_time < date_trunc(%(tier)s, %(since)s::timestamptz, 'UTC') + %(after)s),
            counts AS (SELECT ARRAY(SELECT (SELECT count(*) FROM ours WHERE status = 'success' AND place = %(last)s - n)
                                    FROM generate_series(0, %(last)s) AS n ORDER BY n) AS of)
            SELECT count(*), count(*) FILTER (WHERE status = 'failed'), (SELECT of FROM counts),
                   (SELECT analytics.quantile(0.5, of, %(bounds)s::float8[]) FROM counts) FROM ours""",
            {
                "agent": agent,
                "version": version if new else previous,
                "environment": PLACES[agent],
                "tier": tier,
                "since": SINCE[agent],
                "before": timedelta() if new else length,
                "after": length if new else timedelta(),
                "bounds": list(AGENT),
                "falling": sorted(-bound for bound in AGENT),
                "last": len(AGENT),
            },
        ).fetchone()
    assert row is not None
    return row[0], row[1], row[2], row[3]


def test_a_sample_is_what_ended_on_each_side(lived: str, found: Figures) -> None:
    expected = {}
    for agent, (version, previous, _, _) in COMPARED.items():
        for side, name in (("new", version), ("previous", previous)):
            expected[agent, PLACES[agent], side, name] = _side(lived, agent, side == "new")[0]
    assert of(found, "platform_version_sample") == expected
    assert all(expected.values())


def test_p_values_are_those_of_the_rows_for_all_nine_looks(lived: str, found: Figures) -> None:
    expected = {}
    for agent in ("billing", "travel"):
        (ended, failed, durations, _), (before, failed_before, durations_before, _) = (
            _side(lived, agent, new) for new in (True, False)
        )
        p = more_failures(failed, ended, failed_before, before)
        expected[agent, PLACES[agent], "errors"] = min(1.0, 9 * p)
        expected[agent, PLACES[agent], "latency"] = min(1.0, 9 * longer(durations, durations_before))
    assert of(found, "platform_version_regression_p_value") == pytest.approx(expected, rel=1e-9)
    assert expected["billing", "production", "errors"] < 1e-6 < 0.05 < expected["travel", "staging", "errors"]


def test_ratios_are_of_failures_and_of_medians(lived: str, found: Figures) -> None:
    for agent in COMPARED:
        new, before = (_side(lived, agent, new) for new in (True, False))
        failures = (new[1] + 0.5) / (new[0] + 1) * (before[0] + 1) / (before[1] + 0.5)
        place = (agent, PLACES[agent])
        assert found["platform_version_regression_ratio", *place, "errors"] == pytest.approx(failures)
        assert found["platform_version_regression_ratio", *place, "latency"] == pytest.approx(new[3] / before[3])
    assert found["platform_version_regression_ratio", "billing", "production", "errors"] > 2


def _recorded(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT agent, version, environment, metric, source, state FROM analytics.regressions ORDER BY metric"
        ).fetchall()


def test_a_regression_is_recorded_once_and_stays_dismissed(lived: str, found: Figures) -> None:
    both = [("billing", "1.1", "production", metric, "auto", "open") for metric in ("errors", "latency")]
    assert _recorded(lived) == both
    _gathered(lived, NOW + timedelta(seconds=30))
    assert _recorded(lived) == both
    open_ = of(_gathered(lived), "platform_regressions_open")
    assert {labels for labels, value in open_.items() if value} == {("billing", "production", m) for m in ("errors", "latency")}
    assert set(open_) == {(agent, place, m) for agent, place in PLACES.items() for m in ("errors", "latency")}
    with psycopg.connect(lived) as connection:
        connection.execute("UPDATE analytics.regressions SET state = 'dismissed' WHERE metric = 'errors'")
        connection.execute("UPDATE analytics.regressions SET state = 'confirmed' WHERE metric = 'latency'")
    later = _gathered(lived, NOW + timedelta(minutes=1))
    assert [row[-1] for row in _recorded(lived)] == ["dismissed", "confirmed"]
    assert later["platform_regressions_open", "billing", "production", "errors"] == 0
    assert later["platform_regressions_open", "billing", "production", "latency"] == 1
    with psycopg.connect(lived) as connection:
        connection.execute("DELETE FROM analytics.regressions")


def test_what_is_recorded_says_before_and_after(lived: str) -> None:
    _gathered(lived)
    new, before = (_side(lived, "billing", new) for new in (True, False))
    with psycopg.connect(lived) as connection:
        rows = connection.execute("SELECT metric, before, after FROM analytics.regressions ORDER BY metric").fetchall()
    assert rows[0] == ("errors", pytest.approx(before[1] / before[0]), pytest.approx(new[1] / new[0]))
    assert rows[1] == ("latency", pytest.approx(before[3]), pytest.approx(new[3]))


def test_too_few_executions_have_no_p_value(lived: str) -> None:
    few = _gathered(lived, regression_minimum=1_000_000)
    assert of(few, "platform_version_regression_p_value") == {}
    assert of(few, "platform_version_regression_ratio")


def test_what_is_not_folded_yet_is_in_it(lived: str) -> None:
    exporter = Exporter.of(lived)
    exporter.collect(NOW.timestamp())
    rows = [row for row in _executions(random.Random(6)) if row[2:4] == ("billing", "1.1") and row[5] < _ago(2.0)]
    with psycopg.connect(lived, autocommit=True) as connection:
        insert(connection, "agent_executions", COLUMNS, rows)
        exporter.collect(NOW.timestamp() + 1)
        exporter.close()
        waiting = connection.execute("SELECT count(*) FROM analytics.fresh WHERE fact = 'executions_ended'").fetchone()
        change = Change("billing", "production", "1.1", "1.0", SINCE["billing"])
        (found,) = Comparisons().read(connection, [change], NOW)
    assert waiting is not None
    assert waiting[0] > 0
    ended, failed, durations, _ = _side(lived, "billing", new=True)
    assert found.new == (ended, failed, tuple(durations))


def test_a_version_of_last_week_is_not_compared_any_more(lived: str) -> None:
    """The last test: by then the minutes are thrown away."""
    assert of(_gathered(lived, NOW + timedelta(days=7)), "platform_version_sample") == {}
