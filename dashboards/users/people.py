"""Single users, by pseudonym: who does most, and whose model calls cost most."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.field import fixed, named
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import BAR_CELL, Table, ago

KEY_WIDTH = 155
LATELY = "7d"
"""The ledger has every single call: what is asked of each is asked of a week."""

_OWN = "$__timeFilter(m.created_at) AND m.role = 'user' AND m.user_key IS NOT NULL"
MOST_ACTIVE = f"""
SELECT o.user_key AS "User", u.role AS "Role", u.department AS "Department", u.created_at AS "Joined",
       o.conversations::float8 AS "Conversations", o.messages::float8 AS "Messages",
       o.messages::float8 / o.conversations AS "Each", o.last AS "Last seen"
FROM (
  SELECT t.user_key, analytics.total(t.messages) AS messages, count(*) AS conversations, max(t.last) AS last
  FROM (
    SELECT m.user_key, m.conversation_id, count(*) AS messages, max(m.created_at) AS last
    FROM analytics.messages m WHERE {_OWN} GROUP BY m.user_key, m.conversation_id
  ) t
  GROUP BY t.user_key ORDER BY 2 DESC, 1 LIMIT 100
) o
LEFT JOIN analytics.users u ON u.user_key = o.user_key
ORDER BY o.messages DESC, o.user_key
""".strip()
"""Messages are read once, from an index alone, and added up by conversation, and these by user as they come."""


def most_active() -> Panel:
    return Table(
        name="most_active",
        title="Most active users",
        description=(
            "The hundred users with most messages of their own in the range. A user is a keyed hash of the id, never a name or "
            "an address; whoever has the deployment's key can find the person. Far more than everybody else: a script; talk to "
            "its owner before it meets a limit."
        ),
        targets=(SqlQuery(sql=MOST_ACTIVE),),
        no_value="no message in range",
        overrides=(
            named("User", custom_width=KEY_WIDTH),
            named("Role", custom_width=90),
            ago("Joined"),
            named("Conversations", unit="locale", decimals=0, custom_width=115),
            named(
                "Messages",
                unit="locale",
                decimals=0,
                custom_cellOptions=BAR_CELL,
                color=fixed(colours.NEUTRAL),
                min=0,
                fieldMinMax=True,
                custom_width=130,
            ),
            named("Each", unit="none", decimals=1, custom_width=70),
            ago("Last seen"),
        ),
        paged=True,
    )


def _calls() -> str:
    """FROM and WHERE: the chosen model calls of known users, summed by day and user.

    They are summed before they are chosen (OFFSET keeps it so): the filters' patterns are held against few rows then.
    """
    return f"""
FROM (
  SELECT date_trunc('day', t.started_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS day, t.user_key, t.environment, t.agent,
         sum(t.total_cost_usd) AS cost, sum(t.total_tokens) AS tokens, count(*) AS calls
  FROM analytics.llm_calls t WHERE $__timeFilter(t.started_at) AND t.user_key IS NOT NULL
  GROUP BY 1, 2, 3, 4 OFFSET 0
) c
WHERE {chosen_all(environment="c.environment", agent="c.agent")}""".strip()


def most_expensive() -> Panel:
    asked = f"""
SELECT c.user_key AS "User", coalesce(sum(c.cost), 0)::float8 AS "Cost", sum(c.tokens)::float8 AS "Tokens",
       sum(c.calls)::float8 AS "Calls", (coalesce(sum(c.cost), 0) / sum(c.calls))::float8 AS "Each"
{_calls()}
GROUP BY c.user_key
ORDER BY 2 DESC, 1
LIMIT 50
""".strip()
    return Table(
        name="most_expensive",
        title="Whose model calls cost most?",
        description=(
            "The fifty users whose model calls of seven days cost most, from the ledger; calls without a price cost nothing "
            "here. High cost per call: long histories or documents; high cost by number: a script. Each: "
            "the cost of a call."
        ),
        targets=(SqlQuery(sql=asked),),
        no_value="no model call of a known user in a week",
        always_last=LATELY,
        overrides=(
            named("User", custom_width=146),
            named("Cost", unit="currencyUSD", decimals=2, custom_width=76),
            named("Tokens", unit="short", decimals=1, custom_width=90),
            named("Calls", unit="locale", decimals=0, custom_width=70),
            named("Each", unit="currencyUSD", decimals=4),
        ),
        paged=True,
    )


def cost_by_day() -> Panel:
    asked = f"""
WITH days AS (
  SELECT c.day, c.user_key, sum(c.cost) AS cost
  {_calls()}
  GROUP BY 1, 2
), most AS (
  SELECT d.user_key FROM days d WHERE d.cost IS NOT NULL GROUP BY d.user_key ORDER BY sum(d.cost) DESC, 1 LIMIT 5
)
SELECT d.day AS "time", d.user_key AS metric, d.cost::float8 AS value
FROM days d JOIN most o ON o.user_key = d.user_key
WHERE d.cost IS NOT NULL
ORDER BY 1, 2
LIMIT 100
""".strip()
    return TimeSeries(
        name="cost_by_day",
        title="Cost per day of the five most expensive",
        description=(
            "Model cost by day (UTC) of the five users whose calls cost most in seven days, from the ledger. The first and the "
            "newest day are not full. A step up: a new way of using the platform, or a loop."
        ),
        targets=(SqlQuery(sql=asked, format="time_series"),),
        unit="currencyUSD",
        minimum=0,
        no_value="no model call of a known user in a week",
        always_last=LATELY,
        calculations=("sum", "max"),
    )
