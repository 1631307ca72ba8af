"""Metrics of other exporters and of Prometheus, read as they are."""

from __future__ import annotations

from contract import viewers
from contract.metrics import Metric, MetricType, Source

_COUNTERS = ("pg_stat_database_deadlocks",)
"""Counters of others whose names do not say so."""
_NO_REDIS, _NO_POSTGRES = "no redis_exporter is scraped", "no postgres_exporter is scraped"


def _read(*names: str, labels: tuple[str, ...] = (), absent: str = "") -> tuple[Metric, ...]:
    return tuple(
        Metric(
            name,
            MetricType.COUNTER if name.endswith("_total") or name in _COUNTERS else MetricType.GAUGE,
            labels,
            name.replace("_", " "),
            Source.FOREIGN,
            absent=absent,
        )
        for name in names
    )


EXPORTERS = (
    *_read(
        "redis_up", "redis_memory_used_bytes", "redis_memory_max_bytes", "redis_connected_clients",
        "redis_keyspace_hits_total", "redis_keyspace_misses_total", "redis_evicted_keys_total",
        "redis_rejected_connections_total", "redis_commands_processed_total",
        absent=_NO_REDIS,
    ),
    *_read("pg_up", "pg_settings_max_connections", absent=_NO_POSTGRES),
    *_read(
        "pg_stat_activity_count", "pg_database_size_bytes", "pg_stat_database_deadlocks",
        labels=("datname",), absent=_NO_POSTGRES,
    ),
    *_read("pg_stat_user_tables_n_dead_tup", labels=("datname", "table"), absent=_NO_POSTGRES),
)  # fmt: skip

TARGETS = (
    *_read("up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added"),
    *_read("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"),
)

PROMETHEUS = (
    *_read(
        "prometheus_config_last_reload_successful", "prometheus_notifications_alertmanagers_discovered",
        "prometheus_notifications_dropped_total", "prometheus_notifications_queue_length",
        "prometheus_notifications_queue_capacity", "prometheus_tsdb_lowest_timestamp_seconds", "prometheus_tsdb_head_series",
        "prometheus_tsdb_storage_blocks_bytes", "prometheus_tsdb_compactions_failed_total",
        "prometheus_tsdb_wal_corruptions_total",
    ),
    *_read("prometheus_tsdb_retention_limit_seconds", absent="this Prometheus is older, or limited by size alone"),
    *_read("prometheus_build_info", labels=("version",)),
    *_read("prometheus_notifications_errors_total", "prometheus_notifications_sent_total", labels=("alertmanager",)),
    *_read(
        "prometheus_rule_evaluations_total", "prometheus_rule_evaluation_failures_total",
        "prometheus_rule_group_interval_seconds", "prometheus_rule_group_last_duration_seconds",
        "prometheus_rule_group_last_evaluation_timestamp_seconds", "prometheus_rule_group_iterations_total",
        "prometheus_rule_group_iterations_missed_total",
        labels=("rule_group",),
    ),
)  # fmt: skip
"""What Prometheus says of itself; equal in 2.42 and 3, but for the limit in seconds, which is new.
`rule_group` is the rule file and the group's name: `file;group`."""

ALERTMANAGER = (
    *_read("alertmanager_config_last_reload_successful"),
    *_read("alertmanager_build_info", labels=("version",)),
    *_read("alertmanager_alerts", "alertmanager_silences", labels=("state",)),
    *_read("alertmanager_notifications_total", labels=("integration",)),
    *_read("alertmanager_notifications_failed_total", labels=("integration", "reason")),
)
"""What Alertmanager says of itself. The failed notifications are part of the total; before 0.26 they carry no `reason`."""

METRICS = EXPORTERS + TARGETS + PROMETHEUS + ALERTMANAGER + viewers.METRICS
