"""System health: sizes and rows of tables, as PostgreSQL itself says."""

from __future__ import annotations

from statistics import linear_regression

import pytest
import requests

from tests.integration.moment import Moment
from tests.integration.tabs import Fault

_TABLES = (
    "SELECT CASE n.nspname WHEN 'app' THEN c.relname ELSE n.nspname || '.' || c.relname END, {figure} "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname IN ('app', 'analytics')"
)


def by_table(moment: Moment, key: str) -> dict[str, float]:
    """What a panel shows of each table."""
    return {table: value for (table,), value in moment.labelled(key).items()}


def sizes(moment: Moment) -> None:
    """Tables of the platform do not change while it stands still; those of schema analytics may."""
    known = dict(moment.sql(_TABLES.format(figure="pg_total_relation_size(c.oid)::float8")))
    shown = {
        table: size for table, size in by_table(moment, "health/table_sizes").items() if not table.startswith("analytics.")
    }
    assert shown and shown == {table: pytest.approx(known[table]) for table in shown}


def rows(moment: Moment) -> None:
    known = dict(moment.sql(_TABLES.format(figure="greatest(c.reltuples, 0)::float8")))
    shown = {
        table: count for table, count in by_table(moment, "health/table_rows").items() if not table.startswith("analytics.")
    }
    assert shown and shown == {table: pytest.approx(known[table], rel=0.01) for table in shown}


def growth(moment: Moment) -> None:
    """The line through what was scraped in the last day, by least squares; none before a table was seen twice."""
    asked = {"query": "max by (table) (platform_table_size_bytes)[1d:1m]", "time": moment.at}
    answer = requests.get(f"{moment.stack.url('prometheus')}/api/v1/query", params=asked, timeout=60).json()
    slopes = {}
    for series in answer["data"]["result"]:
        times, sizes_ = zip(*((float(at), float(size)) for at, size in series["values"]), strict=True)
        if len(times) > 1:
            slopes[series["metric"]["table"]] = 86400 * linear_regression([at - times[0] for at in times], sizes_).slope
    most = sorted(slopes.values(), reverse=True)[:10]
    shown = by_table(moment, "health/table_growth")
    assert sorted(shown.values(), reverse=True) == pytest.approx(most, rel=1e-6, abs=1e-6)


FIGURES = {"health/table_sizes": sizes, "health/table_rows": rows, "health/table_growth": growth}
FAULTS = (
    Fault("health/table_sizes", "platform_table_size_bytes", "platform_table_rows"),
    Fault("health/table_rows", "platform_table_rows", "platform_table_size_bytes"),
    Fault("health/table_sizes", "max without", "2 * max without"),
)
