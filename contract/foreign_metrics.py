"""Metrics of other exporters and of Prometheus, read as they are."""

from __future__ import annotations

from contract.metrics import Metric, MetricType, Source


def _gauges(*names: str, labels: tuple[str, ...] = ()) -> tuple[Metric, ...]:
    return tuple(
        Metric(
            name,
            MetricType.COUNTER if name.endswith("_total") else MetricType.GAUGE,
            labels,
            name.replace("_", " "),
            Source.FOREIGN,
        )
        for name in names
    )


METRICS = (
    *_gauges(
        "redis_up", "redis_memory_used_bytes", "redis_memory_max_bytes", "redis_connected_clients",
        "redis_keyspace_hits_total", "redis_keyspace_misses_total", "redis_evicted_keys_total",
        "redis_rejected_connections_total", "redis_commands_processed_total",
    ),
    *_gauges("pg_up", "pg_settings_max_connections"),
    *_gauges("pg_stat_activity_count", "pg_database_size_bytes", "pg_stat_database_deadlocks", labels=("datname",)),
    *_gauges("pg_stat_user_tables_n_dead_tup", labels=("datname", "table")),
    *_gauges("up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added"),
    *_gauges("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"),
)  # fmt: skip
