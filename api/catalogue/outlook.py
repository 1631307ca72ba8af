"""Named queries about what is to come and what to do: forecasts with how good they are, advice that chance does not explain.

Both are made a few times a day, of everything; no range and no environment acts on them.
"""

from __future__ import annotations

from api.catalogue.model import Column, Query, count, number, share, text, time
from contract.advice import DAYS
from contract.forecasts import CERTAINTY, HORIZON_DAYS

FORECASTS = Query(
    "forecasts.days",
    f"The {HORIZON_DAYS} days to come (UTC), by the method that did best on the past",
    (
        text("series", "What is forecast; capacity:agent is the busiest hour's executions per second of an agent"),
        time("at", "Begin of the day"),
        number("value", "Expected", "none"),
        number("low", f"{CERTAINTY:.0%} of days are to lie above it", "none"),
        number("high", f"{CERTAINTY:.0%} of days are to lie below it", "none"),
        text("method", "By which method"),
        time("made_at", "When it was made"),
    ),
    "SELECT f.series, f.at, f.value, f.low, f.high, f.method, f.made_at FROM analytics.forecasts f WHERE {chosen}",
    "series, at",
    {"series": "f.series"},
)

TRIALS = Query(
    "forecasts.trials",
    "How each method would have done on the past",
    (
        text("series", "What is forecast"),
        text("method", "The method; none where too few days are known"),
        Column("used", "boolean", "", "Whether the forecast is made by it"),
        count("days", "Whole days that are known"),
        number("relative", "Its errors / those of the same weekday a week before; below 1 is better", "none"),
        share("error", "Its errors / what happened"),
        share("covered", "Share of days that lay between low and high"),
    ),
    """
SELECT t.series, t.method, t.used, t.days::bigint AS days, t.relative, t.share AS error, t.covered
FROM analytics.forecast_trials t WHERE {chosen}
""".strip(),
    "series, method",
    {"series": "t.series"},
)

_ADVICE = (
    count("place", "From 1, the surest large effect first", "none"),
    text("id", "Follow it with `observatory advice apply`"),
    text("kind", "The rule"),
    text("agent", "Agent"),
    text("environment", "Environment"),
    text("what", "What to do"),
    text("why", "What was found"),
    number("p_value", "Chance that nothing is behind it, corrected for all that was compared", "none"),
    text("not_considered", "What the rule does not look at"),
    time("found_at", "When it was found first"),
)
_OF_ADVICE = {"agent": "a.agent", "environment": "a.environment", "kind": "a.kind"}


def _advice(key: str, words: str, unit: str) -> Query:
    gain = (
        number("effect", f"What it would gain in {DAYS} days", unit),
        number("low", "At least, in 95 of 100 cases", unit),
        number("high", "At most, in 95 of 100 cases", unit),
    )
    columns = (*_ADVICE, *gain)
    selected = ", ".join(f"a.{column.name}" for column in columns)
    sql = f"SELECT {selected} FROM analytics.advice a WHERE a.unit = '{unit}' AND {{chosen}}"
    return Query(key, f"{words}, by fixed rules over the last {DAYS} whole days", columns, sql, "place, id", _OF_ADVICE)


SAVINGS = _advice("advice.savings", "What would save money", "currencyUSD")
WAITING = _advice("advice.waiting", "What would spare waiting", "s")
