"""The feedback that is chosen: what all panels of the tab read, so that they speak of the same answers."""

from __future__ import annotations

from dashboards.lib.field import Override
from dashboards.lib.filters import chosen_agents, chosen_all

CONVERSATIONS = """
FROM analytics.feedback f CROSS JOIN LATERAL (
  SELECT t.agent_id, t.environment, t.intent, t.channel, t.outcome
  FROM analytics.conversations t WHERE t.id = f.conversation_id OFFSET 0
) c""".strip()
"""Feedback `f` and its conversation `c`. Feedback is seldom, so conversations are looked up one by one (OFFSET keeps it so),
where PostgreSQL would hold the filters' patterns against all conversations there are.
"""


def given(more: str = "") -> str:
    """FROM and WHERE: feedback of the range on conversations that the filters let through; `more` are joins."""
    chosen = f"{chosen_all(environment='c.environment', intent='c.intent')} AND {chosen_agents('c.agent_id')}"
    return f"""
{CONVERSATIONS}{f" {more}" if more else ""}
WHERE $__timeFilter(f.created_at) AND {chosen}""".strip()


def by_day(column: str = "f.created_at") -> str:
    """The day (UTC) of a time."""
    return f"date_trunc('day', {column} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"


NPS = (
    "100.0 * (count(*) FILTER (WHERE f.nps >= 9) - count(*) FILTER (WHERE f.nps <= 6)) / "
    "nullif(count(*) FILTER (WHERE f.nps BETWEEN 0 AND 10), 0)"
)
"""The net promoter score of rows of feedback, as contract.definitions says it."""

NARROW = Override("byType", "number", (("custom.width", 110),))
"""How wide columns of figures are, so that a narrow screen has room for all."""
