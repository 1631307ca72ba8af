"""Observatory: what was counted, against the rows that there are to count; the rest is what the exporter says of itself."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.integration.model_calls import ledger
from tests.integration.moment import Moment
from tests.integration.tabs import Fault
from tests.integration.tabs.health import by_table

HOUR = 3600.0
DAY = 24 * HOUR
ADDED_ONLY = {
    "messages": "app.messages", "logins": "app.login_events", "kb_searches": "app.kb_searches",
    "features": "app.feature_usage_events",
}  # fmt: skip
"""Tables whose rows never change: each row is counted once."""
MAY_CHANGE = {
    "tickets": "app.tickets WHERE status IN ('open', 'in_progress', 'waiting')",
    "executions": "app.agent_executions WHERE status = 'in_progress'",
    "sessions": "app.session_metrics WHERE is_active",
    "conversations": "app.conversations WHERE ended_at IS NULL",
    "documents": "app.documents WHERE status = 'processing'",
}
SIZES = (
    "SELECT c.relname, pg_total_relation_size(c.oid)::float8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname = 'app'"
)


def _sources(moment: Moment) -> set[str]:
    return {source for (source,) in moment.sql("SELECT source FROM analytics.sources")}


def _silence(moment: Moment) -> float:
    """Seconds since the platform last wrote a message: figures were read since then, so every roll-up was advanced since."""
    return moment.number(f"SELECT {moment.at} - extract(epoch FROM max(created_at))::float8 FROM app.messages")


def state(moment: Moment) -> None:
    """In words: what is judged from rows is well where all rows are counted, and the ledger has the newest of the calls."""
    shown = moment.panel("observatory/state")
    assert set(shown) == {"Targets", "Sources", "Figures", "Counts", "Ledger", "Rules", "Messages"}
    counted = {source: value for (source,), value in moment.labelled("observatory/rollup_state", 1).items()}
    assert shown["Counts"] == 2 * any(counted.values())
    read = moment.number("SELECT extract(epoch FROM max(started_at))::float8 FROM analytics.llm_calls")
    newest = max(row.at for row in ledger(moment).rows).timestamp()
    assert shown["Ledger"] == 0 and newest - read < HOUR


def rollup_age(moment: Moment) -> None:
    shown, silence = moment.panel("observatory/rollup_age"), _silence(moment)
    assert len(shown) == 8 and set(shown) <= _sources(moment)
    assert all(0 <= 60 * minutes < silence for minutes in shown.values())


def rows_counted(moment: Moment) -> None:
    """Rows of an hour: all that there are, less those that were counted at its first sample.

    Prometheus takes the time between the first and the last sample for the hour, and half an interval more at each end.
    """
    shown = moment.panel("observatory/rows_counted", __rate_interval="1h")
    assert set(shown) == _sources(moment)
    for source, table in ADDED_ONLY.items():
        asked: dict[str, str | float] = {"query": f'platform_rollup_rows_total{{source="{source}"}}[1h]', "time": moment.at}
        answer = requests.get(f"{moment.stack.url('prometheus')}/api/v1/query", params=asked, timeout=60).json()
        [series] = answer["data"]["result"]
        (first, before), (last, _) = series["values"][0], series["values"][-1]
        new = moment.number(f"SELECT count(*) FROM {table}") - float(before)
        most = 1 + 60 / (last - first)
        assert new / most <= shown[source] * HOUR <= new * most, source


def rollup_state(moment: Moment) -> None:
    ages, drift, rebuild, backfilled, open_rows = (
        {source: value for (source,), value in moment.labelled("observatory/rollup_state", query).items()} for query in range(5)
    )
    sources = _sources(moment)
    assert set(ages) == set(rebuild) == set(backfilled) == set(open_rows) == sources and set(drift) <= sources
    assert all(0 <= age < _silence(moment) for age in ages.values())
    assert not any(drift.values()) and not any(rebuild.values())
    assert set(backfilled.values()) == {1.0}
    for source, rows in MAY_CHANGE.items():
        assert open_rows[source] == moment.number(f"SELECT count(*) FROM {rows}"), source
    assert open_rows["tickets"] > 0


def corrections(moment: Moment) -> None:
    """Langfuse's stand-in never takes back what it has said."""
    assert moment.panel("observatory/corrections", __rate_interval="1h") == {"calls": 0, "tokens": 0, "cost_usd": 0}


def unpriced(moment: Moment) -> None:
    """Calls that began near either end of the hour may be counted in one and not in the other."""
    now = datetime.fromtimestamp(moment.at, UTC)
    near = timedelta(minutes=3)
    shown = moment.panel("observatory/unpriced", __rate_interval="1h")
    rows = [row for row in ledger(moment).rows if row.cost is None and now - timedelta(hours=1) - near <= row.at]
    inside = Counter(row.model for row in rows if row.at >= now - timedelta(hours=1))
    edge = Counter(row.model for row in rows if row.at < now - timedelta(hours=1) + near or row.at > now - near)
    assert set(inside) <= set(shown)
    for model, count in shown.items():
        assert count == pytest.approx(inside[model], rel=0.02, abs=edge[model] * 1.02 + 1e-9), model


def table_sizes(moment: Moment) -> None:
    """The fifteen largest; tables of the platform do not change while it stands still, those of schema analytics may."""
    shown, known = by_table(moment, "observatory/table_sizes"), dict(moment.sql(SIZES))
    own = {table: size for table, size in shown.items() if not table.startswith("analytics.")}
    assert len(shown) == 15 and own and own == {table: pytest.approx(known[table]) for table in own}
    assert all(size <= min(shown.values()) for table, size in known.items() if table not in shown)


def changes(moment: Moment) -> None:
    rows = moment.sql(
        "SELECT actor, action, target FROM analytics.audit_log WHERE NOT dry_run AND at BETWEEN :from AND :to", 90 * DAY
    )
    shown = moment.panel_table("observatory/changes", seconds=90 * DAY)
    assert Counter((row["actor"], row["action"], row["target"]) for row in shown) == Counter(rows[:100])


def profiling(moment: Moment) -> None:
    rows = moment.sql("SELECT scope FROM analytics.profiling_sessions WHERE scheduled_at BETWEEN :from AND :to", 30 * DAY)
    shown = moment.panel_table("observatory/profiling", seconds=30 * DAY)
    assert Counter(row["agent"] for row in shown) == Counter(agent for (agent,) in rows[:50])


def settings(moment: Moment) -> None:
    """The last wish for each setting; the platform, which lives, has acted on every one."""
    rows = moment.sql("SELECT agent, environment, setting, max(version) FROM analytics.configuration_desired GROUP BY 1, 2, 3")
    shown = moment.panel_table("observatory/settings")
    assert Counter((row["agent"], row["environment"], row["setting"]) for row in shown) == Counter(row[:3] for row in rows)
    assert all(row["state"] in ("applied", "refused") and row["actor"] for row in shown)


def slow_statements(moment: Moment) -> None:
    """Named by pg_stat_statements where it is installed; nothing is made up where it is not."""
    assert bool(moment.panel("observatory/slow_statements")) == _counts_statements(moment)
    assert bool(moment.panel("health/slow_statements")) == _counts_statements(moment)


def _counts_statements(moment: Moment) -> bool:
    return moment.number("SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'") > 0


FIGURES = {
    "observatory/state": state,
    "observatory/rollup_age": rollup_age,
    "observatory/rows_counted": rows_counted,
    "observatory/rollup_state": rollup_state,
    "observatory/corrections": corrections,
    "observatory/unpriced": unpriced,
    "observatory/table_sizes": table_sizes,
    "observatory/slow_statements": slow_statements,
    "observatory/changes": changes,
    "observatory/profiling": profiling,
    "observatory/settings": settings,
    "health/slow_statements": slow_statements,
}
FAULTS = (
    Fault("observatory/state", "platform_rollup_drift_rows", "1 + platform_rollup_drift_rows"),
    Fault("observatory/rollup_age", "platform_rollup_advanced_timestamp_seconds", "platform_rollup_rows_total"),
    Fault("observatory/rows_counted", "max without (instance)", "1000 + max without (instance)"),
    Fault("observatory/rollup_state", "platform_rollup_open_rows", "platform_rollup_rows_total"),
    Fault("observatory/rollup_state", "platform_rollup_drift_rows", "platform_rollup_backfill_ratio"),
    Fault("observatory/unpriced", "langfuse_unpriced_calls_total", 'langfuse_generations_total{status="success"}'),
    Fault("observatory/table_sizes", "topk(15", "topk(10"),
)
