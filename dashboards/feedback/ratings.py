"""Stars and recommendations: how they are spread, and how they move."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from dashboards.feedback.given import NPS, by_day, given
from dashboards.lib import colours
from dashboards.lib.field import fixed, lines, named, painted
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart

DAYS_APART = 4 * 86400 * 1000
WEEKS_APART = 15 * 86400 * 1000
"""Milliseconds that may lie between two points that are joined."""

NOBODY, NOT_ASKED = "nobody gave stars in range", "nobody was asked in range"
_WEEK = "date_trunc('week', f.created_at AT TIME ZONE 'UTC')"


def distribution() -> Panel:
    asked = f"""
WITH counted AS (
  SELECT f.rating, count(*) AS n
  {given()} AND f.rating BETWEEN 1 AND 5
  GROUP BY f.rating
)
SELECT r.stars || ' ★' AS "Stars", coalesce(c.n, 0)::float8 AS "Answers"
FROM generate_series(1, 5) r(stars) LEFT JOIN counted c ON c.rating = r.stars
WHERE (SELECT count(*) FROM counted) > 0
ORDER BY r.stars
LIMIT 5
""".strip()
    return BarChart(
        name="distribution",
        title="How are the stars spread?",
        description=(
            "Answers by stars, 1 to 5. Most at both ends is usual: content and angry people answer, the others do not. Growing "
            "ones and twos: see 'Lowest rated conversations'."
        ),
        targets=(SqlQuery(sql=asked),),
        width=9,
        unit="locale",
        decimals=0,
        no_value=NOBODY,
        x="Stars",
        direction="vertical",
        values_shown="always",
        with_legend=False,
        overrides=(named("Answers", color=fixed(colours.NEUTRAL)),),
    )


def average() -> Panel:
    asked = f"""
SELECT {by_day()} AS "time", avg(f.rating)::float8 AS "average", count(*)::float8 AS "answers"
{given()} AND f.rating BETWEEN 1 AND 5
GROUP BY 1
ORDER BY 1
LIMIT 1200
""".strip()
    return TimeSeries(
        name="average",
        title="Average rating per day, and how many gave one",
        description=(
            "Mean stars by day (UTC) and the number of answers it stands on; the first and the newest day are not full. One "
            "low day of few answers is chance; several in a row after a deployment are not."
        ),
        targets=(SqlQuery(sql=asked, format="time_series"),),
        unit="none",
        no_value=NOBODY,
        soft_minimum=1,
        soft_maximum=5,
        bridged=DAYS_APART,
        calculations=("lastNotNull", "mean", "min"),
        overrides=(
            named("average", color=fixed(colours.BLUE), min=1, max=5, custom_axisLabel="stars"),
            named(
                "answers",
                unit="locale",
                decimals=0,
                color=fixed(colours.SKY),
                min=0,
                custom_drawStyle="bars",
                custom_fillOpacity=30,
                custom_lineWidth=0,
                custom_axisPlacement="right",
                custom_axisLabel="answers",
            ),
        ),
    )


def promoters() -> Panel:
    asked = f"""
SELECT {_WEEK} AT TIME ZONE 'UTC' AS "time", ({NPS})::float8 AS "NPS"
{given()} AND f.nps BETWEEN 0 AND 10
GROUP BY 1
ORDER BY 1
LIMIT 200
""".strip()
    return TimeSeries(
        name="nps",
        title="Would they recommend it? NPS per week",
        description=(
            f"{DEFINITIONS['nps'].formula}, by week (from Monday, UTC); the first and the newest week are not full. The alert "
            "compares seven days with the seven before, from enough answers. Falling: read the comments of detractors."
        ),
        targets=(SqlQuery(sql=asked, format="time_series"),),
        unit="none",
        decimals=0,
        no_value=NOT_ASKED,
        soft_maximum=100,
        limits=lines((0, colours.GREY)),
        drawn="dashed",
        bridged=WEEKS_APART,
        calculations=("lastNotNull", "mean", "min"),
        overrides=(named("NPS", color=fixed(colours.NEUTRAL), custom_showPoints="always", custom_pointSize=7),),
    )


def groups() -> Panel:
    asked = f"""
SELECT to_char({_WEEK}, 'DD Mon') AS "Week", count(*) FILTER (WHERE f.nps <= 6)::float8 AS detractors,
       count(*) FILTER (WHERE f.nps IN (7, 8))::float8 AS passives, count(*) FILTER (WHERE f.nps >= 9)::float8 AS promoters
{given()} AND f.nps BETWEEN 0 AND 10
GROUP BY {_WEEK}
ORDER BY {_WEEK}
LIMIT 200
""".strip()
    return BarChart(
        name="nps_groups",
        title="Promoters, passives, detractors",
        description=(
            "Answers to 'would you recommend it?' by week (from Monday, UTC): 9 and 10 are promoters, 0 to 6 detractors. Few "
            "answers in a week make its score jump."
        ),
        targets=(SqlQuery(sql=asked),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NOT_ASKED,
        x="Week",
        direction="vertical",
        stacking="normal",
        values_shown="never",
        overrides=painted({"detractors": colours.AMBER, "passives": colours.GREY, "promoters": colours.BLUE}),
    )
