"""SQL about which model would do for a task. A task is a prompt: calls with one prompt are alike enough to be compared.

The rule stands in `contract.grades`: another model that was tried enough on the same task, is judged about as good, answers
about as fast and is cheaper.
"""

from __future__ import annotations

from contract.grades import LATENCY_SLACK, LEAST_CALLS, LEAST_SCORES, QUALITY_SLACK
from contract.settings import Settings
from dashboards.lib.filters import chosen
from dashboards.lib.spending import DAYS, quality, quantiles

ENOUGH = "30d"
"""Advice looks back so far, whatever range is chosen: a week holds few trials of another model."""
RULE = (
    f"Another model would do where it had at least {LEAST_CALLS} calls and {LEAST_SCORES} scores on the same prompt in the "
    f"last 30 days, its mean score is at most {QUALITY_SLACK:g} below that of the model in use (the one with most calls), "
    f"its 95th percentile at most {LATENCY_SLACK:g} times as long and within the alert's limit, and a call costs less."
)


def tasks(settings: Settings) -> str:
    """CTEs up to `choice`: one row a task with the model in use and the cheapest other one that would do (NULL without).

    Columns: task, model, calls, cost, p95, quality, scores; other_model, other_calls, other_cost, other_p95, other_quality,
    other_scores; `saving` in USD of the range; `tried`, the number of other models with enough calls (the one
    in use has most calls: it is one of those with enough, or there are none). Costs are USD of a call.
    """
    environment = chosen("environment", "environment")
    where = f"{DAYS} AND {environment}"
    limit = settings.thresholds.model_seconds
    return f"""
used AS (
  SELECT prompt_name AS task, model, sum(calls)::float8 AS calls, sum(cost_usd) / sum(calls) AS cost
  FROM analytics.prompt_performance_trends WHERE {where} GROUP BY prompt_name, model
), speed AS (
  {quantiles("prompt_performance_trends", "prompt_name, model", (95,), where)}
), judged AS (
  {quality("prompt_name, model", environment)}
), known AS (
  SELECT u.*, s.p95, j.quality, coalesce(j.scores, 0) AS scores,
         row_number() OVER (PARTITION BY u.task ORDER BY u.calls DESC, u.model) AS place,
         count(*) FILTER (WHERE u.calls >= {LEAST_CALLS}) OVER (PARTITION BY u.task) AS tried
  FROM used u LEFT JOIN speed s ON s.prompt_name = u.task AND s.model = u.model
  LEFT JOIN judged j ON j.prompt_name = u.task AND j.model = u.model
), choice AS (
  SELECT DISTINCT ON (n.task) n.task, n.model, n.calls, n.cost, n.p95, n.quality, n.scores,
         o.model AS other_model, o.calls AS other_calls, o.cost AS other_cost, o.p95 AS other_p95, o.quality AS other_quality,
         o.scores AS other_scores, (n.cost - o.cost) * n.calls AS saving,
         greatest(n.tried - 1, 0) AS tried
  FROM known n LEFT JOIN known o ON o.task = n.task AND o.model <> n.model AND o.calls >= {LEAST_CALLS}
       AND least(o.scores, n.scores) >= {LEAST_SCORES} AND o.quality >= n.quality - {QUALITY_SLACK:g}
       AND o.p95 <= least({limit:g}, {LATENCY_SLACK:g} * n.p95) AND o.cost < n.cost AND o.cost > 0
  WHERE n.place = 1
  ORDER BY n.task, o.cost NULLS LAST, o.model
)""".strip()
