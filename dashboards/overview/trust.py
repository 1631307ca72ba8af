"""How far the other figures can be trusted: how old they are, and whether their queries succeed."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.cost import BUDGET_FORECAST, BUDGET_LIMIT
from contract.signals.model import Level, like
from contract.values import duration_seconds
from dashboards.lib import colours
from dashboards.lib.field import Word, at_most, named, words
from dashboards.lib.figures import BarGauge, Stat
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask
from dashboards.lib.tables import COLOURED_TEXT, MERGED, Table, columns
from dashboards.lib.trust import DATA_TIME, OFTEN

SUCCESS = Level(
    "query_success", "Success", "1 when a query's last run succeeded", "none", "exporter_query_success", operator="min"
)
DURATION = Level(
    "query_duration", "Duration", "Time of a query's last run", "s", "exporter_query_duration_seconds", operator="max"
)
LAST = Level(
    "query_last",
    "Last success",
    "When a query last succeeded",
    "s",
    "exporter_query_last_success_timestamp_seconds",
    operator="max",
)
ROWS = Level("query_rows", "Rows", "Rows of the last successful run", "short", "exporter_query_rows", operator="max")


def data_age(settings: Settings) -> Panel:
    answered = 'max_over_time((time() * (up{job=~"platform|exporter"} == 1))[1h:15s])'
    figures = ask(DATA_TIME, ("source",), where=(like("source", "|".join(OFTEN)),))
    parts = f'label_replace(time() - {figures}, "part", "data of $1", "source", "(.+)")'
    targets = f'label_replace(time() - min by (job) ({answered}), "part", "scrape of the $1", "job", "(.+)")'
    limit = duration_seconds(settings.exporter.max_age)
    return Stat(
        name="data_age",
        title="Age of the figures",
        description=(
            "How long ago the newest figures of PostgreSQL (its roll-ups, and what is read from them) and Langfuse were true, "
            "and when Prometheus last reached the platform and the exporter. "
            f"Red from {settings.exporter.max_age}: then the tiles above show the past. Look "
            "at 'Sources in detail' for the query that fails."
        ),
        targets=(PromQuery(expr=f"{parts}\nor {targets}", legend="{{part}}", instant=True),),
        unit="s",
        decimals=0,
        minimum=0,
        no_value="nothing was ever read",
        limits=at_most(min(120, limit / 2), limit),
        shown="value_and_name",
        value_size=28,
    )


def queries() -> Panel:
    by = ("source", "query")
    asked = (ask(SUCCESS, by), f"time() - {ask(LAST, by)}", ask(DURATION, by), ask(ROWS, by))
    headings = {
        "source": "Source", "query": "Query",
        "Value #A": "Result", "Value #B": "Last success", "Value #C": "Duration", "Value #D": "Rows",
    }  # fmt: skip
    result = {0: Word("failed", colours.DOWN), 1: Word("succeeded", colours.OK)}
    return Table(
        name="exporter_queries",
        title="Queries of the exporter",
        description="What the exporter asks of PostgreSQL and Langfuse, and each last run. When one failed, its log says why.",
        targets=tuple(PromQuery(expr=expr, format="table", instant=True) for expr in asked),
        width=16,
        no_value="the exporter was never scraped",
        transformations=(MERGED, *columns(headings)),
        paged=True,
        overrides=(
            named("Source", custom_width=95),
            named("Result", custom_align="left", custom_width=100, custom_cellOptions=COLOURED_TEXT, mappings=words(result)),
            named("Last success", unit="dtdurations", decimals=0, custom_width=105),
            named("Duration", unit="s", custom_width=95),
            named("Rows", unit="short", decimals=0, custom_width=70),
        ),
    )


def forecast() -> Panel:
    parts = {"budget": ask(BUDGET_LIMIT, ("scope",)), "expected": ask(BUDGET_FORECAST, ("scope",))}
    return BarGauge(
        name="budget_forecast",
        title="Budget and forecast",
        description="Each budget of the month, and what its spending is expected to reach. Above it: act before it is spent.",
        targets=(PromQuery(expr=union("figure", parts), legend="{{scope}}, {{figure}}", instant=True),),
        unit="currencyUSD",
        decimals=2,
        minimum=0,
        no_value="no budget known",
    )
