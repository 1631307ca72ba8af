"""Where a model call came from: agent, version and conversation, as the platform's own table of executions knows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from psycopg import sql

from exporters.database.mapping import Mapping
from exporters.database.sessions import StatementRefused
from exporters.database.sharing import Seat
from exporters.langfuse.calls import Call
from exporters.logs import LOG, pairs

_RELATION = "agent_executions"
_BEFORE, _AFTER = timedelta(hours=1), timedelta(minutes=10)
"""An execution begins before its calls; clocks differ. The bounds let the index on the time be used."""


class Origin(NamedTuple):
    agent: str | None = None
    version: str | None = None
    conversation_id: str | None = None


class Attribution:
    """Asks the platform's executions by the trace that they share with model calls."""

    def __init__(self, seat: Seat, mapping: Mapping) -> None:
        self._seat, self._mapping = seat, mapping
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
            "SELECT r.trace_id, r.agent_name, r.version, r.conversation_id::text FROM {} AS r"
            " WHERE r.trace_id = ANY({}::text[]) AND r.start_time BETWEEN {} AND {}"
        ).format(self._mapping.table(_RELATION), traces, min(begun) - _BEFORE, max(begun) + _AFTER)
        try:
            rows = self._seat.rows(query)
        except StatementRefused as refused:
            if str(refused) != self._complaint:
                self._complaint = str(refused)
                LOG.warning("model calls without their conversations", extra=pairs(relation=_RELATION, problem=str(refused)))
            return {}
        self._complaint = ""
        return {trace: Origin(agent, version, conversation) for trace, agent, version, conversation in rows}
