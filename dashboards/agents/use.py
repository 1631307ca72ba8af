"""What agents are used for, and when: intents, hours of the week, and how conversations are shared out."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.field import fixed, named, painted, tab_link
from dashboards.lib.filters import chosen_agents, chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.requests import LONG_NAMES
from dashboards.lib.shares import BarChart, PieChart
from dashboards.lib.spending import DAYS
from dashboards.lib.tables import Table
from dashboards.users.habits import DAYS as WEEKDAYS
from dashboards.users.habits import HEAT

NO_CONVERSATION = "no conversation in range"
MOST, SLICES = 12, 6
OTHERS, UNKNOWN = "others", "unknown"
BARS = "Intent and conversations"


def _begun() -> str:
    """FROM and WHERE: conversations that began in the range with a chosen agent."""
    return (
        "FROM analytics.conversations c\n"
        f"WHERE $__timeFilter(c.created_at) AND {chosen_all(environment='c.environment')} AND {chosen_agents('c.agent_id')}"
    )


def intents() -> Panel:
    name = f"coalesce(nullif(intent, ''), '{UNKNOWN}')"
    sql = f"""
SELECT {name} AS "Intent", {name} || ' ' || to_char(sum(conversations), 'FM999,999,999') AS "{BARS}",
       sum(achieved)::float8 AS "goal reached", sum(missed)::float8 AS "goal missed",
       sum(conversations - achieved - missed)::float8 AS "not known"
FROM analytics.intent_daily
WHERE {DAYS} AND {chosen_all(environment="environment")}
GROUP BY 1
ORDER BY bool_or({name} = '{UNKNOWN}'), sum(conversations) DESC, 1
LIMIT {MOST}
""".strip()
    return BarChart(
        name="intents",
        title="What do people want?",
        description=(
            f"Conversations that ended on the days of the range by what the user wanted, all agents, the {MOST} most frequent, "
            f"and how many; `{UNKNOWN}` stands last: nobody could tell. Many missed for one intent: documents or a tool are "
            "missing for it. Many unknown: the classifier has to learn."
        ),
        targets=(SqlQuery(sql=sql),),
        unit="locale",
        decimals=0,
        no_value="no conversation ended in range",
        x=BARS,
        direction="horizontal",
        stacking="normal",
        values_shown="never",
        with_scale=False,
        name_letters=LONG_NAMES,
        overrides=painted({"goal reached": colours.BLUE, "goal missed": colours.AMBER, "not known": colours.GREY}),
    )


_DAYS = ",\n       ".join(f'count(*) FILTER (WHERE weekday = {n})::float8 AS "{day}"' for n, day in enumerate(WEEKDAYS, 1))


def hours() -> Panel:
    sql = f"""
WITH began AS (
  SELECT extract(isodow FROM c.created_at AT TIME ZONE 'UTC')::int AS weekday,
         extract(hour FROM c.created_at AT TIME ZONE 'UTC')::int AS hour
  {_begun()}
)
SELECT to_char(hour, 'FM00') || ':00' AS "UTC",
       {_DAYS}
FROM began
GROUP BY hour
ORDER BY hour
LIMIT 24
""".strip()
    return Table(
        name="hours",
        title="When do people talk to agents?",
        description=(
            "Conversations that began in the range, by weekday and hour (UTC). Release into the lightest cells; the darkest "
            "say when agents have to have room. A range of whole weeks gives every weekday the same chance."
        ),
        targets=(SqlQuery(sql=sql),),
        width=14,
        unit="locale",
        no_value=NO_CONVERSATION,
        overrides=(named("UTC", custom_width=80, custom_filterable=False), HEAT),
        links=(tab_link("User analytics", "users"),),
    )


def _pie(name: str, title: str, description: str, label: str, more: str = "", of_agents: bool = False) -> Panel:
    """Conversations by a label of theirs: the five most frequent, the rest as one."""
    sql = f"""
WITH counted AS (
  SELECT {label} AS name, count(*) AS n, row_number() OVER (ORDER BY count(*) DESC, {label}) AS place
  {_begun().replace("analytics.conversations c", f"analytics.conversations c{more}")}
  GROUP BY 1
)
SELECT CASE WHEN place < {SLICES} THEN name ELSE '{OTHERS}' END AS name, sum(n)::float8 AS conversations
FROM counted
GROUP BY 1
ORDER BY min(place)
""".strip()
    return PieChart(
        name=name,
        title=title,
        description=f"{description} Conversations that began in the range; the {SLICES - 1} most frequent, the rest as one.",
        targets=(SqlQuery(sql=sql),),
        unit="locale",
        decimals=0,
        no_value=NO_CONVERSATION,
        every_row=True,
        figures=("percent",),
        of_agents=of_agents,
        overrides=(named(OTHERS, color=fixed(colours.GREY)),),
    )


def by_agent() -> Panel:
    text = "Who has most to do. One agent with almost all: ask whether the others are found."
    return _pie("by_agent", "By agent", text, "a.name", " JOIN analytics.agents a ON a.id = c.agent_id", of_agents=True)


def by_outcome() -> Panel:
    text = "How they ended, `open` those that have not. Many abandoned: answers come too late, or do not help."
    return _pie("by_outcome", "By outcome", text, "coalesce(c.outcome, 'open')")


def by_channel() -> Panel:
    text = "Where people talk to agents. A channel that vanishes is broken."
    return _pie("by_channel", "By channel", text, f"coalesce(c.channel, '{UNKNOWN}')")
