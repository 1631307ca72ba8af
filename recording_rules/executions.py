"""Recorded rates of executions, as the rows of the database tell them."""

from __future__ import annotations

from contract.signals.executions import EXECUTIONS
from recording_rules.model import Group, RecordedRate

GROUPS = (
    Group(
        "execution_rates", "1m", (RecordedRate(EXECUTIONS.leaf, "executions", ("agent", "status"), "1h"),), level=0,
    ),
)  # fmt: skip
