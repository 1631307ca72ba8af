"""Redis and PostgreSQL as their own exporters see them. Where none is scraped, these panels say so."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.stores import (
    POSTGRES_ANSWERS,
    POSTGRES_CONNECTION_LIMIT,
    POSTGRES_CONNECTIONS,
    POSTGRES_CONNECTIONS_USED,
    POSTGRES_DEADLOCK_COUNT,
    POSTGRES_SIZE,
    REDIS_ANSWERS,
    REDIS_CLIENTS,
    REDIS_COMMANDS,
    REDIS_EVICTIONS,
    REDIS_HIT_RATIO,
    REDIS_MEMORY,
    REDIS_MEMORY_LIMIT,
    REDIS_MEMORY_USED,
    REDIS_REJECTED,
)
from dashboards.lib import colours
from dashboards.lib.field import Word, at_least, at_most, fixed, lines, named, words
from dashboards.lib.figures import Stat
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask, series

NO_REDIS, NO_POSTGRES = "no redis_exporter is scraped", "no postgres_exporter is scraped"
_ANSWERS = words({0: Word("down", colours.DOWN), 1: Word("up", colours.OK)})
_LIMIT = named("limit", color=fixed(colours.RED), custom_lineStyle={"fill": "dash", "dash": [8, 4]})


def redis(settings: Settings) -> Panel:
    limits = settings.thresholds
    parts = {
        "Redis": ask(REDIS_ANSWERS, (), ""),
        "memory in use": ask(REDIS_MEMORY_USED, (), ""),
        "hit ratio": ask(REDIS_HIT_RATIO, (), "5m"),
        "clients": ask(REDIS_CLIENTS, (), ""),
        "evictions": ask(REDIS_EVICTIONS, (), "5m"),
        "rejected connections": ask(REDIS_REJECTED, (), "5m"),
    }
    share = at_most(limits.redis_memory_ratio).to_json_data()
    return Stat(
        name="redis",
        title="Redis",
        description=(
            "Whether Redis answers, how much of its memory is used, how many lookups find their key, and what it had to drop "
            "or refuse per second. Evictions: memory is too small for what is kept; rejected connections: clients leak them."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", instant=True),),
        unit="short",
        no_value=NO_REDIS,
        shown="value_and_name",
        value_size=22,
        overrides=(
            named("Redis", mappings=_ANSWERS, thresholds=at_least(1).to_json_data()),
            named("memory in use", unit="percentunit", decimals=0, thresholds=share),
            named("hit ratio", unit="percentunit", decimals=0),
            named("evictions", unit="ops", decimals=1),
            named("rejected connections", unit="ops", decimals=1),
        ),
    )


def redis_memory(settings: Settings) -> Panel:
    parts = {"used": ask(REDIS_MEMORY, (), ""), "limit": f"{ask(REDIS_MEMORY_LIMIT, (), '')} > 0"}
    return TimeSeries(
        name="redis_memory",
        title="Memory of Redis",
        description=(
            f"Memory that Redis uses, and its limit where one is set (dashed). The alert begins at "
            f"{settings.thresholds.redis_memory_ratio:.0%} of it: then keys are dropped, or writes refused."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}"),),
        unit="bytes",
        minimum=0,
        no_value=NO_REDIS,
        calculations=("lastNotNull", "max"),
        overrides=(_LIMIT,),
    )


def redis_keys() -> Panel:
    return TimeSeries(
        name="redis_keys",
        title="Hit ratio of Redis",
        description=f"{REDIS_HIT_RATIO.description}, over five minutes. It falls after a restart and while keys are dropped.",
        targets=(series(REDIS_HIT_RATIO, window="5m"),),
        unit="percentunit",
        minimum=0,
        maximum=1,
        no_value=NO_REDIS,
        calculations=("lastNotNull", "min"),
    )


def redis_commands() -> Panel:
    return TimeSeries(
        name="redis_commands",
        title="Commands of Redis",
        description=(
            f"{REDIS_COMMANDS.description}, over five minutes. Far more than usual: a loop, or a cache that never hits."
        ),
        targets=(series(REDIS_COMMANDS, window="5m"),),
        unit="ops",
        minimum=0,
        no_value=NO_REDIS,
        calculations=("lastNotNull", "max"),
    )


def postgres(settings: Settings) -> Panel:
    parts = {
        "PostgreSQL": ask(POSTGRES_ANSWERS, (), ""),
        "connections in use": ask(POSTGRES_CONNECTIONS_USED, (), ""),
        "size": ask(POSTGRES_SIZE, (), ""),
        "growth per day": f"deriv(({ask(POSTGRES_SIZE, (), '')})[1d:5m]) * 86400",
        "deadlocks in 15 min": ask(POSTGRES_DEADLOCK_COUNT, (), "15m"),
    }
    share = at_most(settings.thresholds.postgres_connection_ratio).to_json_data()
    return Stat(
        name="postgres",
        title="PostgreSQL",
        description=(
            "Whether PostgreSQL answers, how much of its connections are taken, how large all databases are and what they "
            "gain a day. Deadlocks: two transactions take the same rows in different orders; its log names them."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", instant=True),),
        unit="short",
        no_value=NO_POSTGRES,
        shown="value_and_name",
        value_size=22,
        overrides=(
            named("PostgreSQL", mappings=_ANSWERS, thresholds=at_least(1).to_json_data()),
            named("connections in use", unit="percentunit", decimals=0, thresholds=share),
            named("size", unit="bytes", decimals=1),
            named("growth per day", unit="bytes", decimals=1),
        ),
    )


def postgres_connections(settings: Settings) -> Panel:
    parts = {"connections": ask(POSTGRES_CONNECTIONS, (), ""), "limit": ask(POSTGRES_CONNECTION_LIMIT, (), "")}
    return TimeSeries(
        name="postgres_connections",
        title="Connections of PostgreSQL",
        description=(
            f"Connections, and how many PostgreSQL allows (dashed). The alert begins at "
            f"{settings.thresholds.postgres_connection_ratio:.0%}; at the limit nobody gets in, the exporter neither."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}"),),
        unit="short",
        decimals=0,
        minimum=0,
        no_value=NO_POSTGRES,
        calculations=("lastNotNull", "max"),
        overrides=(_LIMIT,),
    )


def postgres_sizes() -> Panel:
    return TimeSeries(
        name="postgres_sizes",
        title="Size of databases",
        description="Size of each database. Watch its slope: the tab SLOs & alerts warns days before the disk is full.",
        targets=(series(POSTGRES_SIZE, ("datname",)),),
        unit="bytes",
        minimum=0,
        no_value=NO_POSTGRES,
        calculations=("lastNotNull", "diff"),
    )


def deadlocks(settings: Settings) -> Panel:
    limit = settings.thresholds.postgres_deadlocks
    return TimeSeries(
        name="deadlocks",
        title=f"Deadlocks (alert above {limit:g})",
        description=f"{POSTGRES_DEADLOCK_COUNT.description}, by database. PostgreSQL ended one of two transactions each time.",
        targets=(series(POSTGRES_DEADLOCK_COUNT, ("datname",), window="15m"),),
        unit="short",
        decimals=0,
        minimum=0,
        no_value=NO_POSTGRES,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "max"),
    )
