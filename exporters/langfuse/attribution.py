"""Where a model call came from: agent, version, conversation and user, as the platform's own table of executions knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from psycopg import sql

from exporters.database.mapping import Mapping
from exporters.database.sessions import StatementRefused
from exporters.database.sharing import Seat
from exporters.langfuse.calls import Call
from exporters.logs import LOG, pairs
from exporters.rollups.sources.words import word

_RELATION = "agent_executions"
_BEFORE, _AFTER = timedelta(hours=1), timedelta(minutes=10)
"""An execution begins before its calls; clocks differ. The bounds let the index on the time be used."""


class Origin(NamedTuple):
    agent: str | None = None
    version: str | None = None
    conversation_id: str | None = None
    user_key: str | None = None
    user_role: str | None = None
    department: str | None = None


class Attribution:
    """Asks the platform's executions by the trace that they share with model calls.

    `user_key` makes a pseudonym of a user's id. Clients name users to Langfuse as they like; the platform's id is what all
    other figures of a user go by.
    """

    def __init__(self, seat: Seat, mapping: Mapping, user_key: Callable[[str], str | None]) -> None:
        self._seat, self._mapping, self._user_key = seat, mapping, user_key
        self._complaint = ""

    def of(self, calls: Sequence[Call]) -> dict[str, Origin]:
        """By trace. A table that cannot be read leaves every call as Langfuse knows it, and is complained about once.

        Raises DatabaseDown.
        """
        traces = sorted({call.trace_id for call in calls if call.trace_id is not None})
        if not traces or self._mapping.is_absent(_RELATION):
            return {}
        begun = [call.started_at for call in calls]
        query = sql.SQL(
            "SELECT r.trace_id, r.agent_name, r.version, r.conversation_id::text, u.id::text, {role}, {department}"
            " FROM {executions} AS r LEFT JOIN {users} AS u ON u.id = r.user_id"
            " WHERE r.trace_id = ANY({traces}::text[]) AND r.start_time BETWEEN {first} AND {last}"
        ).format(
            role=sql.SQL(word("u.role")),
            department=sql.SQL(word("u.department")),
            executions=self._mapping.table(_RELATION),
            users=self._mapping.table("users"),
            traces=traces,
            first=min(begun) - _BEFORE,
            last=max(begun) + _AFTER,
        )
        try:
            rows = self._seat.rows(query)
        except StatementRefused as refused:
            if str(refused) != self._complaint:
                self._complaint = str(refused)
                LOG.warning("model calls without their conversations", extra=pairs(relation=_RELATION, problem=str(refused)))
            return {}
        self._complaint = ""
        return {
            trace: Origin(agent, version, conversation, self._user_key(user) if user else None, role, department)
            for trace, agent, version, conversation, user, role, department in rows
        }
