"""Every figure of the tabs and of the exporter while the platform stands still: there, equal to plain SQL or Langfuse's rows.

One still moment serves them all, so the last test is the one that restarts the exporter. They run after the incident, which a
stillness would hide, and before the tests of the whole stack, which end it.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from contract import exporter_metrics
from contract.labels import WINDOWS
from contract.metrics import MetricType
from tests.business import plain
from tests.integration import tabs
from tests.integration.conftest import PATIENCE, LivingStack, eventually
from tests.integration.moment import Moment, cost_of, model_of

pytestmark = pytest.mark.integration

Series = dict[tuple[str, ...], float]


def page(stack: LivingStack) -> Series:
    """What /metrics says now, by name and label values in the contract's order; of a histogram its counts and sums."""
    declared = {metric.name: metric for metric in exporter_metrics.METRICS}
    found: Series = {}
    for family in text_string_to_metric_families(requests.get(f"{stack.url('exporter')}/metrics", timeout=60).text):
        metric = declared.get(family.name) or declared.get(f"{family.name}_total")
        for item in family.samples if metric else ():
            if "le" not in item.labels:
                found[item.name, *(item.labels[label] for label in metric.labels)] = item.value
    return found


def of(series: Series, name: str, *, without_zeros: bool = True) -> Series:
    return {
        labels: value
        for (found, *rest), value in series.items()
        if found == name
        for labels in [tuple(rest)]
        if value or not without_zeros
    }


def start(window: str, now: datetime) -> datetime:
    """Where a window begins: 1h and 24h at a full minute, longer ones at a full hour, the month at its first."""
    minute, hour = now.replace(second=0, microsecond=0), now.replace(minute=0, second=0, microsecond=0)
    return {
        "1h": minute - timedelta(hours=1), "24h": minute - timedelta(hours=24), "7d": hour - timedelta(days=7),
        "30d": hour - timedelta(days=30), "mtd": hour.replace(day=1, hour=0),
    }[window]  # fmt: skip


def began(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["startTime"].replace("Z", "+00:00"))


AGAIN = {"platform_tickets_resolved_total", "platform_ticket_sla_total", "platform_ticket_resolution_seconds"}
"""What a ticket that is opened again takes back from its row, but not from a counter: it happened."""


def happened(shown: Series, counted: Series, expected: Series) -> bool:
    """Whether counters hold what the tickets say now, and besides no more than what was taken back and is noted as such."""
    corrections = of(shown, "platform_rollup_corrections_total").get(("tickets",), 0.0)
    extra = {labels: counted.get(labels, 0.0) - expected.get(labels, 0.0) for labels in counted.keys() | expected.keys()}
    return min(extra.values()) >= 0 and sum(extra.values()) <= 2 * corrections


class TestEveryTab:
    """What panels show of PostgreSQL and Langfuse, against what the definitions say of the rows."""

    @pytest.mark.parametrize("key", tabs.FIGURES)
    def test_its_figures(self, moment: Moment, key: str) -> None:
        tabs.FIGURES[key](moment)

    @pytest.mark.parametrize("fault", tabs.FAULTS, ids=lambda fault: f"{fault.panel}: {fault.right}")
    def test_a_wrong_question_is_noticed(self, moment: Moment, fault: tabs.Fault) -> None:
        with moment.faulty(*fault), pytest.raises(AssertionError):
            tabs.FIGURES[fault.panel](moment)


class TestEveryFigure:
    def test_every_metric_of_the_contract_is_there(self, moment: Moment) -> None:
        shown = {name for name, *_ in page(moment.stack)}
        missing = {
            metric.name
            for metric in exporter_metrics.METRICS
            if not shown & {metric.name, f"{metric.name}_count"} and metric.name != "platform_rollup_drift_rows"
        }
        assert missing <= {metric.name for metric in exporter_metrics.METRICS if metric.absent}

    def test_what_was_counted_equals_plain_sql(self, moment: Moment) -> None:
        shown, dsn = page(moment.stack), moment.dsn
        for name, query in plain.COUNTERS.items():
            expected = {labels: value for labels, value in plain.answer(dsn, query, moment.postgres).items() if value}
            if name in AGAIN:
                assert happened(shown, of(shown, name), expected), name
                continue
            assert of(shown, name) == pytest.approx(expected), name
        for name, query in plain.DURATIONS.items():
            found = plain.observations(dsn, query)
            if name in AGAIN:
                counts = {labels: float(len(seconds)) for labels, seconds in found.items()}
                assert happened(shown, of(shown, f"{name}_count"), counts), name
                continue
            assert of(shown, f"{name}_count") == {labels: len(seconds) for labels, seconds in found.items()}, name
            sums = {labels: sum(seconds) for labels, seconds in found.items()}
            assert of(shown, f"{name}_sum") == pytest.approx(sums, rel=1e-6, abs=1e-3), name

    def test_stocks_and_windows_equal_plain_sql(self, moment: Moment) -> None:
        """Asked for the very moment of the figures that are shown."""

        def compared() -> bool:
            shown = page(moment.stack)
            again = page(moment.stack)
            if of(shown, "exporter_source_data_timestamp_seconds") != of(again, "exporter_source_data_timestamp_seconds"):
                return False
            # The source's time is that of its oldest figure, and some are read once a minute: each query knows its own time.
            oldest, windows = (
                datetime.fromtimestamp(shown["exporter_query_last_success_timestamp_seconds", "postgres", query], UTC)
                for query in ("tickets_oldest_open", "counts")
            )
            for name, query in plain.STANDING.items():
                expected = {labels: value for labels, value in plain.answer(moment.dsn, query, oldest).items() if value}
                assert of(shown, name) == pytest.approx(expected, abs=1e-3), name
            for name, query in {**plain.WINDOWED, "platform_feedback_response_ratio": plain.FEEDBACK_RESPONSE_FIRST}.items():
                found = plain.windowed(moment.dsn, query, windows, looked=oldest)
                expected = {labels: value for labels, value in found.items() if value}
                assert of(shown, name) == pytest.approx(expected), name
            return True

        eventually(compared, PATIENCE, "figures of one moment")

    def test_model_calls_equal_the_rows_of_langfuse(self, moment: Moment) -> None:
        with moment.stack.database as database:
            [(since,)] = database.execute(
                "SELECT counted_from FROM analytics.sync_state WHERE source = 'observations'"
            ).fetchall()
        rows = [row for row in moment.calls(since) if row.get("endTime")]
        shown = page(moment.stack)
        now = datetime.fromtimestamp(shown["exporter_source_data_timestamp_seconds", "langfuse"], UTC)
        statuses = Counter(
            (model_of(row), row["environment"], "error" if row["level"] == "ERROR" else "success") for row in rows
        )
        assert of(shown, "langfuse_generations_total") == statuses
        for name, window in (("langfuse_cost_usd_total", ""), *(("langfuse_window_cost_usd", window) for window in WINDOWS)):
            within = [row for row in rows if not window or began(row) >= start(window, now)]
            labels = (window,) if window else ()
            expected = {
                (*model, *labels): cost_of([row for row in within if (model_of(row), row["environment"]) == model])
                for model in {(model_of(row), row["environment"]) for row in within}
            }
            known = {key: value for key, value in of(shown, name).items() if not window or key[-1] == window}
            assert known == pytest.approx({key: value for key, value in expected.items() if value}), (name, window)
        for window in WINDOWS:
            calls = Counter((model_of(row), row["environment"], window) for row in rows if began(row) >= start(window, now))
            assert {key: value for key, value in of(shown, "langfuse_window_calls").items() if key[-1] == window} == calls

    def test_ledger_and_langfuse_agree_and_nothing_drifts(self, moment: Moment) -> None:
        shown = page(moment.stack)
        assert of(shown, "exporter_reconciliation_ratio") == {("calls",): 1, ("tokens",): 1, ("cost_usd",): pytest.approx(1)}

        def audited() -> Series:
            return of(page(moment.stack), "platform_rollup_drift_rows", without_zeros=False)

        drift = eventually(audited, PATIENCE, "an audit")
        assert not any(drift.values())
        assert not of(shown, "platform_rollup_rebuild_needed")

    def test_the_database_is_as_it_should_be(self, moment: Moment) -> None:
        owner = str(moment.stack.var / "secrets" / "postgres_owner_dsn")
        done = moment.stack.observatory("db", "status", "--config", str(moment.stack.config), "--dsn-file", owner)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_after_a_restart_no_counter_is_less(self, moment: Moment) -> None:
        before = page(moment.stack)
        counters = {
            metric.name for metric in exporter_metrics.POSTGRES + exporter_metrics.LANGFUSE if metric.type is MetricType.COUNTER
        }
        process = moment.stack.send("exporter", signal.SIGTERM)

        def back() -> Series | None:
            if moment.stack.parts["exporter"]["identity"] == list(process):
                return None
            try:
                shown = page(moment.stack)
            except requests.RequestException:
                return None
            return shown if counters <= {name for name, *_ in shown} else None

        after = eventually(back, PATIENCE, "the exporter is back with its counters")
        fallen = [key for key, value in before.items() if key[0] in counters and after.get(key, 0.0) < value]
        assert not fallen
        assert time.time() - after["exporter_source_data_timestamp_seconds", "rollups"] < 60
