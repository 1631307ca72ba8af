"""How many answers of agents get any feedback, and whose are voted down."""

from __future__ import annotations

from alert_rules.feedback import NEGATIVE
from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.users import FEEDBACK_NEGATIVE_RATIO
from dashboards.feedback.given import CONVERSATIONS, by_day
from dashboards.lib import colours
from dashboards.lib.field import lines, narrowing_link, painted
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.judged import at_least
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask, in_range, leading

MOST = 8
"""Agents that are drawn."""


def days() -> str:
    """A table expression `days`: answers of agents by day, and how many of them somebody judged on that day."""
    return f"""
WITH given AS (
  SELECT {by_day()} AS day, count(DISTINCT f.message_id) AS rated
  {CONVERSATIONS}
  WHERE $__timeFilter(f.created_at) AND {chosen_all(environment="c.environment")}
  GROUP BY 1
), days AS (
  SELECT u.day, sum(u.answers) AS answers, max(coalesce(g.rated, 0)) AS rated
  FROM analytics.usage_analytics_daily u LEFT JOIN given g ON g.day = u.day
  WHERE {in_range("u.day")} AND {chosen_all(environment="u.environment")}
  GROUP BY u.day
)
""".strip()


def rate() -> Panel:
    asked = f"""
{days()}
SELECT d.day AS "time", d.rated::float8 / nullif(d.answers, 0) AS "Response rate"
FROM days d
ORDER BY 1
LIMIT 1200
""".strip()
    return TimeSeries(
        name="response_rate",
        title="Which share of answers gets feedback?",
        description=(
            f"{DEFINITIONS['feedback_response'].formula}, by day (UTC); feedback counts on the day it was given. The newest "
            "day is not full. A step down is the form, not the answers; a step up is often anger: see the stars."
        ),
        targets=(SqlQuery(sql=asked, format="time_series"),),
        unit="percentunit",
        minimum=0,
        no_value="no answer in range",
        calculations=("lastNotNull", "mean", "min"),
        overrides=painted({"Response rate": colours.NEUTRAL}),
    )


def negative(settings: Settings) -> Panel:
    limit = settings.thresholds.negative_feedback_ratio
    by = ("environment", "agent")
    worst = leading(ask(FEEDBACK_NEGATIVE_RATIO, by, "1h"), by, MOST)
    return TimeSeries(
        name="negative",
        title=f"Thumbs down by agent (alert above {limit:.0%})",
        description=(
            f"Thumbs down / thumbs given, over one hour, as the alert asks where there were {at_least(NEGATIVE, settings)}. A "
            "single thumb in a quiet hour is 100 %, and is no alert. Above for long: see whether this agent fails, is slow, or "
            "has a new version."
        ),
        targets=(PromQuery(expr=worst, legend="{{agent}} · {{environment}}", step="1h"),),
        unit="percentunit",
        minimum=0,
        maximum=1,
        no_value="no thumb in range",
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        style="points",
        data_links=(narrowing_link("Only this agent", "feedback", "agent", "${__field.labels.agent}", ("environment",)),),
    )
