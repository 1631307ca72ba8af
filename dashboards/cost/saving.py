"""What need not have been paid: a ranked list with amounts, and the figures behind it."""

from __future__ import annotations

from contract.grades import LEAST_CALLS
from contract.signals.cost import CACHE_SAVINGS
from contract.signals.model import equal
from dashboards.lib.field import named
from dashboards.lib.figures import BarGauge, Stat
from dashboards.lib.filters import chosen_all
from dashboards.lib.model_choice import ENOUGH
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, SqlQuery, ask
from dashboards.lib.spending import DAYS, PER_MONTH, PRICES
from dashboards.lib.tables import Table, columns

NO_CALLS = "no model calls in range"
LEAST_USD = 0.01
"""Less than a cent a month is not worth a line."""


def avoidable() -> Panel:
    usage = f"{DAYS} AND {chosen_all(environment='environment', model='model')}"
    sql = f"""
WITH daily AS (
  SELECT day, model, sum(calls) AS calls, sum(input_tokens) AS input, sum(cache_read_tokens) AS cached,
         sum(failed) AS failed, sum(failed_cost_usd) AS failed_cost
  FROM analytics.model_usage_statistics WHERE {usage} GROUP BY day, model
), models AS (
  SELECT model, sum(calls) AS calls, sum(input) AS input, sum(cached) AS cached, sum(failed) AS failed,
         sum(failed_cost) AS failed_cost, max(cached / nullif(input, 0)) FILTER (WHERE calls >= {LEAST_CALLS}) AS best
  FROM daily GROUP BY model
), prices AS (
  {PRICES}
), versions AS (
  SELECT prompt_name, model, prompt_version, sum(calls) AS calls, sum(cost_usd) / sum(calls) AS cost,
         row_number() OVER (PARTITION BY prompt_name, model
                            ORDER BY length(prompt_version) DESC, prompt_version DESC) AS age
  FROM analytics.prompt_performance_trends WHERE {usage}
  GROUP BY prompt_name, model, prompt_version HAVING sum(calls) >= {LEAST_CALLS}
), found AS (
  SELECT 'failed calls' AS kind, model AS about, failed_cost AS usd, failed || ' calls failed and were paid for' AS why
  FROM models WHERE failed > 0
  UNION ALL
  SELECT 'prompt cache', m.model, (m.best * m.input - m.cached) * (p.input - p.cached) / 1000000,
         to_char(100.0 * m.cached / m.input, 'FM990.0') || ' % of the input came from the cache; '
         || to_char(100.0 * m.best, 'FM990.0') || ' % on its best day'
  FROM models m JOIN prices p USING (model) WHERE m.input > 0
  UNION ALL
  SELECT 'longer prompt', n.prompt_name || ' ' || n.prompt_version, (n.cost - min(o.cost)) * n.calls,
         'a call costs ' || to_char(n.cost / nullif(min(o.cost), 0), 'FM990.00') || ' times that of an earlier version'
  FROM versions n JOIN versions o ON o.prompt_name = n.prompt_name AND o.model = n.model AND o.age > 1
  WHERE n.age = 1 GROUP BY n.prompt_name, n.prompt_version, n.model, n.cost, n.calls
)
SELECT kind, about, usd::float8 * {PER_MONTH} AS monthly, why FROM found
WHERE usd::float8 * {PER_MONTH} >= {LEAST_USD}
ORDER BY monthly DESC, kind, about
LIMIT 50
""".strip()
    return Table(
        name="avoidable",
        title="Paid in 30 days beyond what it has cost before",
        description=(
            "Amounts of the last 30 days, whatever range is chosen; the greatest first. Failed calls: what they cost. Prompt "
            "cache: against the cache share of the model's best day. Longer prompt: the newest version of a prompt against "
            "the cheapest earlier one, on the same model. They overlap, so do not add them up. These are sums, not advice: "
            "whether a change would bring that much is tested in the list above; the tab Models shows the calls behind them."
        ),
        targets=(SqlQuery(sql=sql),),
        always_last=ENOUGH,
        no_value="nothing worth a cent",
        transformations=columns({"monthly": "In 30 days", "kind": "For", "about": "Where", "why": "Because"}),
        paged=True,
        overrides=(
            named("In 30 days", unit="currencyUSD", decimals=2, custom_width=120),
            named("For", custom_width=120),
            named("Where", custom_width=220),
            named("Because", custom_wrapText=True),
        ),
    )


def cached_share() -> Panel:
    sql = f"""
SELECT model, sum(cache_read_tokens)::float8 / sum(input_tokens) AS share FROM analytics.model_usage_statistics
WHERE {DAYS} AND {chosen_all(environment="environment", model="model")}
GROUP BY model
HAVING sum(output_tokens) > 0 AND sum(input_tokens) > 0
ORDER BY share DESC, model
LIMIT 12
""".strip()
    return BarGauge(
        name="cached_share",
        title="Input that came from prompt caches",
        description=(
            "Input tokens read from a cache / input tokens, of models that write. Nothing: the provider has no cache, or "
            "prompts begin with something that changes each time, such as the date."
        ),
        targets=(SqlQuery(sql=sql),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value=NO_CALLS,
        every_row=True,
    )


def cache_savings() -> Panel:
    windows = {"24 hours": "24h", "7 days": "7d", "30 days": "30d", "this month": "mtd"}
    parts = {title: ask(CACHE_SAVINGS, (), "", (equal("window", window),)) for title, window in windows.items()}
    return Stat(
        name="cache_savings",
        title="Saved by prompt caches",
        description=(
            "Tokens that came from a cache x (price of other input - price of cached input), of all models and environments, "
            "in each window. It falls while the calls do not: a release broke the beginning of a prompt."
        ),
        targets=(PromQuery(expr=union("window", parts), legend="{{window}}", instant=True),),
        width=6,
        unit="currencyUSD",
        decimals=2,
        minimum=0,
        no_value="nothing known of caches",
        shown="value_and_name",
        value_size=22,
    )


def failed() -> Panel:
    sql = f"""
SELECT model, sum(failed_cost_usd)::float8 AS cost FROM analytics.model_usage_statistics
WHERE {DAYS} AND {chosen_all(environment="environment", model="model")}
GROUP BY model
HAVING sum(failed) > 0
ORDER BY cost DESC, model
LIMIT 12
""".strip()
    return BarGauge(
        name="failed_cost",
        title="Paid for calls that failed",
        description=(
            "Cost of calls that ended with an error. Providers charge for what was sent, whatever comes of it: a long prompt "
            "that is refused and repeated costs twice."
        ),
        targets=(SqlQuery(sql=sql),),
        width=9,
        unit="currencyUSD",
        decimals=2,
        minimum=0,
        no_value="no call failed in range",
        every_row=True,
    )
