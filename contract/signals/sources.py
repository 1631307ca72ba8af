"""The sources of the figures and their watchers: do they answer, how old is what they said, is anybody told?"""

from __future__ import annotations

from contract.signals.model import Age, Always, Change, Count, Level, Quotient, like, other

TARGET_UP = Level(
    "target_up", "Target answers", "1 while a scrape target answers, 0 while it does not", "none", "up", operator="min"
)
TARGETS_UP = Level(
    "targets_up", "Any target answers", "1 while at least one scrape target of a job answers", "none", "up", operator="max"
)
SAMPLES_SCRAPED = Level(
    "samples_scraped",
    "Samples of a scrape",
    "Samples that a target gave when it was last scraped",
    "short",
    "scrape_samples_scraped",
)
SAMPLES_AGAINST_BEFORE = Change(
    "samples_against_before", "Samples against an hour ago", "Samples of a scrape / those of an hour ago", "percentunit",
    SAMPLES_SCRAPED, "1h",
)  # fmt: skip

SOURCE_UP = Level(
    "source_up", "Source answers", "1 while the exporter reaches a source, 0 while it does not", "none", "exporter_source_up",
    operator="max",
)  # fmt: skip
DATA_AGE = Age(
    "data_age", "Age of the figures", "Time since the moment that the served figures of a source stand for", "s",
    "exporter_source_data_timestamp_seconds", (like("source", "rollups|postgres|langfuse"),), remembered="1h",
)  # fmt: skip
"""Only of the sources that are asked every minute: sizes of tables, audits and budgets may be older without harm."""
QUERY_SUCCESS = Level(
    "query_success", "Query succeeds", "1 while a query of the exporter succeeds, 0 while it fails", "none",
    "exporter_query_success", operator="max",
)  # fmt: skip
QUERY_TIME = Level(
    "query_time", "Time of a query", "Time that the last run of a query of the exporter took", "s",
    "exporter_query_duration_seconds", operator="max",
    matches=(other("query", "made"),),  # forecasts and advice: a process, which takes what it takes a few times a day
)  # fmt: skip
QUERY_AGE = Age(
    "query_age", "Time since a query succeeded", "Time since a query of the exporter last succeeded", "s",
    "exporter_query_last_success_timestamp_seconds", remembered="1h",
)  # fmt: skip
ROLLUP_AGE = Age(
    "rollup_age", "Age of a roll-up", "Time since a roll-up was last advanced", "s",
    "platform_rollup_advanced_timestamp_seconds", remembered="1h",
)  # fmt: skip
ROLLUP_DRIFT = Level(
    "rollup_drift", "Drift of a roll-up", "Rows by which the last day's samples and their recount differ", "short",
    "platform_rollup_drift_rows", operator="max",
)  # fmt: skip
ROLLUP_REBUILD = Level(
    "rollup_rebuild", "Rebuild needed", "1 when a source has to be counted anew", "none", "platform_rollup_rebuild_needed",
    operator="max",
)  # fmt: skip
RECONCILIATION = Level(
    "reconciliation", "Ledger against Langfuse", "The ledger / what Langfuse adds up itself for the same hour", "percentunit",
    "exporter_reconciliation_ratio", operator="min",
)  # fmt: skip
LEDGER_LAG = Level(
    "ledger_lag", "Lag of the ledger", "Age of the newest row of the ledger", "s", "exporter_ledger_lag_seconds", operator="min"
)
REQUESTS_LEFT = Quotient(
    "requests_left", "Requests left", "Requests left in the current period / requests allowed", "percentunit",
    Level("requests_remaining", "Left", "Requests left in the current period", "short", "exporter_api_budget_remaining",
          operator="min"),
    Level("requests_limit", "Allowed", "Requests allowed in a period", "short", "exporter_api_budget_limit",
          operator="max"),
)  # fmt: skip
TRUNCATED = Count(
    "truncated", "Cut answers", "Answers of sources that were cut at the row limit", "events",
    "exporter_truncated_results_total",
)  # fmt: skip
OVERFLOW = Count(
    "label_overflow", "Overflow of labels", "Rows whose label values went into the overflow", "events",
    "exporter_label_overflow_total",
)  # fmt: skip

RULE_FAILURES = Count(
    "rule_failures", "Failing rules", "Evaluations of rules that failed", "events",
    "prometheus_rule_evaluation_failures_total",
)  # fmt: skip
RULE_DURATION_SHARE = Quotient(
    "rule_duration_share", "Share of the interval", "Time that the last evaluation of a rule group took / its interval",
    "percentunit",
    Level("rule_duration", "Duration", "Time that the last evaluation took", "s", "prometheus_rule_group_last_duration_seconds",
          operator="max"),
    Level("rule_interval", "Interval", "Interval of a rule group", "s", "prometheus_rule_group_interval_seconds",
          operator="max"),
)  # fmt: skip
RULES_MISSED = Count(
    "rules_missed", "Missed evaluations", "Evaluations of rule groups that were left out", "events",
    "prometheus_rule_group_iterations_missed_total",
)  # fmt: skip
NOTIFICATIONS_FAILED = Count(
    "notifications_failed", "Failed notifications", "Notifications that Alertmanager could not deliver", "events",
    "alertmanager_notifications_failed_total",
)  # fmt: skip
NOTIFICATIONS_DROPPED = Count(
    "notifications_dropped", "Dropped alerts", "Alerts that Prometheus could not hand to Alertmanager", "events",
    "prometheus_notifications_dropped_total",
)  # fmt: skip
PROMETHEUS_LOADED = Level(
    "prometheus_loaded", "Prometheus' configuration", "1 while Prometheus runs with the configuration on disk", "none",
    "prometheus_config_last_reload_successful", operator="min",
)  # fmt: skip
ALERTMANAGER_LOADED = Level(
    "alertmanager_loaded", "Alertmanager's configuration", "1 while Alertmanager runs with the configuration on disk", "none",
    "alertmanager_config_last_reload_successful", operator="min",
)  # fmt: skip
ALWAYS = Always("always", "Alive", "1 as long as Prometheus evaluates rules", "none")
