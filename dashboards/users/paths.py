"""Which way users take through the features: where they begin, what comes after what, and where they leave."""

from __future__ import annotations

from dashboards.lib.field import named
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import BAR_CELL, Table, columns

BEGIN, END = "(begin)", "(nothing more)"
LATELY = "8d"
"""Uses are many: their ways are those of a week, and the day after it."""
_FROM, _TO = "$__timeFrom()::timestamptz", "$__timeTo()::timestamptz"
_STEPS = f"""
WITH used AS (
  SELECT e.feature, e.at, lag(e.at) OVER user_by_time AS before,
         lead(e.feature) OVER user_by_time AS next, lead(e.at) OVER user_by_time AS next_at
  FROM analytics.feature_usage_events e
  WHERE e.at >= {_FROM} - interval '1 day' AND e.at <= {_TO} AND e.user_key IS NOT NULL
  WINDOW user_by_time AS (PARTITION BY e.user_key COLLATE "C" ORDER BY e.at, e.id)
), uses AS (
  SELECT u.feature, coalesce(u.at - u.before > interval '1 day', true) AS begins,
         CASE WHEN u.next_at - u.at <= interval '1 day' THEN u.next END AS next,
         CASE WHEN u.next_at - u.at <= interval '1 day' THEN extract(epoch FROM u.next_at - u.at) END AS wait
  FROM used u WHERE u.at BETWEEN {_FROM} AND {_TO} - interval '1 day'
), steps AS (
  SELECT u.feature, coalesce(u.next, '{END}') AS next, u.wait FROM uses u
  UNION ALL SELECT '{BEGIN}', u.feature, NULL FROM uses u WHERE u.begins
)
SELECT s.feature AS after, s.next, count(*)::float8 AS times,
       count(*) / sum(count(*)) OVER (PARTITION BY s.feature)::float8 AS share,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY s.wait) AS wait
FROM steps s
GROUP BY s.feature, s.next
ORDER BY 3 DESC, 1, 2
LIMIT 200
""".strip()


def steps() -> Panel:
    headings = {"after": "After", "next": "Next", "times": "Times", "share": "Share", "wait": "Half within"}
    return Table(
        name="paths",
        title="What do they use next?",
        description=(
            "Each use of a feature in a week and the same user's next one within a day, of users together: how often, the "
            f"share of all ways on from there, and the time in which half went on. {BEGIN}: no use in the day before; {END}: "
            "none in the day after. Uses of the last day are left out, for the day after them is not over. Many leave after "
            "one: it did all they wanted, or did not work; look at its errors. Two that always follow each other belong "
            "together."
        ),
        targets=(SqlQuery(sql=_STEPS),),
        always_last=LATELY,
        no_value="no feature used in the week before yesterday",
        transformations=columns(headings),
        paged=True,
        overrides=(
            named("Times", unit="locale", decimals=0, custom_width=90),
            named("Share", unit="percentunit", decimals=1, min=0, max=1, custom_minWidth=140, custom_cellOptions=BAR_CELL),
            named("Half within", unit="s", decimals=1, custom_width=110),
        ),
    )
