"""Questions about the Observatory itself that only its tab asks."""

from __future__ import annotations

from contract.signals.model import Count, Level, Rate, like

_OURS = like("job", "exporter|prometheus|alertmanager")

QUERY_DURATION = Level(
    "query_duration", "Duration", "Time of a query's last run", "s", "exporter_query_duration_seconds", operator="max"
)
ROWS_COUNTED = Rate(
    "rows_counted",
    "Rows counted",
    "Rows and changes of rows that were counted, per second",
    "ops",
    "platform_rollup_rows_total",
)
BACKFILLED = Level(
    "backfilled", "Old rows counted", "Old rows counted / old rows", "percentunit", "platform_rollup_backfill_ratio",
    operator="max",
)  # fmt: skip
OPEN_ROWS = Level("open_rows", "Open rows", "Rows that may still change", "short", "platform_rollup_open_rows", operator="max")
RECONCILED = Level(
    "reconciled", "Ledger / Langfuse", "Ledger / Langfuse's own sum; 1 is equal", "percentunit",
    "exporter_reconciliation_ratio", operator="min",
)  # fmt: skip
CORRECTIONS = Count(
    "ledger_corrections", "Corrections", "Corrections of calls that were counted before", "short",
    "langfuse_ledger_corrections_total",
)  # fmt: skip
UNPRICED = Count("unpriced", "Calls without a price", "Model calls without a price", "short", "langfuse_unpriced_calls_total")
NOTIFIED = Rate(
    "notified", "Notifications", "Notifications that Alertmanager tried to deliver, per second", "ops",
    "alertmanager_notifications_total",
)  # fmt: skip
MEMORY = Level(
    "memory", "Resident memory", "Resident memory of a process", "bytes", "process_resident_memory_bytes", (_OURS,), "max"
)
CPU = Rate("cpu", "Processor", "Seconds of processor time per second", "percentunit", "process_cpu_seconds_total", (_OURS,))
CONNECTIONS = Level(
    "connections", "Connections", "Connections to PostgreSQL that are open", "short", "exporter_database_connections"
)
SCRAPE_DURATION = Level("scrape_duration", "Scrape", "Time of a scrape", "s", "scrape_duration_seconds", operator="max")
SAMPLES = Level("samples", "Samples", "Samples of the last scrape", "short", "scrape_samples_scraped")
REFUSED = Count("refused", "Refused scrapes", "Scrapes that the exporter refused", "short", "exporter_scrapes_refused_total")
TABLE_SIZE = Level(
    "table_size", "Size", "Size of a table with its indexes", "bytes", "platform_table_size_bytes", operator="max"
)
COLLECTOR_FAILURES = Level(
    "collector_failures", "Failed in a row", "Runs of a collector that failed in a row", "short", "exporter_collector_failures",
    operator="max",
)  # fmt: skip
COLLECTOR_DURATION = Level(
    "collector_duration", "Duration", "Time of a collector's last run", "s", "exporter_collector_duration_seconds",
    operator="max",
)  # fmt: skip
COLLECTOR_NEXT = Level(
    "collector_next", "Next run", "When a collector will run next", "s", "exporter_collector_next_run_timestamp_seconds",
    operator="min",
)  # fmt: skip
NEXT_POLL = Level(
    "next_poll", "Next question", "When an interface will be asked next", "s", "exporter_api_next_poll_timestamp_seconds",
    operator="min",
)  # fmt: skip
VERSIONS = tuple(
    Level(f"{name}_version", "Version", f"Version of {name} that runs", "none", f"{name}_build_info", operator="max")
    for name in ("prometheus", "alertmanager")
)
SLOW_STATEMENT = Level(
    "slow_statement", "Mean time", "Mean time of a slow statement", "s", "platform_slow_statement_seconds", operator="max"
)
