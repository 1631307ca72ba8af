"""Prices with their validity, calls without one, and how exact the figures are."""

from __future__ import annotations

from contract.signals.sources import RECONCILIATION
from dashboards.lib.field import at_least, named
from dashboards.lib.figures import Stat
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery, series
from dashboards.lib.spending import DAYS, FIRST_DAY, TO
from dashboards.lib.tables import NARROW, Table, columns

EXACT = 0.999


def listed() -> Panel:
    sql = rf"""
SELECT regexp_replace(model_pattern, '\(\?i\)|[\\^$()]', '', 'g') AS model, replace(usage_type, '_', ' ') AS kind,
       usd_per_million::float8 AS price, valid_from, valid_to
FROM analytics.model_prices
WHERE valid_from <= {TO} AND coalesce(valid_to, 'infinity') > {FIRST_DAY}
ORDER BY model, valid_from DESC, kind
LIMIT 200
""".strip()
    headings = {
        "model": "Model", "kind": "Tokens", "price": "Million", "valid_from": "Listed since", "valid_to": "Until",
    }  # fmt: skip
    return Table(
        name="prices",
        title="Prices that were listed in the range",
        description=(
            "USD for a million tokens, as Langfuse listed them, with the time in which they were listed. Cost that Langfuse "
            "recorded with a call is kept; these are for calls without one. Wrong or missing: change them in Langfuse, or "
            "under `sources.langfuse.prices` of `observatory.yaml`."
        ),
        targets=(SqlQuery(sql=sql),),
        width=15,
        no_value="no price list was read",
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            named("Tokens", custom_width=175),
            named("Model", custom_minWidth=130),
            named("Million", unit="currencyUSD", decimals=3, custom_width=75),
            *(named(column, unit="time: YYYY-MM-DD", custom_width=105) for column in ("Listed since", "Until")),
        ),
    )


def unpriced() -> Panel:
    sql = f"""
SELECT model, sum(unpriced)::float8 AS calls, sum(input_tokens + output_tokens)::float8 AS tokens
FROM analytics.model_usage_statistics
WHERE {DAYS} AND {chosen_all(environment="environment", model="model")}
GROUP BY model
HAVING sum(unpriced) > 0
ORDER BY calls DESC, model
LIMIT 100
""".strip()
    return Table(
        name="unpriced",
        title="Models that were called without a price",
        description=(
            "Their calls cost nothing in all figures here. Right for a model that you run yourself and count elsewhere; else "
            "give it a price, for the spend is higher than shown."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value="every call has a price",
        transformations=columns({"model": "Model", "calls": "Calls", "tokens": "Tokens"}),
        overrides=(
            named("Calls", unit="locale", decimals=0),
            named("Tokens", unit="short", decimals=1),
        ),
    )


def recorded() -> Panel:
    sql = f"""
SELECT 1 - sum(unpriced)::float8 / nullif(sum(calls), 0) AS "calls with a price" FROM analytics.model_usage_statistics
WHERE {DAYS} AND {chosen_all(environment="environment", model="model")}
""".strip()
    return Stat(
        name="priced_share",
        title="Calls with a price",
        description="Model calls whose cost Langfuse recorded or the price list gives / model calls; the rest stands above.",
        targets=(SqlQuery(sql=sql),),
        unit="percentunit",
        decimals=2,
        minimum=0,
        maximum=1,
        no_value="no model calls in range",
    )


def reconciled() -> Panel:
    return Stat(
        name="reconciled",
        title="Ledger against Langfuse's own sums",
        description=(
            f"Calls, tokens and cost of the ledger / what Langfuse adds up itself for the same hour. {EXACT:.1%} and more is "
            "exact; less: calls are still being read, or were read and later removed. The tab Observatory shows how far it "
            "is."
        ),
        targets=(series(RECONCILIATION, ("measure",), instant=True),),
        unit="percentunit",
        decimals=3,
        no_value="not compared yet",
        limits=at_least(EXACT),
        shown="value_and_name",
        value_size=24,
    )
