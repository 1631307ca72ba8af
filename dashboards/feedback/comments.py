"""What people write: terms, sentiment, and the newest comments. All of it is empty unless `database.content` is on."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from dashboards.feedback.given import by_day, given
from dashboards.feedback.worst import AGENT, trace_link
from dashboards.lib import colours
from dashboards.lib.field import Word, named, painted, words
from dashboards.lib.figures import BarGauge
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import COLOURED_TEXT, Table, ago, shortened

HIDDEN = "no comment in range, or database.content is off"
SENTIMENTS = {"positive": colours.GREEN, "neutral": colours.GREY, "negative": colours.RED}
SENTIMENT = (
    "CASE WHEN f.rating >= 4 OR (f.rating IS NULL AND f.thumbs > 0) THEN 'positive'"
    " WHEN f.rating <= 2 OR (f.rating IS NULL AND f.thumbs < 0) THEN 'negative' ELSE 'neutral' END"
)
COMMON = (
    "about after again all also and any are because been but can could did does for from get had has have her him his how "
    "into its just like more not now off one only our out over own she should some than that the their them then there these "
    "they this too was were what when where which who will with would you your"
)
"""Words that say nothing about an answer."""

NEWEST = 5_000
"""Comments that are looked at for terms."""


def terms() -> Panel:
    asked = f"""
WITH said AS (
  SELECT f.id, f.rating, lower(f.comment) AS text
  {given()} AND f.comment IS NOT NULL
  ORDER BY f.created_at DESC LIMIT {NEWEST}
), terms AS (
  SELECT DISTINCT s.id, s.rating, t.term
  FROM said s CROSS JOIN LATERAL regexp_split_to_table(s.text, '[^[:alnum:]''-]+') t(term)
  WHERE length(t.term) BETWEEN 3 AND 24 AND t.term <> ALL (string_to_array('{COMMON}', ' '))
), often AS (
  SELECT t.term, count(*) AS comments, round(avg(t.rating), 1) AS stars
  FROM terms t GROUP BY t.term ORDER BY 2 DESC, t.term LIMIT 15
)
SELECT o.term || coalesce(' (' || o.stars || ' ★)', '') AS term, o.comments::float8 AS comments,
       CASE WHEN o.stars >= 4 THEN '{colours.GREEN}' WHEN o.stars <= 2 THEN '{colours.RED}'
            WHEN o.stars IS NULL THEN '{colours.GREY}' ELSE '{colours.AMBER}' END AS colour
FROM often o
ORDER BY o.comments DESC, o.term
""".strip()
    mapped = {"term": "field.name", "comments": "field.value", "colour": "color"}
    return BarGauge(
        name="comment_terms",
        title="Which words do they use?",
        description=(
            "Words of the newest comments by how many comments have them, with the mean stars of these comments: green from "
            "four, red up to two. Common words are left out. A red word that is new names what broke."
        ),
        targets=(SqlQuery(sql=asked),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=HIDDEN,
        transformations=(
            {
                "id": "rowsToFields",
                "options": {"mappings": [{"fieldName": name, "handlerKey": key} for name, key in mapped.items()]},
            },
        ),
    )


def sentiment() -> Panel:
    asked = f"""
SELECT {by_day()} AS "time", {SENTIMENT} AS metric, count(*)::float8 AS value
{given()} AND f.comment IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT 4000
""".strip()
    return TimeSeries(
        name="comment_sentiment",
        title="Are the comments kind?",
        description=(
            f"Comments by day (UTC) and sentiment: {DEFINITIONS['sentiment'].formula}. The first and the newest day are not "
            "full. More negative ones than usual: read the newest comments, what they share is the cause."
        ),
        targets=(SqlQuery(sql=asked, format="time_series"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=HIDDEN,
        style="bars",
        stacked=True,
        calculations=("sum",),
        overrides=painted(SENTIMENTS),
    )


def newest(settings: Settings) -> Panel:
    asked = f"""
SELECT f.created_at AS "Written", a.name AS "Agent", f.category AS "About", f.rating::float8 AS "Stars",
       {SENTIMENT} AS "Sentiment", f.comment AS "Comment", f.trace_id AS "Trace"
{given(AGENT)} AND f.comment IS NOT NULL
ORDER BY f.created_at DESC
LIMIT 100
""".strip()
    kinds = {name: Word(name, colour) for name, colour in SENTIMENTS.items()}
    return Table(
        name="comments",
        title="Newest comments",
        description=(
            "The hundred newest comments of the range, cut to the configured length, and the trace of the answer that they are "
            "about. People may have written names: whoever sees this tab sees them."
        ),
        targets=(SqlQuery(sql=asked),),
        no_value=HIDDEN,
        overrides=(
            ago("Written"),
            named("Agent", custom_width=110),
            named("About", custom_width=110),
            named("Stars", unit="none", decimals=0, custom_width=70),
            named("Sentiment", custom_width=100, custom_cellOptions=COLOURED_TEXT, mappings=words(kinds)),
            named("Comment", custom_minWidth=200),
            shortened("Trace", links=[trace_link(settings).to_json_data()], custom_width=100),
        ),
        paged=True,
    )
