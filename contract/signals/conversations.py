"""What conversations achieve."""

from __future__ import annotations

from contract.signals.model import Change, Level, Quantile, Rate, Ratio, equal, like

CONVERSATIONS_STARTED = Rate(
    "conversations_started",
    "Conversations started",
    "Conversations started per second",
    "ops",
    "platform_conversations_started_total",
)
CONVERSATIONS_ENDED = Rate(
    "conversations_ended",
    "Conversations ended",
    "Conversations ended with a known goal, per second",
    "ops",
    "platform_conversations_ended_total",
    (like("goal", "achieved|missed"),),
)
CONVERSATIONS_ACHIEVED = Rate(
    "conversations_achieved",
    "Goals achieved",
    "Conversations ended with the goal achieved, per second",
    "ops",
    "platform_conversations_ended_total",
    (equal("goal", "achieved"),),
)
SUCCESS_RATIO = Ratio(
    "success_ratio",
    "Success rate",
    "Ended conversations with the goal achieved / those with a known goal",
    "percentunit",
    CONVERSATIONS_ACHIEVED,
    CONVERSATIONS_ENDED,
)
CONVERSATIONS_MISSED = Rate(
    "conversations_missed",
    "Goals missed",
    "Conversations ended with the goal missed, per second",
    "ops",
    "platform_conversations_ended_total",
    (equal("goal", "missed"),),
)
HANDOFFS = Rate("handoffs", "Handoffs", "Conversations handed over to a person, per second", "ops", "platform_handoffs_total")
CONVERSATIONS_CLOSED = Rate(
    "conversations_closed",
    "Conversations ended",
    "Conversations ended per second, whatever came of them",
    "ops",
    "platform_conversations_ended_total",
)
HANDOFF_RATIO = Ratio(
    "handoff_ratio",
    "Handoff rate",
    "Conversations handed over to a person / conversations ended",
    "percentunit",
    HANDOFFS,
    CONVERSATIONS_CLOSED,
)
MESSAGES = Rate("messages", "Messages", "Messages written per second", "ops", "platform_messages_total")
SESSIONS_STARTED = Rate(
    "sessions_started", "Sessions begun", "Sessions begun per second", "ops", "platform_sessions_started_total"
)
SESSIONS_ACTIVE = Level("sessions_active", "Sessions", "Sessions that are going on", "short", "platform_sessions_active")
SESSION_LENGTH = Quantile(
    "session_length_p50", "Median", "Median length of a session", "s", "platform_session_duration_seconds", 0.5
)
HANDOFF_CHANGE = Change(
    "handoff_change",
    "Handoffs against yesterday",
    "Share of conversations handed over / the one at the same time yesterday",
    "times",
    HANDOFF_RATIO,
    "1d",
)
HANDOFF_CHANGE_WEEK = Change(
    "handoff_change_week",
    "Handoffs against last week",
    "Share of conversations handed over / the one at the same time a week ago",
    "times",
    HANDOFF_RATIO,
    "7d",
)
