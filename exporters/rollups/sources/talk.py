"""What people and agents say to each other: conversations, messages, handoffs, feedback."""

from __future__ import annotations

from contract.definitions import NPS_DETRACTOR_TO, NPS_PROMOTER_FROM
from exporters.rollups.model import Fact, Field, Join, LastSeen, Source, Stock, Yield, once_a_week, plausible, week
from exporters.rollups.sources.words import AGENT_OF_CONVERSATION, CONVERSATION, text, time, whole, word

ASKER = "user"
"""The role of a message that a user wrote."""

_PLACE = {"agent": text(word("a.name")), "environment": text(word("c.environment"))}
_GOAL = "CASE WHEN r.goal_achieved THEN 'achieved' WHEN NOT r.goal_achieved THEN 'missed' ELSE 'unknown' END"
_ASKED = f"role = '{ASKER}' AND user_id IS NOT NULL AND {plausible('at')}"
_AGENT_LABELS = {"agent": "agent", "environment": "environment"}


def _week(at: str) -> str:
    """The Monday (UTC) of the week of a time, for what users wrote: nobody asks for that of other messages."""
    return f"CASE WHEN r.role = '{ASKER}' AND {plausible(at)} THEN ({week(at)})::text END"


CONVERSATIONS = Source(
    "conversations",
    "conversations",
    image={
        "agent": text(word("a.name")),
        "environment": text(word("r.environment")),
        "channel": text(word("r.channel")),
        "intent": text(word("r.intent")),
        "goal": text(_GOAL),
        "outcome": text(word("r.outcome")),
        "began": time("r.created_at"),
        "ended": time("r.ended_at"),
    },
    joins=(Join("agents", "a", "a.id = r.agent_id"),),
    open="r.ended_at IS NULL",
    facts=(
        Fact(
            "conversations_started",
            at="began",
            labels={**_AGENT_LABELS, "channel": "channel"},
            yields=(Yield("platform_conversations_started_total"),),
        ),
        Fact(
            "conversations_ended",
            when="ended IS NOT NULL",
            at="ended",
            labels={**_AGENT_LABELS, "goal": "goal", "outcome": "outcome"},
            yields=(Yield("platform_conversations_ended_total"),),
        ),
        Fact(
            "conversation_intents",
            when="ended IS NOT NULL",
            at="ended",
            labels={"intent": "intent", "environment": "environment", "goal": "goal"},
        ),
    ),
    stocks=(Stock("conversations", labels={"environment": "environment"}, yields=(Yield("platform_conversations"),)),),
)

MESSAGES = Source(
    "messages",
    "messages",
    image={
        "environment": text(word("c.environment")),
        "role": text(word("r.role")),
        "tokens": whole("r.tokens"),
        "at": time("r.created_at"),
        "user_id": text("r.user_id::text"),
        "week": text(_week("r.created_at")),
        "cohort": text(_week("u.created_at")),
    },
    joins=(CONVERSATION, Join("users", "u", f"u.id = CASE WHEN r.role = '{ASKER}' THEN r.user_id END")),
    facts=(
        Fact(
            "messages",
            at="at",
            labels={"environment": "environment", "role": "role"},
            sums={"tokens": "tokens"},
            yields=(Yield("platform_messages_total"), Yield("platform_message_tokens_total", "tokens")),
        ),
        Fact(
            "users_active_in_week",
            when=f"{_ASKED} AND cohort IS NOT NULL",
            at="at",
            labels={"cohort": "cohort", "week": "week"},
            once=once_a_week("week", "user_id"),
        ),
    ),
    # A message dated far into the future would hide its user until then; clocks may be five minutes apart.
    last_seen=LastSeen(
        "users_last_seen",
        "users_active_in_week",
        user="user_id",
        at="at",
        when=f"{_ASKED} AND at < now() + interval '5 minutes'",
    ),
)

HANDOFFS = Source(
    "handoffs",
    "handoffs",
    image={**_PLACE, "reason": text(word("r.reason")), "at": time("r.at")},
    joins=(CONVERSATION, AGENT_OF_CONVERSATION),
    facts=(
        Fact("handoffs", at="at", labels={**_AGENT_LABELS, "reason": "reason"}, yields=(Yield("platform_handoffs_total"),)),
    ),
)

FEEDBACK = Source(
    "feedback",
    "feedback",
    image={
        **_PLACE,
        "conversation": text("r.conversation_id::text"),
        "rating": Field("integer", "r.rating"),
        "thumbs": Field("integer", "r.thumbs"),
        "nps": Field("integer", "r.nps"),
        "at": time("r.created_at"),
    },
    joins=(CONVERSATION, AGENT_OF_CONVERSATION),
    facts=(
        Fact(
            "feedback_thumbs",
            when="thumbs <> 0",
            at="at",
            labels={**_AGENT_LABELS, "sentiment": "CASE WHEN thumbs > 0 THEN 'positive' ELSE 'negative' END"},
            yields=(Yield("platform_feedback_total"),),
        ),
        Fact(
            "feedback_ratings",
            when="rating BETWEEN 1 AND 5",
            at="at",
            labels={"environment": "environment", "rating": "rating::text"},
            sums={"stars": "rating"},
            yields=(Yield("platform_feedback_ratings_total"),),
        ),
        Fact(
            "nps_answers",
            when="nps BETWEEN 0 AND 10",
            at="at",
            labels={
                "group": f"CASE WHEN nps >= {NPS_PROMOTER_FROM} THEN 'promoter'"
                f" WHEN nps <= {NPS_DETRACTOR_TO} THEN 'detractor' ELSE 'passive' END"
            },
            yields=(Yield("platform_nps_answers_total"),),
        ),
        Fact(
            "conversations_with_feedback",
            when="conversation IS NOT NULL",
            at="at",
            labels=_AGENT_LABELS,
            once="conversation",
        ),
    ),
)

TALK = (CONVERSATIONS, MESSAGES, HANDOFFS, FEEDBACK)
