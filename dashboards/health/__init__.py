"""The tab on system health: does what the platform stands on answer, how quickly, and how much room is left?"""

from __future__ import annotations

from contract.settings import Settings
from dashboards.health import availability, caches, database, endpoints, headline, outside, stores
from dashboards.lib.layout import Row, line, row
from dashboards.lib.tab import Source, Tab

_OTHERS = frozenset(
    f"health/{name}"
    for name in (
        "redis", "redis_memory", "redis_keys", "redis_commands", "postgres", "postgres_connections", "postgres_sizes",
        "slow_statements", "deadlocks",
    )
)  # fmt: skip
"""What exporters of Redis and PostgreSQL say, where they are scraped, and statements where PostgreSQL keeps count of them."""


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "headline",
            "Is everything that the platform stands on well?",
            line(4, headline.components(settings)),
            line(
                4,
                headline.availability(settings),
                headline.response(settings),
                headline.pools(settings),
                headline.hits(),
                headline.queues(settings),
            ),
        ),
        row(
            "availability",
            "Was it there?",
            line(4, availability.scraped(settings), availability.served(settings), availability.timeline()),
        ),
        row(
            "endpoints",
            "HTTP interface",
            line(9, endpoints.rates(), endpoints.errors(settings), endpoints.latency(settings)),
            line(9, endpoints.table(settings)),
        ),
        row("database", "Database", line(9, database.pool(settings), database.waiting(settings), database.operations())),
        row("caches", "Caches", line(9, caches.hit_ratio(settings), caches.operations(), caches.latency())),
        row(
            "stores",
            "Vector stores",
            line(9, stores.vector_operations(), stores.vector_latency(settings), stores.vector_errors(settings)),
            collapsed=True,
        ),
        row(
            "edge",
            "Edge functions and queues",
            line(9, stores.edge_calls(), stores.edge_latency(), stores.edge_errors(settings)),
            line(9, stores.queue_length(settings), stores.queue_age(settings)),
            collapsed=True,
        ),
        row(
            "sizes",
            "Sizes and slow statements of the database",
            line(9, database.sizes(), database.growth()),
            line(9, database.rows_of_tables(), database.slow_statements()),
            collapsed=True,
        ),
        row(
            "redis",
            "Redis, where its exporter is scraped",
            line(5, outside.redis(settings)),
            line(9, outside.redis_memory(settings), outside.redis_keys(), outside.redis_commands()),
            collapsed=True,
            only_with="redis_up",
        ),
        row(
            "postgres",
            "PostgreSQL, where its exporter is scraped",
            line(5, outside.postgres(settings)),
            line(9, outside.postgres_connections(settings), outside.postgres_sizes(), outside.deadlocks(settings)),
            collapsed=True,
            only_with="pg_up",
        ),
    )


TAB = Tab(
    key="health",
    title="System health",
    folder="Administration",
    description="Does what the platform stands on answer, how quickly, and how much room is left?",
    owner="platform team",
    sources=(
        Source("Prometheus", "metrics of the platform, scraped every 15 s; rates look back five minutes"),
        Source("PostgreSQL", "sizes of tables only, through the exporter"),
    ),
    rows=rows,
    filters=("environment",),
    refresh="15s",
    time_from="now-3h",
    empty_is_fine=_OTHERS,
)
