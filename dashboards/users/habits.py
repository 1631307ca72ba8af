"""What users do: how many conversations and messages, at which hours, with which features."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from dashboards.lib import colours
from dashboards.lib.distributions import Histogram
from dashboards.lib.field import Override, fixed, named
from dashboards.lib.figures import BarGauge, Stat
from dashboards.lib.filters import chosen_agents, chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery, in_range
from dashboards.lib.tables import COLOURED_CELL, Table

BARS = 20
"""Bars of a distribution; the last one holds what lies beyond the 95th percentile too."""
LATELY = "7d"
"""Messages are many: what is asked of each is asked of a week."""

_DISTRIBUTION = f"""
, wide AS (SELECT greatest(1, ceil(percentile_cont(0.95) WITHIN GROUP (ORDER BY n) / {BARS})) AS step FROM each)
SELECT least(ceil(n / step), {BARS}) * step - step + 0.5 AS "xMin", least(ceil(n / step), {BARS}) * step + 0.5 AS "xMax",
       count(*)::float8 AS "{{what}}"
FROM each, wide
GROUP BY 1, 2
ORDER BY 1
LIMIT {BARS}
""".strip()
"""Whole numbers are not edges: each stands in the middle of the bar that counts it."""
_MEAN = """
SELECT avg(n)::float8 AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY n) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY n) AS "90 % at most"
FROM each
HAVING count(*) > 0
""".strip()


def _of_users() -> str:
    """They are counted before they are chosen (OFFSET keeps it so): the filters' patterns are held against few rows then."""
    return f"""
WITH each AS (
  SELECT sum(c.n)::float8 AS n FROM (
    SELECT t.user_key, t.agent_id, t.environment, count(*) AS n FROM analytics.conversations t
    WHERE $__timeFilter(t.created_at) GROUP BY t.user_key, t.agent_id, t.environment OFFSET 0
  ) c
  WHERE {chosen_all(environment="c.environment")} AND {chosen_agents("c.agent_id")}
  GROUP BY c.user_key
)
""".strip()


def _of_conversations() -> str:
    """Messages are added up by themselves first: a conversation's are none before it began."""
    return f"""
WITH each AS (
  SELECT m.n FROM analytics.conversations c JOIN (
    SELECT t.conversation_id, count(*)::float8 AS n FROM analytics.messages t
    WHERE t.created_at >= $__timeFrom()::timestamptz GROUP BY t.conversation_id OFFSET 0
  ) m ON m.conversation_id = c.id
  WHERE $__timeFilter(c.created_at) AND {chosen_all(environment="c.environment")} AND {chosen_agents("c.agent_id")}
)
""".strip()


def conversations() -> Panel:
    return Histogram(
        name="conversations_per_user",
        title="How many conversations does a user have?",
        description=(
            "Users by their number of conversations that began in the range. A bar holds the numbers between its edges; the "
            "last one also those beyond. A tall first bar of people who tried once and a long tail are usual; a bump far right "
            "is a robot."
        ),
        targets=(SqlQuery(sql=f"{_of_users()}\n{_DISTRIBUTION.format(what='users')}"),),
        width=17,
        unit="locale",
        no_value="no conversation in range",
        overrides=(named("users", color=fixed(colours.NEUTRAL)),),
    )


def conversations_each() -> Panel:
    return _mean(
        "conversations_mean",
        "Conversations per user",
        "Conversations that began in the range, of users with at least one: the mean, the median, and what nine in ten do not "
        "exceed. A mean far above the median: a few do most.",
        _of_users(),
        None,
    )


def messages() -> Panel:
    return Histogram(
        name="messages_per_conversation",
        title="How many messages has a conversation?",
        description=(
            "Conversations that began within seven days, by their number of messages, the user's and the agent's. Two is a "
            "question and its answer. Longer than usual: agents ask back, or people ask again because the answer did not help."
        ),
        targets=(SqlQuery(sql=f"{_of_conversations()}\n{_DISTRIBUTION.format(what='conversations')}"),),
        width=17,
        unit="locale",  # and no decimals: edges are drawn at halves too, which would be rounded
        no_value="no conversation in a week",
        always_last=LATELY,
        overrides=(named("conversations", color=fixed(colours.NEUTRAL)),),
    )


def messages_each() -> Panel:
    return _mean(
        "messages_mean",
        "Messages of each",
        "Messages of conversations that began within seven days: the mean, the median, and what nine in ten do not exceed. "
        "Rising while the success rate falls: people fight for their answer.",
        _of_conversations(),
        LATELY,
    )


def _mean(name: str, title: str, description: str, each: str, always_last: str | None) -> Panel:
    return Stat(
        name=name,
        title=title,
        description=description,
        targets=(SqlQuery(sql=f"{each}\n{_MEAN}"),),
        unit="none",
        decimals=1,
        no_value="no conversation in range",
        shown="value_and_name",
        direction="horizontal",
        value_size=28,
        always_last=always_last,
    )


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAYS = ",\n       ".join(
    f'avg(n) FILTER (WHERE weekday = {number})::float8 AS "{day}"' for number, day in enumerate(DAYS, start=1)
)


def _of_hours() -> str:
    return f"""
WITH counted AS (
  SELECT s.hour AS at, sum(s.started) AS n FROM analytics.session_hourly s
  WHERE {in_range("s.hour")} AND {chosen_all(environment="s.environment")}
  GROUP BY s.hour
), hours AS (
  SELECT extract(isodow FROM h.at AT TIME ZONE 'UTC')::int AS weekday, extract(hour FROM h.at AT TIME ZONE 'UTC')::int AS hour,
         coalesce(c.n, 0) AS n
  FROM generate_series(date_trunc('hour', $__timeFrom()::timestamptz + interval '59 minutes 59 seconds'),
                       $__timeTo()::timestamptz - interval '1 hour', interval '1 hour') h(at)
  LEFT JOIN counted c ON c.at = h.at
)
SELECT to_char(hour, 'FM00') || ':00' AS "UTC",
       {_DAYS}
FROM hours
GROUP BY hour
ORDER BY hour
LIMIT 24
""".strip()


HEAT = Override(
    "byNames",
    {"names": list(DAYS), "mode": "include"},
    (
        ("unit", "locale"),
        ("decimals", 0),
        ("color", {"mode": "continuous-blues"}),
        ("custom.cellOptions", COLOURED_CELL),
        ("custom.align", "center"),
        ("custom.minWidth", 60),
        ("custom.filterable", False),
    ),
)


def hours() -> Panel:
    return Table(
        name="hours",
        title="At which hours of which days do they come?",
        description=(
            "Sessions begun within an hour of the day, the mean of all such hours in the range, by weekday (UTC). Plan "
            "releases into the lightest cells, and look at the darkest when capacity is short."
        ),
        targets=(SqlQuery(sql=_of_hours()),),
        unit="locale",
        no_value="no full hour in range",
        overrides=(named("UTC", custom_width=80, custom_filterable=False), HEAT),
    )


ADOPTION = """
WITH active AS (
  SELECT count(*)::float8 AS n FROM (
    SELECT m.user_key FROM analytics.messages m
    WHERE $__timeFilter(m.created_at) AND m.role = 'user' AND m.user_key IS NOT NULL GROUP BY m.user_key
  ) u
), used AS (
  SELECT e.feature, e.user_key FROM analytics.feature_usage_events e
  WHERE $__timeFilter(e.at) AND e.user_key IS NOT NULL GROUP BY e.feature, e.user_key
)
SELECT u.feature AS "Feature", count(*)::float8 / nullif((SELECT n FROM active), 0) AS "Adoption"
FROM used u
GROUP BY u.feature
ORDER BY 2 DESC, 1
LIMIT 20
""".strip()


def adoption() -> Panel:
    return BarGauge(
        name="adoption",
        title="Which share of active users uses it?",
        description=(
            f"{DEFINITIONS['adoption'].formula}, both of the chosen range; the twenty most used. A feature that few use is "
            "hard to find or not needed: ask before building on it."
        ),
        targets=(SqlQuery(sql=ADOPTION),),
        width=8,
        unit="percentunit",
        decimals=0,
        minimum=0,
        maximum=1,
        no_value="no feature used in range",
        every_row=True,
    )


FIRST_USE = """
WITH firsts AS (
  SELECT e.feature, e.user_key, min(e.at) AS at FROM analytics.feature_usage_events e
  WHERE $__timeFilter(e.at) AND e.user_key IS NOT NULL GROUP BY e.feature, e.user_key
)
SELECT f.feature AS "Feature",
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM f.at - u.created_at)) AS "Half within"
FROM firsts f JOIN analytics.users u ON u.user_key = f.user_key AND f.at >= u.created_at
WHERE $__timeFilter(u.created_at)
GROUP BY f.feature
ORDER BY 2, 1
LIMIT 20
""".strip()


def first_use() -> Panel:
    return BarGauge(
        name="first_use",
        title="How soon do new users try it?",
        description=(
            "Of the users who joined in the range and have used a feature since: half of them did so within this time of "
            "joining. Late for a feature that would help at once: nobody shows it to newcomers. Short ranges know only those "
            "who were quick."
        ),
        targets=(SqlQuery(sql=FIRST_USE),),
        width=7,
        unit="s",
        decimals=1,
        minimum=0,
        no_value="no new user used a feature in range",
        every_row=True,
    )


USES = f"""
SELECT d.day AS "time", d.feature AS metric, d.uses::float8 AS value
FROM analytics.feature_daily d
WHERE {in_range("d.day")}
ORDER BY 1, 2
LIMIT 20000
""".strip()


def features() -> Panel:
    return TimeSeries(
        name="features",
        title="Uses of features per day",
        description=(
            "How often each feature was used, by day (UTC); the newest day is not full yet. One falls while the others do not: "
            "it is broken, or a release moved it."
        ),
        targets=(SqlQuery(sql=USES, format="time_series"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no feature used in range",
        calculations=("mean", "sum"),
    )
