"""Scores from Langfuse: by model, over time, and by who gave them."""

from __future__ import annotations

from dashboards.lib.field import Word, named, words
from dashboards.lib.figures import BarGauge
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import FIRST_DAY, JUDGED, TO, quality
from dashboards.lib.tables import NARROW, Table, columns

NO_SCORES = "no scores in range"


def _filters() -> str:
    return chosen_all(environment="environment", agent="agent", model="model")


def by_model() -> Panel:
    sql = f"""
SELECT model, quality AS "mean score" FROM ({quality("model", _filters())}) judged
ORDER BY quality DESC, model
LIMIT 20
""".strip()
    return BarGauge(
        name="quality_by_model",
        title="Mean score by model",
        description=(
            "Mean of the scores from 0 to 1 of the traces that each model answered (of its last call, where a trace has "
            "several models). Differences of a few hundredths mean nothing with fewer than some hundred scores."
        ),
        targets=(SqlQuery(sql=sql),),
        every_row=True,
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value=NO_SCORES,
    )


def over_time() -> Panel:
    sql = f"""
SELECT date_trunc('day', at, 'UTC') AS "time", name AS metric, avg(value) AS value
FROM analytics.llm_scores
WHERE {JUDGED} AND {_filters()}
  AND name IN (SELECT name FROM analytics.llm_scores WHERE {JUDGED} GROUP BY name ORDER BY count(*) DESC, name LIMIT 8)
GROUP BY 1, 2
ORDER BY 1, 2
""".strip()
    return TimeSeries(
        name="quality_over_time",
        title="Mean score by day and evaluator",
        description=(
            "Mean of each kind of score by the day (UTC) on which it was given: the eight most frequent. All fall on one "
            "day: a release or a model's new version; one falls: its evaluator changed, or what it looks at."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="percentunit",
        maximum=1,
        no_value=NO_SCORES,
        soft_minimum=0.5,
        calculations=("lastNotNull", "mean", "min"),
    )


_GIVERS = {"EVAL": Word("evaluator"), "ANNOTATION": Word("person"), "API": Word("program")}
"""What Langfuse calls who gives a score."""


def evaluators() -> Panel:
    sql = f"""
SELECT name, source, lower(data_type) AS kind, count(*)::float8 AS scores, avg(value) AS mean, min(value) AS least,
       max(value) AS greatest, max(at) AS newest
FROM analytics.llm_scores
WHERE at BETWEEN {FIRST_DAY} AND {TO} AND {_filters()}
GROUP BY name, source, data_type
ORDER BY scores DESC, name, source
LIMIT 100
""".strip()
    headings = {
        "name": "Score", "source": "Given by", "kind": "Kind", "scores": "Scores", "mean": "Mean", "least": "Least",
        "greatest": "Greatest", "newest": "Newest",
    }  # fmt: skip
    return Table(
        name="evaluators",
        title="Scores, and who gives them",
        description=(
            "All kinds of scores in the range, those that are no numbers too. A newest one of days ago: the evaluator stands "
            "still, and quality is not watched."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value=NO_SCORES,
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Score", custom_width=150),
            named("Given by", mappings=words(_GIVERS)),
            named("Scores", unit="locale", decimals=0),
            *(named(column, unit="none", decimals=3) for column in ("Mean", "Least", "Greatest")),
            named("Newest", unit="dateTimeFromNow"),
        ),
    )
