"""What conversations achieve."""

from __future__ import annotations

from contract.signals.model import Rate, Ratio, equal, like

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
HANDOFFS = Rate("handoffs", "Handoffs", "Conversations handed over to a person, per second", "ops", "platform_handoffs_total")
