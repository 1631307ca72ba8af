"""Recorded rates of conversations. Few end in a minute, so their success is read over an hour."""

from __future__ import annotations

from contract.signals.conversations import SUCCESS_RATIO
from contract.signals.model import Leaf
from recording_rules.model import Group, RecordedRate, RecordedSignal

GROUPS = (
    Group(
        "conversation_rates", "1m",
        (RecordedRate(Leaf("platform_conversations_ended_total"), "conversations_ended", ("agent", "goal"), "1h"),),
        level=0,
    ),
    Group(
        "conversation_figures", "1m",
        (RecordedSignal(SUCCESS_RATIO, "conversation_success", ("agent",), "1h"),),
        level=1,
    ),
)  # fmt: skip
