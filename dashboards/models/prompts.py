"""Prompt versions on the models that ran them: did a new version become better, slower, dearer?"""

from __future__ import annotations

from dashboards.lib.field import named
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import UNPRICED, quality, quantiles
from dashboards.lib.tables import NARROW, Table, columns
from dashboards.models.headline import where


def versions() -> Panel:
    scored = quality(
        "prompt_name, prompt_version::text, model", chosen_all(environment="environment", agent="agent", model="model")
    )
    keys = "prompt_name, prompt_version, model"
    sql = f"""
WITH used AS (
  SELECT {keys}, sum(calls)::float8 AS calls, sum(failed)::float8 / sum(calls) AS errors,
         1000 * sum(cost_usd) / sum(calls) AS cost,
         sum(input_tokens)::float8 / sum(calls) AS input, sum(output_tokens)::float8 / sum(calls) AS output
  FROM analytics.prompt_performance_trends WHERE {where()} GROUP BY {keys}
), slow AS (
  {quantiles("prompt_performance_trends", keys, (95,), where())}
), judged AS (
  {scored}
)
SELECT {keys}, calls, quality, scores, errors, p95, input, output, cost
FROM used LEFT JOIN slow USING ({keys}) LEFT JOIN judged USING ({keys})
ORDER BY prompt_name, length(prompt_version) DESC, prompt_version DESC, calls DESC, model
LIMIT 200
""".strip()
    headings = {
        "prompt_name": "Prompt", "prompt_version": "Version", "model": "Model", "calls": "Calls", "quality": "Quality",
        "scores": "Scores", "errors": "Failed", "p95": "p95", "input": "Input", "output": "Output", "cost": "1000 calls",
    }  # fmt: skip
    return Table(
        name="prompt_versions",
        title="Prompt versions, the newest of each first",
        description=(
            "Calls with each version of each prompt in the range, by model: mean score, failures, the time of 95 %, tokens "
            "of a call, and the cost of a thousand. A new version that is dearer and not better: cut it, or go back to the "
            "one before."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value="no prompt has a name in range",
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            named("Prompt", custom_width=145),
            named("Version", custom_width=72),
            named("Model", custom_width=145),
            named("1000 calls", custom_width=90),
            *(named(column, unit="locale", decimals=0) for column in ("Calls", "Scores", "Input", "Output")),
            named("Quality", unit="percentunit", decimals=1),
            named("Failed", unit="percentunit", decimals=2),
            named("p95", unit="s"),
            named("1000 calls", unit="currencyUSD", decimals=2, mappings=UNPRICED),
        ),
    )
