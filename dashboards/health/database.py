"""The platform's database: its pools, how long operations take, how large tables are and how fast they grow."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.model import Level, equal
from contract.signals.stores import DB_LATENCY, POOL_ACTIVE, POOL_PENDING, POOL_SIZE, TABLE_SIZE
from dashboards.health.headline import NO_TRAFFIC
from dashboards.lib import colours
from dashboards.lib.field import fixed, lines, named, painted
from dashboards.lib.figures import BarGauge
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask, greatest
from dashboards.lib.spoken import WITHOUT_SCHEMA

MOST = 10
_TABLE = ("table",)
POOL_IDLE = Level(
    "pool_idle", "Idle", "Connections of a pool that nobody uses", "short", "db_pool_connections", (equal("state", "idle"),)
)
TABLE_ROWS = Level("table_rows", "Rows", "Rows of tables, as PostgreSQL estimates them", "short", "platform_table_rows")
SLOW_STATEMENT = Level(
    "slow_statement", "Mean time", "Mean time of a slow statement", "s", "platform_slow_statement_seconds", operator="max"
)
_KNOWN = "no sizes known yet"


def pool(settings: Settings) -> Panel:
    parts = {"in use": ask(POOL_ACTIVE, (), ""), "idle": ask(POOL_IDLE, (), ""), "at most": ask(POOL_SIZE, (), "")}
    return TimeSeries(
        name="pool",
        title="Connections of the pools",
        description=(
            "Connections in use, idle ones, and how many there may be (dashed), of all pools of the chosen environments. The "
            f"alert begins at {settings.thresholds.pool_ratio:.0%} of a pool in use. In use at the limit while operations "
            "are quick: the pool is too small; while they are slow: the database is the bottleneck."
        ),
        targets=(PromQuery(expr=union("state", parts), legend="{{state}}"),),
        unit="short",
        decimals=0,
        minimum=0,
        no_value="no pool seen",
        calculations=("lastNotNull", "max"),
        overrides=(
            *painted({"in use": colours.BLUE, "idle": colours.GREY}),
            named("at most", color=fixed(colours.RED), custom_lineStyle={"fill": "dash", "dash": [8, 4]}),
        ),
    )


def waiting(settings: Settings) -> Panel:
    limit = settings.thresholds.pool_waiting
    return TimeSeries(
        name="pool_waiting",
        title=f"Waiting requests (alert above {limit:g})",
        description=(
            f"{POOL_PENDING.description}, by pool. Anything but zero is time that users wait for nothing; look beside it for "
            "what became slow."
        ),
        targets=(PromQuery(expr=ask(POOL_PENDING, ("environment", "pool"), ""), legend="{{pool}} · {{environment}}"),),
        unit="short",
        decimals=0,
        minimum=0,
        no_value="no pool seen",
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "max"),
    )


def operations() -> Panel:
    quantiles = {f"p{share * 100:g}": greatest(DB_LATENCY.at(share), ("operation",)) for share in (0.5, 0.95, 0.99)}
    return TimeSeries(
        name="operation_latency",
        title="Time of database operations",
        description=(
            "Half, 95 % and 99 % of the operations of each kind took at most so long, over five minutes, in the environment "
            "where it is longest, on a logarithmic scale. Reads become slow: an index or memory is missing; "
            "writes: locks or the disk."
        ),
        targets=(PromQuery(expr=union("quantile", quantiles), legend="{{operation}} {{quantile}}"),),
        unit="s",
        logarithmic=True,
        soft_minimum=0.001,
        no_value=NO_TRAFFIC,
        calculations=("lastNotNull", "max"),
    )


def sizes() -> Panel:
    return BarGauge(
        name="table_sizes",
        title=f"Largest tables ({MOST})",
        description="Size of the largest tables with indexes, of the platform and, without its name, of schema analytics.",
        targets=(PromQuery(expr=f"sort_desc(topk({MOST}, {ask(TABLE_SIZE, _TABLE, '')}))", legend="{{table}}", instant=True),),
        transformations=(WITHOUT_SCHEMA,),
        unit="bytes",
        decimals=1,
        minimum=0,
        no_value=_KNOWN,
    )


def growth() -> Panel:
    size = ask(TABLE_SIZE, _TABLE, "")
    per_day = f"topk({MOST}, deriv(({size})[1d:1m]) * 86400)"
    return BarGauge(
        name="table_growth",
        title=f"Fastest growing tables ({MOST}), per day",
        description=(
            "How many bytes a day the fastest growing tables gain, by the line through their last day. Schema analytics should "
            "grow with days, not with rows; a table of the platform that nobody cleans up fills the disk."
        ),
        targets=(PromQuery(expr=f"sort_desc({per_day})", legend="{{table}}", instant=True),),
        transformations=(WITHOUT_SCHEMA,),
        unit="bytes",
        decimals=1,
        minimum=0,
        no_value="nothing grows",
    )


def rows_of_tables() -> Panel:
    return BarGauge(
        name="table_rows",
        title=f"Tables with most rows ({MOST})",
        description="Rows of the longest tables, as PostgreSQL's statistics estimate them; exact after the next vacuum.",
        targets=(PromQuery(expr=f"sort_desc(topk({MOST}, {ask(TABLE_ROWS, _TABLE, '')}))", legend="{{table}}", instant=True),),
        transformations=(WITHOUT_SCHEMA,),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=_KNOWN,
    )


def slow_statements() -> Panel:
    return BarGauge(
        name="slow_statements",
        title="Slowest statements of panels and exporter",
        description=(
            "Mean time of our own slowest statements, as pg_stat_statements numbers them; `observatory db status` gives their "
            "words. Without that extension there is nothing to show."
        ),
        targets=(
            PromQuery(
                expr=f"sort_desc(topk({MOST}, {ask(SLOW_STATEMENT, ('statement',), '')}))", legend="{{statement}}", instant=True
            ),
        ),
        unit="s",
        decimals=3,
        minimum=0,
        no_value="pg_stat_statements is not installed",
    )
