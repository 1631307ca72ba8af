"""Recorded rates of executions, as the rows of the database tell them."""

from __future__ import annotations

from contract.signals.executions import EXECUTION_ERROR_RATIO, EXECUTION_LATENCY, EXECUTIONS
from recording_rules.model import Group, RecordedRate, RecordedSignal

GROUPS = (
    Group(
        "execution_rates", "1m",
        (
            RecordedRate(EXECUTIONS.leaf, "executions", ("agent", "status"), "5m"),
            RecordedRate(EXECUTIONS.leaf, "executions", ("agent", "status"), "1h"),
            RecordedSignal(EXECUTION_LATENCY, "execution_duration_seconds", ("agent",), "5m"),
        ),
        level=0,
    ),
    Group(
        "execution_figures", "1m",
        (RecordedSignal(EXECUTION_ERROR_RATIO, "execution_errors", ("agent",), "5m"),),
        level=1,
    ),
)  # fmt: skip
