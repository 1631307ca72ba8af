"""Recorded rates of model calls: at once from the platform, by the hour from the ledger."""

from __future__ import annotations

from contract.signals.models import (
    LLM_CACHE_READ_RATIO,
    LLM_CACHE_READ_TOKENS,
    LLM_CALLS,
    LLM_COST,
    LLM_ERROR_RATIO,
    LLM_FIRST_CHUNK,
    LLM_LATENCY,
    LLM_RATE_LIMITED_RATIO,
    LLM_SECONDS,
    LLM_TOKENS,
    MODEL_CALLS,
    MODEL_COST,
    MODEL_ERROR_RATIO,
    MODEL_TOKENS,
)
from recording_rules.model import Group, RecordedRate, RecordedSignal

_MODEL, _PROVIDER = "gen_ai_request_model", "gen_ai_provider_name"
_DURATION, _FIRST = "llm_duration_seconds", "llm_ttft_seconds"

GROUPS = (
    Group(
        "model_rates", "15s",
        (
            RecordedRate(LLM_CALLS.leaf, "llm_calls", (_MODEL,), "5m"),
            RecordedRate(LLM_CALLS.leaf, "llm_calls", (_PROVIDER, _MODEL, "error_type"), "5m"),
            RecordedRate(LLM_TOKENS.leaf, "llm_tokens", (_MODEL, "gen_ai_token_type"), "5m"),
            RecordedRate(LLM_SECONDS.leaf, "llm_seconds", (_MODEL,), "5m"),
            RecordedRate(LLM_CACHE_READ_TOKENS.leaf, "llm_cache_read_tokens", (_MODEL,), "5m"),
            RecordedRate(LLM_LATENCY.leaf, f"{_DURATION}_bucket", (_MODEL, "le"), "5m"),
            RecordedRate(LLM_FIRST_CHUNK.leaf, f"{_FIRST}_bucket", (_MODEL, "le"), "5m"),
        ),
        level=0,
    ),
    Group(
        "model_figures", "30s",
        (
            RecordedSignal(LLM_ERROR_RATIO, "llm_errors", (_MODEL,), "5m"),
            RecordedSignal(LLM_ERROR_RATIO, "llm_errors", (_PROVIDER,), "5m"),
            RecordedSignal(LLM_RATE_LIMITED_RATIO, "llm_rate_limited", (_MODEL,), "5m"),
            *(RecordedSignal(LLM_LATENCY.at(q), _DURATION, (_MODEL,), "5m") for q in (0.5, 0.95, 0.99)),
            *(RecordedSignal(LLM_FIRST_CHUNK.at(q), _FIRST, (_MODEL,), "5m") for q in (0.5, 0.95)),
            RecordedSignal(LLM_CACHE_READ_RATIO, "llm_cache_read", (_MODEL,), "5m"),
        ),
        level=1,
    ),
    Group(
        "model_cost_rates", "1m",
        (
            RecordedRate(LLM_COST.leaf, "llm_cost_usd", (_MODEL,), "1h"),
            RecordedRate(LLM_COST.leaf, "llm_cost_usd", ("agent",), "1h"),
            RecordedRate(MODEL_CALLS.leaf, "ledger_calls", ("model", "status"), "1h"),
            RecordedRate(MODEL_TOKENS.leaf, "ledger_tokens", ("model", "type"), "1h"),
            RecordedRate(MODEL_COST.leaf, "ledger_cost_usd", ("model",), "1h"),
        ),
        level=0,
    ),
    Group(
        "model_ledger_figures", "1m",
        (RecordedSignal(MODEL_ERROR_RATIO, "ledger_errors", ("model",), "1h"),),
        level=1,
    ),
)  # fmt: skip
