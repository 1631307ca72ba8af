"""Single rows that are older than their retention, as the exporter's own process removes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg

from tests.business.figures import of
from tests.business.installed import Exporter
from tests.business.life import Life, insert

NOW = datetime.now(UTC).replace(microsecond=0)
"""The server's clock decides what is old, so the test lives now."""

ROWS = """
INSERT INTO analytics.alert_events (fingerprint, starts_at, status, received_at, alertname, severity, environment, agent,
                                    labels, annotations)
SELECT 'f', at, 'firing', at, 'Slow', 'warning', 'production', '', '{}', '{}'
FROM generate_series(now() - interval '44.5 days', now(), interval '1 day') AS at;
INSERT INTO analytics.audit_log (at, actor, action, target)
SELECT now() - n * interval '1 day', 'anna', 'set', 'budget' FROM generate_series(1, 40) AS n
"""


def test_the_exporter_removes_what_it_may(installed_database: str) -> None:
    Life(installed_database, NOW).write()
    with psycopg.connect(installed_database, autocommit=True) as connection:
        connection.execute(ROWS)
        exporter = Exporter.of(installed_database, database={"retention": {"alert_events": "32d", "audit_log": "30d"}})
        try:
            assert exporter.collect(NOW.timestamp()) == {}
            found = exporter.served(NOW.timestamp())
        finally:
            exporter.close()
        assert of(found, "exporter_query_success")["rollups", "retention"] == 1
        assert connection.execute("SELECT count(*) FROM analytics.alert_events").fetchone() == (32,)
        assert connection.execute("SELECT count(*) FROM analytics.audit_log").fetchone() == (40,)


def test_a_clock_that_is_ten_years_ahead_makes_nothing_old_and_stops_nothing_once_it_is_set(installed_database: str) -> None:
    Life(installed_database, NOW).write()
    later = (NOW + timedelta(days=3653)).timestamp()
    counts = (
        "SELECT (SELECT count(*) FROM analytics.rollup_day), (SELECT count(*) FROM analytics.user_seen),"
        " (SELECT count(*) FROM analytics.users_active_history WHERE at > now()), (SELECT count(*) FROM analytics.fresh)"
    )
    with psycopg.connect(installed_database, autocommit=True) as connection:
        exporter = Exporter.of(installed_database)
        try:
            exporter.collect(NOW.timestamp())
            before = connection.execute(counts).fetchone()
            exporter.collect(later)
            assert connection.execute(counts).fetchone() == before
            insert(connection, "users", "id created_at role status", [(10**6, NOW, "member", "active")])
            exporter.collect(NOW.timestamp())
            assert connection.execute("SELECT count(*) FROM analytics.fresh").fetchone() == (0,), "it folds again at once"
        finally:
            exporter.close()
