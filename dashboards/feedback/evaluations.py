"""Scores in Langfuse: what evaluators, and people who review, think of the answers."""

from __future__ import annotations

from dashboards.feedback.given import NARROW, by_day
from dashboards.lib.field import named
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import PALETTE_IN_ORDER, Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart
from dashboards.lib.tables import Table, ago

NOTHING = "nothing was scored in range"
FEW = 6
"""Evaluators whose scores are drawn; the table has all."""


MEAN = "(sum(s.total) / sum(s.n))::float8"


def judged() -> str:
    """FROM and WHERE: the chosen scores that are numbers, summed by day, name and what was judged; a yes or no is 1 or 0.

    They are summed before they are chosen (OFFSET keeps it so): the filters' patterns are held against few rows then.
    """
    return f"""
FROM (
  SELECT {by_day("t.at")} AS day, t.name, t.environment, t.agent, t.model, count(*) AS n, sum(t.value) AS total,
         sum(t.value * t.value) AS squares, min(t.value) AS least, max(t.at) AS newest
  FROM analytics.llm_scores t WHERE $__timeFilter(t.at) AND t.value IS NOT NULL
  GROUP BY 1, 2, 3, 4, 5 OFFSET 0
) s
WHERE {chosen_all(environment="s.environment", agent="s.agent", model="s.model")}""".strip()


def trend() -> Panel:
    asked = f"""
SELECT s.day AS "time", s.name AS metric, {MEAN} AS value
{judged()}
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT 20000
""".strip()
    return TimeSeries(
        name="evaluation_trend",
        title="Mean score per day, by evaluator",
        description=(
            "Mean of each score by day (UTC); a yes or no counts as 1 or 0. Scores have scales of their own: compare a line "
            "with itself. A bend at a deployment or a new prompt version is its doing; a bend of one evaluator alone may be "
            "the evaluator's new version."
        ),
        targets=(SqlQuery(sql=asked, format="time_series"),),
        unit="none",
        no_value=NOTHING,
        soft_minimum=0.5,
        soft_maximum=1,
        calculations=("lastNotNull", "mean", "min"),
    )


def by_model() -> Panel:
    asked = f"""
WITH scored AS (
  SELECT coalesce(s.model, 'unknown') AS model, s.name, sum(s.n) AS n, {MEAN} AS mean
  {judged()}
  GROUP BY 1, 2
), often AS (
  SELECT c.name FROM scored c GROUP BY c.name ORDER BY sum(c.n) DESC, 1 LIMIT {FEW}
)
SELECT c.model AS "Model", c.name AS metric, c.mean AS value
FROM scored c JOIN often o ON o.name = c.name
ORDER BY 1, 2
LIMIT 240
""".strip()
    return BarChart(
        name="evaluation_by_model",
        title="Which model scores best?",
        description=(
            "Mean of the six most frequent scores by the model whose call was judged, or that answered last in the trace. Only "
            "models that serve the same agents can be compared: a model for hard questions scores lower with the same skill."
        ),
        targets=(SqlQuery(sql=asked),),
        unit="none",
        decimals=2,
        minimum=0,
        no_value=NOTHING,
        direction="horizontal",
        values_shown="always",
        with_scale=False,
        colour=PALETTE_IN_ORDER,
        transformations=(
            {"id": "groupingToMatrix", "options": {"columnField": "metric", "rowField": "Model", "valueField": "value"}},
            {"id": "organize", "options": {"excludeByName": {}, "indexByName": {}, "renameByName": {r"Model\metric": "Model"}}},
        ),
    )


def table() -> Panel:
    asked = f"""
SELECT s.name AS "Score", coalesce(s.model, 'unknown') AS "Model", sum(s.n)::float8 AS "Scores", {MEAN} AS "Mean",
       min(s.least)::float8 AS "Lowest",
       sqrt(greatest(0, sum(s.squares) - sum(s.total) ^ 2 / sum(s.n)) / nullif(sum(s.n) - 1, 0))::float8 AS "Spread",
       max(s.newest) AS "Newest"
{judged()}
GROUP BY 1, 2
ORDER BY 1, 4 DESC, 2
LIMIT 200
""".strip()
    return Table(
        name="evaluations",
        title="Scores by model",
        description=(
            "Every score that is a number by model: how many, their mean, the lowest and the standard deviation. A difference "
            "of means that is small against spread / √scores is chance."
        ),
        targets=(SqlQuery(sql=asked),),
        no_value=NOTHING,
        overrides=(
            NARROW,
            named("Scores", unit="locale", decimals=0),
            *(named(column, unit="none", decimals=3) for column in ("Mean", "Lowest", "Spread")),
            ago("Newest"),
        ),
        paged=True,
    )
