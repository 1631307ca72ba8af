"""Single rows that are older than their retention, as the exporter's own process removes them."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from tests.business.figures import of
from tests.business.installed import Exporter
from tests.business.life import Life

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
