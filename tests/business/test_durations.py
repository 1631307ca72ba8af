"""What one statement answers for several queries shows the time of that statement with each of them."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from tests.business.figures import of
from tests.business.installed import Exporter

_SECONDS = 0.2
_SLOW = f"""
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({_SECONDS}); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON analytics.fresh FOR EACH STATEMENT EXECUTE FUNCTION slow();
"""


def test_sources_that_are_counted_together_show_how_long_that_took(installed_database: str) -> None:
    exporter, now = Exporter.of(installed_database), datetime.now(UTC).timestamp()
    with psycopg.connect(installed_database, autocommit=True) as connection:
        assert exporter.collect(now) == {}
        connection.execute(_SLOW)
        connection.execute("INSERT INTO app.users (id, created_at, role, status) VALUES (1, now(), 'admin', 'active')")
    assert exporter.collect(now + 15) == {}
    found = exporter.served(now + 15)
    exporter.close()
    durations = of(found, "exporter_query_duration_seconds")
    together = [seconds for (_, query), seconds in durations.items() if query.startswith("advance_") or query == "totals"]
    assert len(together) > 10
    assert min(together) >= _SECONDS
    assert durations["postgres", "users_new"] < min(together), "what was only worked out took its own time"
