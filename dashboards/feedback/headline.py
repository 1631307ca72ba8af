"""The figures that a person asks for first: content or not, stars, recommendation, thumbs, response, evaluation."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.model import equal
from contract.signals.users import NPS, NPS_ANSWERS, RATING
from dashboards.feedback.answers import days
from dashboards.feedback.evaluations import MEAN, judged
from dashboards.feedback.given import given
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, Word, at_least, named, words
from dashboards.lib.figures import RISE_IS_GOOD, Stat
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, SqlQuery, ask, series

DAY = "24h"
MONTH = (equal("window", "30d"),)
CONTENT, VOTED_DOWN = 0, 1
STATES = {CONTENT: Word("Content", colours.OK), VOTED_DOWN: Word("Voted down", colours.DOWN)}
STATE_COLOURS = Thresholds(colours.OK, ((VOTED_DOWN, colours.DOWN),))


def content(settings: Settings) -> Panel:
    limit, least = settings.thresholds.negative_feedback_ratio, settings.thresholds.minimum_negative_feedback
    asked = f"""
WITH agents AS (
  SELECT c.agent_id, count(*) FILTER (WHERE f.thumbs < 0) AS down, count(*) AS thumbs
  {given()} AND f.thumbs <> 0
  GROUP BY c.agent_id
)
SELECT max((d.down >= {least} AND d.down > {limit:g} * d.thumbs)::int)::float8 AS "Users"
FROM agents d
HAVING count(*) > 0
""".strip()
    return Stat(
        name="content",
        title="Are they content?",
        description=(
            f"Voted down when more than {limit:.0%} of the thumbs for some agent pointed down within a day, and at least "
            f"{least} did; the alert asks the same of an hour. Then see which agent it is in 'Thumbs down by agent', and "
            "whether it fails."
        ),
        targets=(SqlQuery(sql=asked),),
        unit="none",
        no_value="no thumb within a day",
        mappings=tuple(words(STATES)),
        limits=STATE_COLOURS,
        filled=True,
        value_size=24,
        always_last=DAY,
    )


def rating() -> Panel:
    return Stat(
        name="rating_now",
        title="Average rating, 30 d",
        description=(
            "Mean stars (1 to 5) of the last 30 days by environment, all agents; the small figure is the change over the "
            "chosen range. Falling: see which group in 'About what are they unhappy?'."
        ),
        targets=(series(RATING, ("environment",), where=MONTH, legend="{{environment}}", step="1h"),),
        unit="none",
        decimals=2,
        minimum=1,
        maximum=5,
        no_value="nobody gave stars",
        sparkline=True,
        change=RISE_IS_GOOD,
        value_size=30,
    )


def promoters() -> Panel:
    parts = {"NPS": ask(NPS, (), "", MONTH), "answers": ask(NPS_ANSWERS, (), "", MONTH)}
    return Stat(
        name="nps_now",
        title="Net promoter score, 30 d",
        description=(
            f"{DEFINITIONS['nps'].formula} of the last 30 days, all environments; from -100 to 100. Below zero more people "
            "warn of the product than recommend it. With few answers it jumps by itself: look at their number."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", instant=True),),
        unit="none",
        decimals=0,
        no_value="nobody was asked",
        limits=at_least(0),
        shown="value_and_name",
        value_size=24,
        overrides=(named("answers", unit="locale", thresholds={"mode": "absolute", "steps": []}),),
    )


def thumbs(settings: Settings) -> Panel:
    limit = 1 - settings.thresholds.negative_feedback_ratio
    asked = f"""
SELECT count(*) FILTER (WHERE f.thumbs > 0)::float8 / count(*) AS "Thumbs up"
{given()} AND f.thumbs <> 0
HAVING count(*) > 0
""".strip()
    return Stat(
        name="thumbs_now",
        title="Thumbs up",
        description=(
            f"Thumbs up / thumbs given in the range; the alert begins below {limit:.0%} for one agent within an hour. Below: "
            "see which in 'Thumbs down by agent'."
        ),
        targets=(SqlQuery(sql=asked),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value="no thumb in range",
        limits=at_least(limit),
        value_size=30,
    )


def response() -> Panel:
    asked = f"""
{days()}
SELECT sum(d.rated)::float8 / nullif(sum(d.answers), 0) AS "Response rate"
FROM days d
HAVING sum(d.answers) > 0
""".strip()
    return Stat(
        name="response_now",
        title="Response rate",
        description=(
            f"{DEFINITIONS['feedback_response'].formula}, of full days in the range and today. Few people answer; what matters "
            "is a change: a drop after a release is a button that vanished."
        ),
        targets=(SqlQuery(sql=asked),),
        unit="percentunit",
        decimals=2,
        minimum=0,
        no_value="no answer in range",
        value_size=30,
    )


def evaluation() -> Panel:
    asked = f"""
SELECT s.name AS "Score", {MEAN} AS "Mean"
{judged()}
GROUP BY s.name
ORDER BY sum(s.n) DESC, 1
LIMIT 3
""".strip()
    return Stat(
        name="evaluation_now",
        title="Evaluators' mean",
        description=(
            "Mean of the scores that evaluators and people gave in Langfuse in the range, the three most frequent; a yes or no "
            "counts as 1 or 0. Content users with falling scores are told what they like to hear: read some of these answers."
        ),
        targets=(SqlQuery(sql=asked),),
        unit="none",
        decimals=3,
        no_value="nothing was scored in range",
        shown="value_and_name",
        every_row=True,
        value_size=22,
    )
