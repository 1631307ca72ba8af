"""What a process and a database use over time, and whether that stays flat once everything has its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg

TOLERANCE = 0.05
"""By so much the last third may lie over the one before it."""


@dataclass(frozen=True)
class Sample:
    """Sizes in bytes; `hour` of the simulated day; `series` on the exporter's page."""

    hour: float
    memory: int
    handles: int
    connections: int
    database: int
    analytics: int
    series: int


FLAT = ("memory", "handles", "connections", "database", "analytics")
_SLACK = {"memory": 4 << 20, "handles": 2, "connections": 1, "database": 4 << 20, "analytics": 4 << 20}
"""What any of them may grow by without a reason: allocation comes in pieces."""


def measured(connection: psycopg.Connection[Any], hour: float, series: int) -> Sample:
    """What this process and its database use now."""
    process = psutil.Process()
    row = connection.execute(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'),"
        " pg_database_size(current_database()),"
        " (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c"
        " WHERE c.relnamespace = to_regnamespace('analytics') AND c.relkind = 'r')"
    ).fetchone()
    assert row is not None
    return Sample(hour, process.memory_info().rss, process.num_fds(), row[0], row[1], row[2], series)


def growth(samples: Sequence[Sample]) -> list[str]:
    """A sentence for each thing that was larger in the last third of the samples than in the third before; empty when flat."""
    third = len(samples) // 3
    if third == 0:
        return []
    found = []
    for name in FLAT:
        earlier = mean(getattr(sample, name) for sample in samples[-2 * third : -third])
        later = mean(getattr(sample, name) for sample in samples[-third:])
        if later > earlier * (1 + TOLERANCE) + _SLACK[name]:
            found.append(f"{name} grew from {earlier:,.0f} to {later:,.0f} between the second and the last third of the day")
    return found


def table(samples: Sequence[Sample]) -> str:
    """The samples as text, sizes in MiB."""
    lines = ["  hour  memory  handles  connections  database  analytics  series"]
    for each in samples:
        memory, database, analytics = (size / (1 << 20) for size in (each.memory, each.database, each.analytics))
        lines.append(
            f"{each.hour:6.1f}  {memory:6.1f}  {each.handles:7d}  {each.connections:11d}  {database:8.1f}"
            f"  {analytics:9.1f}  {each.series:6d}"
        )
    return "\n".join(lines)


def as_plain(samples: Sequence[Sample]) -> dict[str, Any]:
    """All that is to be kept, for JSON."""
    return {"samples": [asdict(sample) for sample in samples], "growth": growth(samples)}
