"""What the newest load test of each agent found: how many service levels it did not keep."""

from __future__ import annotations

from collections.abc import Iterator

from exporters.database.sessions import Rows
from exporters.snapshot import Sample, sample

YIELDS = ("platform_load_test_levels_broken",)

QUESTION = """
SELECT DISTINCT ON (scope, params->>'environment') scope, params->>'environment',
       (SELECT count(*) FROM jsonb_array_elements(result->'service_levels') AS level WHERE NOT (level->>'kept')::boolean)
FROM analytics.load_tests
WHERE jsonb_typeof(result->'service_levels') = 'array' AND (state = 'done' OR result->'service_levels' <> '[]')
ORDER BY scope, params->>'environment', ended_at DESC NULLS LAST, id DESC
"""
"""Of each agent and environment. A test that failed or was ended says nothing: what was found before it stands, as does the
incident that was opened for it."""


def samples(rows: Rows) -> Iterator[Sample]:
    for agent, environment, broken in rows:
        yield sample("platform_load_test_levels_broken", agent, environment, value=broken)
