"""What is counted: roll-ups, their age and drift, and the tables that hold them."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.sources import ROLLUP_AGE, ROLLUP_DRIFT, ROLLUP_REBUILD
from dashboards.lib import colours
from dashboards.lib.field import Word, lines, named, words
from dashboards.lib.figures import BarGauge
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, ask, series
from dashboards.lib.tables import COLOURED_TEXT, MERGED, Table, columns
from dashboards.observatory.signals import BACKFILLED, OPEN_ROWS, ROWS_COUNTED, SLOW_STATEMENT, TABLE_SIZE

SOURCE = ("source",)
_NEEDED = {0: Word("fine", colours.OK), 1: Word("rebuild", colours.DOWN)}


def behind(settings: Settings) -> Panel:
    limit = settings.thresholds.rollup_age_seconds
    return TimeSeries(
        name="rollup_age",
        title=f"Time since roll-ups were advanced (alert above {limit / 60:g} min)",
        description="The eight roll-ups that wait longest. All climb together: no exporter may write. One climbs: it is "
        "halted, or its step fails.",
        targets=(PromQuery(expr=f"topk(8, {ask(ROLLUP_AGE, SOURCE)})", legend="{{source}}"),),
        unit="s",
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        no_value="no roll-ups: the exporter only reads",
        calculations=("lastNotNull", "max"),
    )


def counted() -> Panel:
    return TimeSeries(
        name="rows_counted",
        title="Rows counted",
        description="Rows and changes of rows that were counted, by source. It follows the platform's own writing.",
        targets=(series(ROWS_COUNTED, SOURCE),),
        unit="ops",
        stacked=True,
        no_value="no roll-ups: the exporter only reads",
        calculations=("mean",),
        legend_placement="right",
    )


def state() -> Panel:
    asked = (ROLLUP_AGE, ROLLUP_DRIFT, ROLLUP_REBUILD, BACKFILLED, OPEN_ROWS)
    headings = {
        "source": "Source", "Value #A": "Last advanced", "Value #B": "Drift, rows", "Value #C": "State",
        "Value #D": "Old rows counted", "Value #E": "Open rows",
    }  # fmt: skip
    return Table(
        name="rollup_state",
        title="Roll-ups",
        description="Each source that is counted. Drift is how far the recount of samples differs; anything but zero is told "
        "by RollupDrift. Open rows may still change, such as tickets that are not closed.",
        targets=tuple(PromQuery(expr=ask(signal, SOURCE), format="table", instant=True) for signal in asked),
        no_value="no roll-ups: the exporter only reads",
        transformations=(MERGED, *columns(headings)),
        paged=True,
        overrides=(
            named("Last advanced", unit="s", decimals=0),
            named("Drift, rows", unit="short", decimals=0),
            named("State", custom_cellOptions=COLOURED_TEXT, mappings=words(_NEEDED)),
            named("Old rows counted", unit="percentunit", decimals=0),
            named("Open rows", unit="short", decimals=0),
        ),
    )


def tables() -> Panel:
    return BarGauge(
        name="table_sizes",
        title="Largest tables",
        description="Size of the fifteen largest tables with their indexes. Schema analytics grows with days, not with rows.",
        targets=(PromQuery(expr=f"sort_desc(topk(15, {ask(TABLE_SIZE, ('table',))}))", legend="{{table}}", instant=True),),
        unit="bytes",
        minimum=0,
        no_value="no sizes known yet",
    )


def slow_statements() -> Panel:
    return BarGauge(
        name="slow_statements",
        title="Slowest statements of our own",
        description="Mean time of the slowest statements of panels and exporter, as pg_stat_statements numbers them. Without "
        "that extension there is nothing to show.",
        targets=(PromQuery(expr=f"sort_desc({ask(SLOW_STATEMENT, ('statement',))})", legend="{{statement}}", instant=True),),
        unit="s",
        minimum=0,
        no_value="pg_stat_statements is not installed",
    )
