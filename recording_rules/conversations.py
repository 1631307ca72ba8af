"""Recorded rates of conversations and of what users think. Few end in a minute, so they are read over an hour."""

from __future__ import annotations

from contract.signals.conversations import CONVERSATIONS_CLOSED, HANDOFF_RATIO, HANDOFFS, SUCCESS_RATIO
from contract.signals.users import FEEDBACK, FEEDBACK_NEGATIVE_RATIO
from recording_rules.model import Group, RecordedRate, RecordedSignal

GROUPS = (
    Group(
        "conversation_rates", "1m",
        (
            RecordedRate(CONVERSATIONS_CLOSED.leaf, "conversations_ended", ("agent", "goal"), "1h"),
            RecordedRate(HANDOFFS.leaf, "handoffs", ("agent", "reason"), "1h"),
            RecordedRate(FEEDBACK.leaf, "feedback", ("agent", "sentiment"), "1h"),
        ),
        level=0,
    ),
    Group(
        "conversation_figures", "1m",
        (
            RecordedSignal(SUCCESS_RATIO, "conversation_success", ("agent",), "1h"),
            RecordedSignal(HANDOFF_RATIO, "handoffs", ("agent",), "1h"),
            RecordedSignal(FEEDBACK_NEGATIVE_RATIO, "feedback_negative", ("agent",), "1h"),
        ),
        level=1,
    ),
)  # fmt: skip
