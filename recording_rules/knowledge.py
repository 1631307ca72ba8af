"""Recorded rates of the knowledge base. Few documents come in an hour, so their uploads are read over a day."""

from __future__ import annotations

from contract.signals.knowledge import (
    KB_EMPTY_RATIO,
    KB_SEARCH_LATENCY,
    KB_SEARCHES,
    KB_SEARCHES_ANSWERED,
    KB_SEARCHES_EMPTY,
    UPLOADS,
)
from recording_rules.model import Group, RecordedRate, RecordedSignal

_DURATION, _KB = "search_duration_seconds", "kb"

GROUPS = (
    Group(
        "knowledge_rates", "1m",
        (
            RecordedRate(KB_SEARCHES.leaf, "searches", (), "1h", _KB),
            RecordedRate(KB_SEARCH_LATENCY.leaf, f"{_DURATION}_bucket", ("le",), "5m", _KB),
            RecordedRate(KB_SEARCH_LATENCY.leaf, f"{_DURATION}_bucket", ("le",), "15m", _KB),
            RecordedRate(KB_SEARCHES_ANSWERED.leaf, "searches_answered", (), "15m", _KB),
            RecordedRate(KB_SEARCHES_EMPTY.leaf, "searches_empty", (), "1h", _KB),
            RecordedRate(KB_SEARCHES_ANSWERED.leaf, "searches_answered", (), "1h", _KB),
            RecordedRate(UPLOADS.leaf, "uploads", ("status",), "1h", _KB),
        ),
        level=0,
    ),
    Group(
        "knowledge_figures", "1m",
        (
            RecordedSignal(KB_SEARCH_LATENCY, _DURATION, (), "15m", _KB),
            RecordedSignal(KB_EMPTY_RATIO, "searches_empty", (), "1h", _KB),
        ),
        level=1,
    ),
    Group("knowledge_days", "2m", (RecordedRate(UPLOADS.leaf, "uploads", ("status",), "1d", _KB),), level=0),
)  # fmt: skip
