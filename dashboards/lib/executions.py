"""Agent executions as all filters of the tab choose them, and what is asked of them in SQL."""

from __future__ import annotations

from contract.settings import Settings
from contract.status import sql_failed, sql_normalise
from dashboards.lib.filters import chosen_all

STATUS = sql_normalise("e.status")
TIER = (
    "CASE WHEN e.duration_ms < 100 THEN 'fast' WHEN e.duration_ms <= 500 THEN 'normal'"
    " WHEN e.duration_ms <= 2000 THEN 'slow' ELSE 'critical' END"
)
"""How long a query took, in the words of the filter `tier`."""
HAS_FAILED = sql_failed("e.status")
ERROR_SHARE = "avg(x.failed::int)::float8"
ALL_FILTERS = "Every filter of the tab acts."
MINUTE = 60_000
"""Milliseconds. What takes minutes is asked for in minutes: a scale of seconds has steps like 3.33 minutes."""


def ended(*columns: str, joins: str = "", where: str = "true") -> str:
    """SELECT of `columns` (of `e`, an execution) of executions that began in the range, have ended, and are chosen."""
    filters = chosen_all(
        environment="e.environment",
        agent="e.agent_name",
        version="e.version",
        intent="e.intent",
        status=STATUS,
        tier=TIER,
    )
    return (
        f"SELECT {', '.join(columns)}\n  FROM analytics.agent_executions e{f' {joins}' if joins else ''}\n"
        f"  WHERE $__timeFilter(e.start_time) AND e.duration_ms IS NOT NULL AND {where}\n    AND {filters}"
    )


def percentile(share: float) -> str:
    """The exact percentile of `x.seconds`, as a number of seconds."""
    return f"percentile_cont({share:g}) WITHIN GROUP (ORDER BY x.seconds)"


def in_time_share(settings: Settings) -> str:
    """The share of `x.seconds` within the limit of the alert."""
    return f"avg((x.seconds <= {settings.thresholds.response_seconds:g})::int)::float8"


SECONDS = "e.duration_ms / 1000 AS seconds"
FAILED_ROW = f"{HAS_FAILED} AS failed"

BUCKET_SECONDS = "greatest(900, 900 * ceil(($__unixEpochTo() - $__unixEpochFrom()) / 48.0 / 900))"
"""A forty-eighth of the range, in whole quarters of an hour."""
TIME_BUCKET = f"date_bin(make_interval(secs => {BUCKET_SECONDS}), x.at, 'epoch'::timestamptz)"
