"""Where alerts begin. The same numbers are drawn in the panels."""

from __future__ import annotations

from pydantic import ValidationInfo, field_validator

from contract.values import Amount, Count, Section, Share

_WORSE = {
    "error_ratio_critical": "error_ratio",
    "error_ratio_page": "error_ratio_critical",
    "response_seconds_page": "response_seconds",
    "http_error_ratio_page": "http_error_ratio",
    "provider_error_ratio": "model_error_ratio",
    "capacity_ratio_critical": "capacity_ratio",
    "pool_ratio_critical": "pool_ratio",
}
"""Limits that lie beyond a milder one."""


class Thresholds(Section):
    """Limits of alerts. Names that begin with `minimum` are the least that must have happened for an alert to mean something.

    `_seconds` of a percentile is a bucket bound of its histogram. `_change` is now / the time before. What begins with `target`
    is aimed at and drawn; no alert watches it.
    """

    success_ratio: Share = 0.90
    target_response_seconds: Amount = 2.0
    target_conversation_usd: Amount = 0.50
    response_seconds: Amount = 5.0
    error_ratio: Share = 0.05
    error_ratio_critical: Share = 0.20
    error_ratio_page: Share = 0.30
    response_seconds_page: Amount = 12.5
    budget_warning: Share = 0.80
    minimum_queries: Count = 10
    minimum_queries_percentile: Count = 20
    minimum_queries_page: Count = 5
    minimum_failures_page: Count = 5
    minimum_conversations: Count = 20
    minimum_missed: Count = 15
    minimum_failures: Count = 5
    retries_per_query: Amount = 0.5
    minimum_retries: Count = 10
    guardrail_block_ratio: Share = 0.10
    minimum_blocks: Count = 10
    handoff_change: Amount = 2.5
    minimum_handoffs: Count = 20
    negative_feedback_ratio: Share = 0.50
    minimum_negative_feedback: Count = 10
    nps_drop: Amount = 25
    minimum_nps_answers: Count = 200
    http_error_ratio: Share = 0.05
    http_error_ratio_page: Share = 0.30
    http_seconds: Amount = 5.0
    minimum_requests: Count = 50
    store_error_ratio: Share = 0.05
    vector_seconds: Amount = 0.5
    minimum_operations: Count = 20
    cache_hits_left: Share = 0.7
    minimum_lookups: Count = 100
    login_failure_ratio: Share = 0.30
    minimum_login_failures: Count = 20
    tool_error_ratio: Share = 0.10
    workflow_error_ratio: Share = 0.10
    model_error_ratio: Share = 0.10
    provider_error_ratio: Share = 0.60
    rate_limited_ratio: Share = 0.05
    first_chunk_seconds: Amount = 5.12
    model_seconds: Amount = 20.48
    minimum_model_calls: Count = 20
    first_chunk_change: Amount = 2.0
    tokens_per_call_change: Amount = 2.5
    minimum_model_calls_hour: Count = 60
    cost_change: Amount = 3.0
    cost_change_week: Amount = 2.0
    minimum_cost_usd: Count = 10
    cost_per_success_change: Amount = 2.0
    capacity_ratio: Share = 0.80
    capacity_ratio_critical: Share = 0.95
    pool_ratio: Share = 0.80
    pool_ratio_critical: Share = 0.90
    pool_waiting: Count = 5
    queue_age_seconds: Amount = 900
    minimum_waiting: Count = 5
    queue_messages: Count = 1000
    redis_memory_ratio: Share = 0.90
    redis_evictions: Amount = 10
    postgres_connection_ratio: Share = 0.80
    postgres_deadlocks: Count = 5
    empty_search_ratio: Share = 0.25
    minimum_empty_searches: Count = 20
    search_seconds: Amount = 1.0
    minimum_searches: Count = 20
    upload_failure_ratio: Share = 0.20
    sla_attainment: Share = 0.90
    tickets_at_risk: Count = 20
    tickets_overdue: Count = 50
    first_response_seconds: Amount = 7200
    minimum_tickets: Count = 10
    urgent_unassigned: Count = 2
    reopen_ratio: Share = 0.20
    minimum_reopens: Count = 10
    data_age_seconds: Amount = 600
    rollup_age_seconds: Amount = 300
    query_seconds: Amount = 5.0
    ledger_lag_seconds: Amount = 3600
    requests_left: Share = 0.1
    rule_duration_share: Share = 0.5
    samples_left: Share = 0.5
    budget_share_hour: Share = 0.02
    budget_share_6_hours: Share = 0.05
    budget_share_day: Share = 0.10
    budget_share_3_days: Share = 0.10
    minimum_slo_events: Count = 100
    regression_minimum: Count = 100
    regression_ratio: Amount = 1.2
    regression_p_value: Share = 0.01
    capacity_left_seconds: Amount = 604800
    storage_left_seconds: Amount = 604800
    budget_left_seconds: Amount = 259200
    storage_gigabytes: Amount = 100
    accounted_share: Share = 0.9
    minimum_accounted: Count = 100

    @field_validator(*_WORSE)
    @classmethod
    def _worse_is_further(cls, value: float, info: ValidationInfo) -> float:
        milder = _WORSE[info.field_name or ""]
        below = info.data.get(milder)
        if below is not None and value <= below:
            raise ValueError(f"{info.field_name} {value:g} must be above {milder}, which is {below:g}")
        return value
