"""All chosen models together, over the days of the range, each figure against the alert's limit."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib import spending
from dashboards.lib.field import PLAIN, Thresholds, at_most, named
from dashboards.lib.figures import Stat
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import DAYS, DAYS_BEFORE

NO_CALLS = "no model calls in range"
CHANGE = "change"
_TAIL = " The small figure is the change against the days chosen above."


def where(days: str = DAYS) -> str:
    return f"{days} AND {chosen_all(environment='environment', model='model')}"


def _stat(name: str, title: str, description: str, figure: str, unit: str, decimals: int, limits: Thresholds = PLAIN) -> Panel:
    """`figure` is an SQL expression over the roll-up by day."""

    def asked(days: str) -> str:
        return (
            f"SELECT {figure} AS figure, count(DISTINCT day) AS days FROM analytics.model_usage_statistics WHERE {where(days)}"
        )

    sql = f"""
SELECT now.figure AS "this range",
       CASE WHEN before.days >= now.days - 1 THEN now.figure / nullif(before.figure, 0) - 1 END AS "{CHANGE}"
FROM ({asked(DAYS)}) now, ({asked(DAYS_BEFORE)}) before
WHERE now.days > 0
""".strip()
    return _figure(name, title, description + _TAIL, sql, unit, decimals, limits)


def _figure(name: str, title: str, description: str, sql: str, unit: str, decimals: int, limits: Thresholds) -> Panel:
    return Stat(
        name=name,
        title=title,
        description=description,
        targets=(SqlQuery(sql=sql),),
        unit=unit,
        decimals=decimals,
        no_value=NO_CALLS,
        limits=limits,
        shown="value_and_name",
        value_size=18,
        overrides=(named(CHANGE, unit="percentunit", decimals=1, noValue="not known", thresholds=PLAIN.to_json_data()),),
    )


def calls() -> Panel:
    description = "Calls of models that the ledger knows. Far fewer than usual with busy agents: tracing is off, or late."
    return _stat("calls", "Model calls", description, "sum(calls)::float8", "locale", 0)


def errors(settings: Settings) -> Panel:
    limit = settings.thresholds.model_error_ratio
    description = (
        f"Model calls that failed / model calls; the alert begins at {limit:.0%}. Too high: see below which model and which "
        "kind of error lead."
    )
    figure = "sum(failed)::float8 / nullif(sum(calls), 0)"
    return _stat("error_share", "Failed calls", description, figure, "percentunit", 2, at_most(limit))


def speed() -> Panel:
    description = (
        "Output tokens / seconds of model calls, the wait for the first token included. It falls while first tokens come as "
        "before: the provider is busy, or answers grew shorter."
    )
    figure = "sum(output_tokens)::float8 / nullif(sum(duration_seconds) FILTER (WHERE output_tokens > 0), 0)"
    return _stat("output_speed", "Output tokens/s", description, figure, "short", 1)


def latency(settings: Settings) -> Panel:
    limit = settings.thresholds.model_seconds
    sql = spending.quantiles("model_usage_statistics", "", (50, 95), where())
    description = (
        f"Half and 95 % of all model calls of the range took at most this long; {limit:g} s is where the alert begins. Only "
        "p95 rises: long answers, or one slow model; see 'Side by side'."
    )
    return _figure("latency", "Time of a call", description, sql, "s", 1, at_most(limit))


def first_token(settings: Settings) -> Panel:
    limit = settings.thresholds.first_chunk_seconds
    sql = spending.quantiles("first_token_daily", "", (50, 95), where())
    description = (
        f"Half and 95 % of streamed calls gave their first token within this time; {limit:g} s is where the alert begins. It "
        "is what users feel: too slow means a busy provider, or a very long prompt."
    )
    return _figure("first_token", "Time to first token", description, sql, "s", 1, at_most(limit))


def quality() -> Panel:
    filters_ = chosen_all(environment="environment", agent="agent", model="model")
    sql = f"""
SELECT avg(value) AS "mean score", count(*)::float8 AS scores FROM analytics.llm_scores
WHERE {spending.JUDGED} AND {filters_}
HAVING count(*) > 0
""".strip()
    return Stat(
        name="quality",
        title="Mean score",
        description=(
            "Mean of all scores from 0 to 1 (yes and no count as 1 and 0) of the traces that models answered, and how many "
            "there are. Lower after a release: see 'Prompts, version by version'."
        ),
        targets=(SqlQuery(sql=sql),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value="no scores in range",
        shown="value_and_name",
        value_size=18,
        overrides=(named("scores", unit="locale", decimals=0, thresholds=PLAIN.to_json_data()),),
    )
