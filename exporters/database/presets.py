"""Mappings that are shipped. `contract` is the contract's own tables; `supabase` is a platform on Supabase.

The latter has executions, conversations and feedback in `public`, a profile for each user, and sign-ins in schema `auth`, which
belongs to Supabase and is only read. An agent is known by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contract.data_plane import Capture


@dataclass(frozen=True)
class Preset:
    """What a relation is unless the site says otherwise, in the words of `contract.data_plane.Mapped`."""

    table: str | None = None
    query: str | None = None
    absent: bool = False
    columns: Mapping[str, str | None] = field(default_factory=dict)
    capture: Capture = "auto"
    driving_table: str | None = None


_AGENTS = """
WITH RECURSIVE found AS (
    (SELECT agent_name FROM public.agent_executions ORDER BY agent_name LIMIT 1)
    UNION ALL
    SELECT (SELECT later.agent_name FROM public.agent_executions AS later
            WHERE later.agent_name > found.agent_name ORDER BY later.agent_name LIMIT 1)
    FROM found WHERE found.agent_name IS NOT NULL
)
SELECT agent_name FROM found WHERE agent_name IS NOT NULL
"""
"""Steps from name to name along an index, whatever the table's size."""

_USERS = """
SELECT profile.id, account.created_at, profile.role, profile.department, account.last_sign_in_at
FROM public.profiles AS profile JOIN auth.users AS account ON account.id = profile.id
"""

_NO_PLACE = {"environment": "'production'"}

_SUPABASE = {
    "users": Preset(
        query=_USERS,
        driving_table="public.profiles",
        capture="scan",
        columns={
            "role": "coalesce(role, 'user')",
            "status": "'active'",
            "last_seen_at": "last_sign_in_at",
            "country_code": None,
        },
    ),
    "agents": Preset(
        query=_AGENTS,
        capture="scan",
        columns={
            "id": "agent_name",
            "name": "agent_name",
            "type": "'agent'",
            "department_id": None,
            "owner_team": None,
            "current_version": None,
            "is_active": "true",
            **_NO_PLACE,
        },
    ),
    "conversations": Preset(
        table="public.agent_conversations",
        columns={
            "agent_id": "agent_name",
            "intent": None,
            "goal_achieved": None,
            "outcome": None,
            "channel": None,
            **_NO_PLACE,
        },
    ),
    "feedback": Preset(
        table="public.agent_feedback",
        columns={"message_id": None, "trace_id": None, "thumbs": None, "nps": None, "category": None},
    ),
    "agent_executions": Preset(
        table="public.agent_executions",
        columns={
            "execution_id": "id",
            "agent_id": "agent_name",
            "version": None,
            "start_time": "started_at",
            "end_time": "completed_at",
            "query": "input",
            "response": "output",
            "error_type": None,
            "tools_called": None,
            "tool_count": "0",
            "retry_count": "0",
            "correlation_id": None,
            "trace_id": None,
            "api_calls_count": "0",
            "intent": None,
            **_NO_PLACE,
        },
    ),
}

_NOT_AT_SUPABASE = (
    "departments", "messages", "tickets", "ticket_events", "documents", "chunks", "kb_searches", "tool_usage_metrics",
    "workflow_metrics", "session_metrics", "traces", "trace_spans", "deployments", "handoffs", "offline_queue",
    "feature_usage_events", "login_events",
)  # fmt: skip

PRESETS: dict[str, dict[str, Preset]] = {
    "contract": {},
    "supabase": _SUPABASE | {name: Preset(absent=True) for name in _NOT_AT_SUPABASE},
}
