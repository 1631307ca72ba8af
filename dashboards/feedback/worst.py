"""About what people are unhappy: by agent, intent, channel or category; and the conversations that they liked least."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.feedback.given import NARROW, NPS, given
from dashboards.lib import colours
from dashboards.lib.field import Link, fixed, named
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import BAR_CELL, Table, ago, shortened
from dashboards.lib.variables import SwitchVariable, Variable

GROUPS = {"agent": "Agent", "intent": "Intent", "channel": "Channel", "category": "Category"}
AGENT = "JOIN analytics.agents a ON a.id = c.agent_id"


def choices(_settings: Settings) -> tuple[Variable, ...]:
    """What feedback is grouped by."""
    return (
        SwitchVariable(
            name="group_by", label="Feedback by", values=GROUPS, description="What 'About what are they unhappy?' groups by."
        ),
    )


def trace_link(settings: Settings) -> Link:
    """To the trace whose id a cell holds."""
    return Link("Open in Langfuse", f"{settings.sources.langfuse.base_url}/trace/${{__value.raw}}", new_tab=True)


def by_choice() -> Panel:
    asked = f"""
SELECT coalesce(CASE ${{group_by:sqlstring}} WHEN 'intent' THEN c.intent WHEN 'channel' THEN c.channel
                WHEN 'category' THEN f.category ELSE a.name END, 'none') AS "Group",
       count(*)::float8 AS "Feedback", avg(f.rating)::float8 AS "Stars",
       count(*) FILTER (WHERE f.rating <= 2)::float8 / nullif(count(f.rating), 0) AS "1 or 2 stars",
       count(*) FILTER (WHERE f.thumbs > 0)::float8 / nullif(count(*) FILTER (WHERE f.thumbs <> 0), 0) AS "Thumbs up",
       ({NPS})::float8 AS "NPS", count(f.nps)::float8 AS "Asked"
{given(AGENT)}
GROUP BY 1
ORDER BY 4 DESC NULLS LAST, 2 DESC, 1
LIMIT 200
""".strip()
    return Table(
        name="groups",
        title="Which group is least content?",
        description=(
            "Feedback by agent, intent, channel or category, as chosen above, the largest share of one or two stars first. "
            "Look at groups with many answers: a share of few is chance. Asked: who answered the NPS question."
        ),
        targets=(SqlQuery(sql=asked),),
        no_value="no feedback in range",
        overrides=(
            NARROW,
            named("Group", custom_minWidth=150),
            named("Feedback", unit="locale", decimals=0),
            named("Stars", unit="none", decimals=2),
            named(
                "1 or 2 stars", unit="percentunit", decimals=1, min=0, max=1, color=fixed(colours.AMBER),
                custom_cellOptions=BAR_CELL, custom_width=170,
            ),
            named("Thumbs up", unit="percentunit", decimals=0),
            named("NPS", unit="none", decimals=0),
            named("Asked", unit="locale", decimals=0),
        ),
        paged=True,
    )  # fmt: skip


def conversations(settings: Settings) -> Panel:
    asked = f"""
WITH rated AS (
  SELECT f.conversation_id AS id, avg(f.rating) AS stars, max(f.created_at) AS at,
         (array_agg(f.trace_id ORDER BY f.rating, f.created_at DESC) FILTER (WHERE f.trace_id IS NOT NULL))[1] AS trace,
         (array_agg(f.category ORDER BY f.rating, f.created_at DESC) FILTER (WHERE f.category IS NOT NULL))[1] AS category
  {given()} AND f.rating BETWEEN 1 AND 5
  GROUP BY f.conversation_id ORDER BY 2, 3 DESC, 1 LIMIT 100
)
SELECT r.at AS "Rated", r.id::text AS "Conversation", a.name AS "Agent", c.intent AS "Intent", r.category AS "About",
       c.outcome AS "Outcome", r.stars::float8 AS "Stars", r.trace AS "Trace"
FROM rated r CROSS JOIN LATERAL (
  SELECT t.agent_id, t.intent, t.outcome FROM analytics.conversations t WHERE t.id = r.id OFFSET 0
) c JOIN analytics.agents a ON a.id = c.agent_id
ORDER BY r.stars, r.at DESC, r.id
""".strip()
    return Table(
        name="conversations",
        title="Lowest rated conversations",
        description=(
            "The hundred conversations of the range with the lowest mean rating, the newest first among equals. The trace of "
            "its worst rated answer opens in Langfuse: read five of them before changing anything."
        ),
        targets=(SqlQuery(sql=asked),),
        no_value="nobody gave stars in range",
        overrides=(
            ago("Rated"),
            named("Stars", unit="none", decimals=1, custom_width=80),
            named("Conversation", custom_width=130),
            named("Agent", custom_width=110),
            named("About", custom_width=110),
            named("Outcome", custom_width=100),
            shortened("Trace", links=[trace_link(settings).to_json_data()], custom_width=100),
        ),
        paged=True,
    )
