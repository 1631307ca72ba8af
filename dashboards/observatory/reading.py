"""What is read: scrape targets, sources, the exporter's queries."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.sources import DATA_AGE, QUERY_SUCCESS, SOURCE_UP, TARGET_UP
from dashboards.lib import colours
from dashboards.lib.field import Word, at_least, at_most, lines, named, words
from dashboards.lib.figures import Stat
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, ask, series
from dashboards.lib.tables import COLOURED_TEXT, MERGED, Table, columns
from dashboards.observatory.signals import COLLECTOR_DURATION, COLLECTOR_FAILURES, COLLECTOR_NEXT, NEXT_POLL, QUERY_DURATION

_ANSWERS = {0: Word("no answer", colours.DOWN), 1: Word("answers", colours.OK)}


def targets() -> Panel:
    return Stat(
        name="targets",
        title="Scrape targets",
        description="Whether each target answered Prometheus' last scrape. One without an answer: see TargetDown.",
        targets=(series(TARGET_UP, ("job", "environment", "instance"), legend="{{job}} {{environment}}", instant=True),),
        unit="none",
        mappings=tuple(words(_ANSWERS)),
        limits=at_least(1),
        no_value="Prometheus scrapes nothing",
        filled=True,
        shown="value_and_name",
        value_size=16,
    )


def ages(settings: Settings) -> Panel:
    limit = settings.thresholds.data_age_seconds
    return TimeSeries(
        name="data_age",
        title=f"Age of figures (alert above {limit / 60:g} min)",
        description="Time since the moment that the figures of a source stand for. A saw-tooth is normal: its height is the "
        "interval at which the source is asked. A line that climbs is a source that is lost.",
        targets=(series(DATA_AGE, ("source",)),),
        unit="s",
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        no_value="the exporter was never scraped",
        calculations=("lastNotNull", "max"),
    )


def sources_up() -> Panel:
    return Stat(
        name="sources_up",
        title="Does the exporter reach it?",
        description="Whether any replica of the exporter reaches each source. No answer: see SourceDown.",
        targets=(series(SOURCE_UP, ("source",), instant=True),),
        unit="none",
        mappings=tuple(words(_ANSWERS)),
        limits=at_least(1),
        no_value="the exporter was never scraped",
        filled=True,
        shown="value_and_name",
        value_size=13,
    )


def query_durations() -> Panel:
    greatest = f"topk(10, {QUERY_DURATION.expression(('source', 'query'))})"
    return TimeSeries(
        name="query_durations",
        title="Slowest queries of the exporter",
        description="Time of the last run of the ten slowest questions. One that grows with the tables has lost its index.",
        targets=(PromQuery(expr=greatest, legend="{{source}} {{query}}"),),
        unit="s",
        no_value="the exporter was never scraped",
        calculations=("lastNotNull", "max"),
        legend_placement="right",
    )


def failing_queries() -> Panel:
    failing = f"{QUERY_SUCCESS.expression(('source', 'query'))} < 1"
    return Table(
        name="failing_queries",
        title="Queries that fail now",
        description="Questions of the exporter whose last run failed on every replica. The exporter's log has the reason.",
        targets=(PromQuery(expr=failing, format="table", instant=True),),
        width=8,
        no_value="every query succeeds",
        transformations=columns({"source": "Source", "query": "Query"}),
    )


def jobs() -> Panel:
    """What the exporter does at intervals of its own, and when each is due."""
    by = ("collector",)
    asked = (
        ask(COLLECTOR_DURATION, by),
        f"1000 * {ask(COLLECTOR_NEXT, by)}",
        ask(COLLECTOR_FAILURES, by),
        f'label_replace(1000 * {ask(NEXT_POLL, ("api",))}, "collector", "questions to $1", "api", "(.*)")',
    )
    headings = {
        "collector": "Job", "Value #A": "Last run took", "Value #B": "Next run", "Value #C": "Failed in a row",
        "Value #D": "Next question",
    }  # fmt: skip
    return Table(
        name="jobs",
        title="Jobs of the exporter",
        description="What the exporter does at intervals of its own: how long the last run took, when the next is due, and how "
        "often it failed in a row. It waits longer after each failure, and asks an interface less often when few requests are "
        "left. A next run that lies far back is a job that hangs.",
        targets=tuple(PromQuery(expr=expression, format="table", instant=True) for expression in asked),
        no_value="the exporter was never scraped",
        transformations=(MERGED, *columns(headings)),
        sorted_by="Failed in a row",
        overrides=(
            named("Last run took", unit="s", custom_width=130),
            *(named(column, unit="dateTimeFromNow", custom_width=150) for column in ("Next run", "Next question")),
            named(
                "Failed in a row", unit="short", decimals=0, custom_width=170, custom_cellOptions=COLOURED_TEXT,
                thresholds=at_most(1).to_json_data(), color={"mode": "thresholds"},
            ),
        ),
        paged=True,
    )  # fmt: skip
