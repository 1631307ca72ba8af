"""Searches: how many, how fast, and how much they find."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import PHASE_TIME
from contract.signals.knowledge import KB_EMPTY_RATIO, KB_RESULTS, KB_SEARCH_LATENCY, KB_SEARCHES
from contract.signals.model import equal
from contract.signals.stores import VECTOR_LATENCY
from dashboards.knowledge.headline import HOUR
from dashboards.knowledge.rows import NO_SEARCHES
from dashboards.lib import colours
from dashboards.lib.field import fixed, lines, named, narrowing_link, painted
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask, quantiles, series, slowest
from dashboards.lib.shares import BarChart

_MOST_AGENTS = 8


def rate() -> Panel:
    return TimeSeries(
        name="search_rate",
        title="Searches per minute",
        description=(
            "Searches in the knowledge base per minute, over one hour. Far above the usual: an agent "
            "searches again and again; far below: agents no longer search."
        ),
        targets=(PromQuery(expr=f"60 * {ask(KB_SEARCHES, ('environment',), HOUR)}", legend="{{environment}}"),),
        unit="short",
        minimum=0,
        no_value=NO_SEARCHES,
        fill=10,
        calculations=("mean", "max"),
    )


def durations(settings: Settings) -> Panel:
    limit = settings.thresholds.search_seconds
    return TimeSeries(
        name="search_duration",
        title=f"Time of a search (alert above {limit:g} s at p95)",
        description=(
            "Half, 95 % and 99 % of the searches were answered within these times, over five minutes. All three rise: the "
            "vector store or the database is slow; only p99: single large questions."
        ),
        targets=(quantiles(KB_SEARCH_LATENCY, (0.5, 0.95, 0.99), window="5m"),),
        unit="s",
        minimum=0,
        no_value=NO_SEARCHES,
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "mean", "max"),
        overrides=painted({"p50": colours.LOW, "p95": colours.MIDDLE, "p99": colours.HIGH}),
    )


def empty(settings: Settings) -> Panel:
    limit = settings.thresholds.empty_search_ratio
    return TimeSeries(
        name="empty_share",
        title=f"Empty searches (alert above {limit:.0%})",
        description=(
            "Searches without a result / searches, over one hour, as the alert asks. From one hour to the next: documents or "
            "the index are gone. Over weeks: users ask about something new; tell those who write documents what is asked for."
        ),
        targets=(series(KB_EMPTY_RATIO, ("environment",), window=HOUR),),
        unit="percentunit",
        minimum=0,
        no_value=NO_SEARCHES,
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        soft_maximum=limit * 1.5,
        calculations=("lastNotNull", "mean", "max"),
    )


def results() -> Panel:
    return TimeSeries(
        name="results",
        title="Results per search",
        description=(
            "Mean number of results of a search, over one hour. It falls while nothing was removed: questions and documents no "
            "longer speak the same language, for example after a new model for embeddings."
        ),
        targets=(series(KB_RESULTS, ("environment",), window=HOUR, step="15m"),),
        unit="short",
        minimum=0,
        no_value=NO_SEARCHES,
        calculations=("lastNotNull", "mean", "min"),
    )


def retrieval() -> Panel:
    by = ("environment", "agent", "phase")
    slowest = f"topk({_MOST_AGENTS}, {ask(PHASE_TIME, by, '5m', (equal('phase', 'retrieval'),))})"
    return TimeSeries(
        name="retrieval",
        title="Time for retrieval, by agent",
        description=(
            f"Mean time that a query of an agent spends on looking things up, over five minutes; the {_MOST_AGENTS} slowest at "
            "each moment. One agent is slow: it searches several times for each answer."
        ),
        targets=(PromQuery(expr=slowest, legend="{{agent}} · {{environment}}"),),
        unit="s",
        minimum=0,
        no_value="no retrieval in range",
        calculations=("mean", "max"),
        data_links=(narrowing_link("Only this agent", "knowledge", "agent", "${__field.labels.agent}", ("environment",)),),
    )


def vector_store(settings: Settings) -> Panel:
    limit = settings.thresholds.vector_seconds
    return TimeSeries(
        name="vector_store",
        title=f"Vector store, p95 (alert above {limit:g} s)",
        description=(
            "95 % of the operations of the vector store were done within this time, over five minutes, by what they do, in "
            "the slowest environment. Searches slow with inserts: an import slows the readers down; run it at night."
        ),
        targets=(slowest(VECTOR_LATENCY, ("store", "operation")),),
        unit="s",
        minimum=0,
        no_value="no operation in range",
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("mean", "max"),
    )


_FOUND = """
SELECT date_trunc('day', s.at, 'UTC') AS "time", count(*)::float8 AS searches,
       (count(*) FILTER (WHERE s.result_count = 0))::float8 / count(*) AS "found nothing",
       (count(*) FILTER (WHERE s.clicked))::float8 / nullif(count(*) FILTER (WHERE s.result_count > 0), 0) AS "result opened",
       (avg(s.top_score) FILTER (WHERE s.result_count > 0))::float8 AS "best score"
FROM analytics.kb_searches s
WHERE $__timeFilter(s.at)
GROUP BY 1
ORDER BY 1
""".strip()


def found() -> Panel:
    return TimeSeries(
        name="found",
        title="What searches find, by day",
        description=(
            "By day (UTC), of the searches in the database: the share that found nothing, the share of those that found "
            "something after which a result was opened, the mean score of the best result, and how many there "
            "were. Found, but not opened: the titles do not say what the documents hold, or the best result is not the right "
            "one."
        ),
        targets=(SqlQuery(sql=_FOUND, format="time_series"),),
        width=14,
        unit="percentunit",
        minimum=0,
        no_value="no search in the database in range",
        calculations=("mean", "min", "max"),
        overrides=(
            *painted({"found nothing": colours.AMBER, "result opened": colours.GREEN}),
            named("best score", color=fixed(colours.BLUE)),
            named(
                "searches", unit="locale", decimals=0, color=fixed(colours.GREY), custom_drawStyle="bars",
                custom_fillOpacity=20, custom_lineWidth=0, custom_axisPlacement="right",
            ),
        ),
    )  # fmt: skip


_SPREAD = """
SELECT b.results AS "Results", count(s.id)::float8 AS searches
FROM (VALUES (1, '0', 0, 0), (2, '1', 1, 1), (3, '2-3', 2, 3), (4, '4-5', 4, 5), (5, '6-10', 6, 10),
             (6, 'over 10', 11, 2147483647)) AS b (place, results, least, most)
LEFT JOIN (
  SELECT s.id, s.result_count FROM analytics.kb_searches s WHERE $__timeFilter(s.at)
) s ON s.result_count BETWEEN b.least AND b.most
GROUP BY b.place, b.results
ORDER BY b.place
""".strip()


def spread() -> Panel:
    return BarChart(
        name="results_spread",
        title="How many results does a search have?",
        description=(
            "Searches in the database in the range, by the number of their results. Many with very many: the search is too "
            "tolerant, and the model has to sort it out."
        ),
        targets=(SqlQuery(sql=_SPREAD),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no search in the database in range",
        x="Results",
        values_shown="always",
        with_legend=False,
        overrides=painted({"searches": colours.NEUTRAL}),
    )
