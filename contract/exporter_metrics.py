"""Metrics of our own exporter.

Names of our own, never the platform's, so that nothing is counted twice. Every fact carries `environment` where the platform
knows it; gauges of users, tickets and documents are environment-free, and panels say that the filter does not act on them.
Counters come from cumulative state, equal on every replica: query `max without (instance) (rate(x[5m]))`, never a sum over
replicas and never the rate of a maximum.
"""

from __future__ import annotations

from contract import buckets
from contract.metrics import Metric, MetricType, Source

P, L, X = Source.POSTGRES, Source.LANGFUSE, Source.EXPORTER
_NO_NEW_VERSION = "no version is new"
_NO_OUTLOOK = "forecasts and advice were never made: they come minutes after the first start, by the connection that writes"
_NO_PLAN = "no limit is known: a server of one's own has none"


def _counter(source: Source, name: str, labels: str, help_: str, unit: str = "") -> Metric:
    return Metric(name, MetricType.COUNTER, tuple(labels.split()), help_, source, unit)


def _gauge(source: Source, name: str, labels: str, help_: str, unit: str = "", absent: str = "") -> Metric:
    return Metric(name, MetricType.GAUGE, tuple(labels.split()), help_, source, unit, absent=absent)


def _histogram(source: Source, name: str, labels: str, bounds: tuple[float, ...], help_: str) -> Metric:
    return Metric(name, MetricType.HISTOGRAM, tuple(labels.split()), help_, source, "seconds", bounds)


POSTGRES = (
    _gauge(P, "platform_users", "role", "Users by role"),
    _gauge(P, "platform_users_active", "window", "Users with at least one own message in the window"),
    _gauge(P, "platform_users_active_before", "window", "Users with at least one own message in the equal window before"),
    _gauge(P, "platform_users_new", "window", "Users created in the window"),
    _gauge(P, "platform_conversations", "environment", "Conversations, all time"),
    _gauge(P, "platform_window_conversations", "environment window", "Conversations started in the window"),
    _gauge(
        P,
        "platform_goal_success_ratio",
        "agent environment window",
        "Ended conversations with the goal achieved / those with a known goal",
        "ratio",
    ),
    _gauge(P, "platform_handoff_ratio", "agent environment window", "Conversations handed over / conversations ended", "ratio"),
    _gauge(P, "platform_nps_points", "window", "Net promoter score, -100 to 100"),
    _gauge(P, "platform_window_nps_answers", "window", "Answers to the NPS question in the window"),
    _gauge(P, "platform_feedback_rating_average", "environment window", "Mean stars, 1 to 5"),
    _gauge(P, "platform_feedback_positive_ratio", "agent environment window", "Thumbs up / thumbs", "ratio"),
    _gauge(
        P,
        "platform_feedback_response_ratio",
        "environment window",
        "Conversations with feedback / conversations ended",
        "ratio",
    ),
    _gauge(P, "platform_tickets", "status priority", "Tickets by status and priority"),
    _gauge(P, "platform_tickets_unassigned", "priority", "Open tickets without assignee"),
    _gauge(P, "platform_ticket_oldest_open_age_seconds", "priority", "Age of the oldest open ticket", "seconds"),
    _gauge(
        P,
        "platform_ticket_sla_attainment_ratio",
        "kind window",
        "Tickets served before due / tickets served or past due",
        "ratio",
    ),
    _gauge(P, "platform_ticket_reopen_ratio", "window", "Resolved tickets that were reopened / resolved", "ratio"),
    _gauge(P, "platform_tickets_sla_at_risk", "kind priority", "Open tickets that are not served and due within an hour"),
    _gauge(P, "platform_tickets_overdue", "kind priority", "Open tickets that are not served and past due"),
    _gauge(P, "platform_documents", "status", "Documents by status"),
    _gauge(P, "platform_document_chunks", "", "Chunks of all documents"),
    _gauge(L, "platform_cost_usd", "scope window", "Model cost attributed to a scope", "usd"),
    _gauge(
        L,
        "platform_cost_per_conversation_usd",
        "agent environment window",
        "Model cost of conversations / conversations",
        "usd",
    ),
    _gauge(
        L,
        "platform_cost_per_success_usd",
        "agent environment window",
        "Model cost / conversations with the goal achieved",
        "usd",
    ),
    _gauge(L, "platform_budget_limit_usd", "scope", "Budget of the current month", "usd"),
    _gauge(L, "platform_budget_spent_usd", "scope", "Spent of the current month", "usd"),
    _gauge(L, "platform_budget_spent_ratio", "scope", "Spent of the current month / budget", "ratio"),
    _gauge(L, "platform_budget_forecast_usd", "scope", "Expected spend at the end of the month", "usd"),
    _gauge(
        L,
        "platform_budget_exhaustion_timestamp_seconds",
        "scope",
        "When the budget will be used up at the expected pace",
        "seconds",
        absent="the budget lasts until the month ends",
    ),
    _gauge(L, "platform_cache_savings_usd", "window", "Saved by prompt caches", "usd"),
    _gauge(P, "platform_queue_messages", "queue", "Messages that wait in a queue", absent="nothing waits in a queue"),
    _gauge(P, "platform_sessions_active", "environment", "Sessions that are going on"),
    _gauge(P, "platform_executions_in_progress", "agent environment", "Agent executions that have begun and not ended"),
    _gauge(
        P,
        "platform_version_regression_ratio",
        "agent environment measure",
        "Newest version / the version before it over equal times; above 1 is worse",
        "ratio",
        absent=_NO_NEW_VERSION,
    ),
    _gauge(
        P,
        "platform_version_regression_p_value",
        "agent environment measure",
        "Chance that a newest version which is no worse looks so much worse; none while a side has too few executions",
        absent="no version is new, or it was seldom used",
    ),
    _gauge(
        P,
        "platform_version_sample",
        "agent environment side version",
        "Executions that ended on a side of the comparison of versions",
        absent=_NO_NEW_VERSION,
    ),
    _gauge(
        P,
        "platform_regressions_open",
        "agent environment measure",
        "1 when the newest version is recorded as worse and nobody has dismissed that",
        absent=_NO_NEW_VERSION,
    ),
    _gauge(
        P,
        "platform_load_test_levels_broken",
        "agent environment",
        "Service levels that the newest load test of an agent did not keep",
        absent="no load test has ended",
    ),
    _gauge(
        P,
        "platform_forecast_made_timestamp_seconds",
        "",
        "When forecasts and advice were made",
        "seconds",
        absent=_NO_OUTLOOK,
    ),
    _gauge(
        P,
        "platform_forecast_error_ratio",
        "subject",
        "Errors of the forecast's method on the past / what happened",
        "ratio",
        absent="fewer than four weeks are known",
    ),
    _gauge(
        P,
        "platform_forecast_change_ratio",
        "subject",
        "Mean day of the next four weeks / mean day of the last four",
        "ratio",
        absent="fewer than four weeks are known",
    ),
    _gauge(P, "platform_advice", "advice", "Pieces of advice that stand", absent=_NO_OUTLOOK),
    _gauge(P, "platform_rollup_advanced_timestamp_seconds", "source", "When a roll-up was last advanced", "seconds"),
    _gauge(P, "platform_rollup_mode", "source mode", "1 for the way in which the changes of a source are captured"),
    _counter(P, "platform_rollup_rows_total", "source", "Rows and changes of rows that were counted"),
    _counter(P, "platform_rollup_corrections_total", "source", "Changes of rows that had been counted as final"),
    _gauge(P, "platform_rollup_open_rows", "source", "Rows that may still change and are remembered as they were counted"),
    _gauge(P, "platform_rollup_drift_rows", "source", "Counted rows less recounted rows in the samples of the last day"),
    _gauge(P, "platform_rollup_rebuild_needed", "source", "1 when a source has to be counted anew; `db status` says why"),
    _gauge(P, "platform_rollup_backfill_ratio", "source", "Old rows counted / old rows, estimated", "ratio"),
    _gauge(P, "platform_table_size_bytes", "table", "Size of a table with its indexes", "bytes"),
    _gauge(P, "platform_table_rows", "table", "Rows of a table, estimated by PostgreSQL"),
    _counter(P, "platform_conversations_started_total", "agent environment", "Conversations started"),
    _counter(P, "platform_conversations_ended_total", "agent environment goal", "Conversations ended"),
    _counter(P, "platform_handoffs_total", "agent environment reason", "Conversations handed over to a person"),
    _counter(P, "platform_users_created_total", "role", "Users created"),
    _counter(P, "platform_executions_started_total", "agent version environment", "Agent executions begun"),
    _counter(P, "platform_executions_total", "agent version environment status", "Agent executions ended"),
    _counter(
        P, "platform_execution_errors_total", "agent environment error_type", "Agent executions that failed, by kind of failure"
    ),
    _counter(P, "platform_execution_tokens_total", "agent environment", "Tokens of ended agent executions", "tokens"),
    _counter(P, "platform_execution_retries_total", "agent environment", "Repeated attempts within agent executions"),
    _histogram(
        P,
        "platform_execution_duration_seconds",
        "agent version environment outcome",
        buckets.AGENT,
        "Time of an agent execution; outcome is success or failed",
    ),
    _counter(P, "platform_tool_calls_total", "tool environment status", "Tool calls ended"),
    _histogram(P, "platform_tool_call_duration_seconds", "tool environment", buckets.TOOL, "Time of a tool call"),
    _counter(P, "platform_workflow_runs_total", "workflow_type environment status", "Workflows ended"),
    _histogram(P, "platform_workflow_duration_seconds", "workflow_type environment", buckets.WORKFLOW, "Time of a workflow"),
    _counter(P, "platform_sessions_started_total", "environment", "Sessions begun"),
    _counter(P, "platform_sessions_ended_total", "environment", "Sessions ended"),
    _histogram(P, "platform_session_duration_seconds", "environment", buckets.SESSION, "Time of a session"),
    _counter(P, "platform_messages_total", "environment role", "Messages written"),
    _counter(P, "platform_message_tokens_total", "environment role", "Tokens of messages", "tokens"),
    _counter(P, "platform_feedback_total", "agent environment sentiment", "Thumbs given"),
    _counter(P, "platform_feedback_ratings_total", "environment rating", "Stars given"),
    _counter(P, "platform_nps_answers_total", "group", "Answers to the NPS question"),
    _counter(P, "platform_tickets_created_total", "priority", "Tickets opened"),
    _counter(P, "platform_tickets_resolved_total", "priority", "Tickets resolved"),
    _counter(P, "platform_ticket_sla_total", "kind result", "Tickets that met or missed their service level"),
    _counter(P, "platform_ticket_reopens_total", "priority", "Times that resolved tickets were opened again"),
    _histogram(P, "platform_ticket_first_response_seconds", "priority", buckets.TICKET, "Time to the first response"),
    _histogram(P, "platform_ticket_resolution_seconds", "priority", buckets.TICKET, "Time to the resolution of a ticket"),
    _counter(P, "platform_documents_uploaded_total", "file_type", "Documents uploaded"),
    _counter(P, "platform_documents_processed_total", "file_type status", "Documents whose processing ended"),
    _counter(P, "platform_document_chunks_made_total", "", "Chunks made of documents"),
    _counter(P, "platform_kb_searches_total", "result", "Searches of the knowledge base that found something or nothing"),
    _histogram(P, "platform_kb_search_duration_seconds", "", buckets.SEARCH, "Time of a search of the knowledge base"),
    _counter(P, "platform_logins_total", "result", "Attempts to log in"),
    _counter(P, "platform_feature_uses_total", "feature", "Uses of features"),
    _gauge(
        P,
        "platform_slow_statement_seconds",
        "statement",
        "Mean time of the slowest statements of the database",
        "seconds",
        absent="the database does not have pg_stat_statements",
    ),
)

LANGFUSE = (
    _counter(L, "langfuse_generations_total", "model environment status", "Model calls in the ledger"),
    _counter(L, "langfuse_tokens_total", "model environment type", "Tokens in the ledger", "tokens"),
    _counter(L, "langfuse_cost_usd_total", "model environment", "Cost in the ledger", "usd"),
    _histogram(L, "langfuse_generation_duration_seconds", "model environment", buckets.LLM, "Time of a model call"),
    _histogram(
        L,
        "langfuse_time_to_first_token_seconds",
        "model environment",
        buckets.LLM,
        "Time to the first token of a streamed call",
    ),
    _counter(L, "langfuse_traces_total", "agent environment", "Traces with a model call in the ledger"),
    _gauge(
        L,
        "langfuse_call_delay_seconds",
        "",
        "95th percentile of the time from the end of a model call until it is in the ledger, of an hour that has settled",
        "seconds",
        absent="no model call began in the hour that has settled",
    ),
    _counter(L, "langfuse_scores_total", "name source environment", "Scores given"),
    _gauge(
        L, "langfuse_score_sum", "name source environment", "Sum of the values of all scores; may fall, scores can be negative"
    ),
    _counter(L, "langfuse_ledger_corrections_total", "measure", "Negative corrections of rows that were already counted"),
    _counter(L, "langfuse_unpriced_calls_total", "model environment", "Model calls in the ledger without a price"),
    _gauge(L, "langfuse_window_calls", "model environment window", "Model calls in the window"),
    _gauge(L, "langfuse_window_errors", "model environment window", "Failed model calls in the window"),
    _gauge(L, "langfuse_window_tokens", "model environment window type", "Tokens in the window", "tokens"),
    _gauge(L, "langfuse_window_cost_usd", "model environment window", "Cost in the window", "usd"),
    _gauge(
        L,
        "langfuse_window_latency_seconds",
        "model environment window",
        "95th percentile of the time of model calls in the window",
        "seconds",
    ),
)

SELF = (
    _gauge(X, "exporter_query_success", "source query", "1 when the last run of a query succeeded"),
    _gauge(
        X,
        "exporter_query_duration_seconds",
        "source query",
        "Time of the last run of a query; what one statement answers together shows the time of all of it",
        "seconds",
    ),
    _gauge(X, "exporter_query_last_success_timestamp_seconds", "source query", "When a query last succeeded", "seconds"),
    _counter(X, "exporter_query_failures_total", "source query", "Runs of a query that failed while its source answered"),
    _gauge(X, "exporter_query_rows", "source query", "Rows of the last successful run"),
    _gauge(X, "exporter_source_up", "source", "1 when the source answers"),
    _gauge(
        X, "exporter_source_data_timestamp_seconds", "source", "Time that the served figures of a source stand for", "seconds"
    ),
    _counter(X, "exporter_api_requests_total", "api code", "Requests sent to an interface"),
    _gauge(X, "exporter_api_budget_remaining", "api", "Requests left in the current period", absent=_NO_PLAN),
    _gauge(X, "exporter_api_budget_limit", "api", "Requests allowed in a period", absent=_NO_PLAN),
    _gauge(X, "exporter_api_next_poll_timestamp_seconds", "api", "When an interface will be asked next", "seconds"),
    _counter(X, "exporter_truncated_results_total", "source query", "Answers that were cut at the row limit"),
    _gauge(X, "exporter_ledger_lag_seconds", "source", "Age of the newest row of the ledger", "seconds"),
    _gauge(X, "exporter_reconciliation_ratio", "measure", "Ledger / Langfuse aggregate; 1 is equal", "ratio"),
    _gauge(X, "exporter_database_connections", "", "Connections to PostgreSQL that are open"),
    _gauge(
        X, "exporter_collector_failures", "collector", "Runs of a collector that failed in a row; it waits longer after each"
    ),
    _gauge(X, "exporter_collector_duration_seconds", "collector", "Time of the last run of a collector", "seconds"),
    _gauge(X, "exporter_collector_next_run_timestamp_seconds", "collector", "When a collector will run next", "seconds"),
    _counter(X, "exporter_scrapes_refused_total", "", "Connections refused because of a limit, or for being silent"),
    _counter(X, "exporter_label_overflow_total", "source query", "Rows whose label values went into the overflow"),
)

METRICS = POSTGRES + LANGFUSE + SELF
