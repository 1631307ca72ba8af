"""Recorded rates of model calls. Alerts look at a quarter of an hour of single models, and hold an hour against yesterday's."""

from __future__ import annotations

from contract.signals.models import (
    LLM_CALLS,
    LLM_COST,
    LLM_ERROR_RATIO,
    LLM_FIRST_CHUNK,
    LLM_LATENCY,
    LLM_RATE_LIMITED_RATIO,
    LLM_SECONDS,
    LLM_TOKENS,
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
            RecordedSignal(LLM_FIRST_CHUNK, _FIRST, (_MODEL,), "5m"),
        ),
        level=1,
    ),
    Group(
        "model_quarter_rates", "1m",
        (
            RecordedRate(LLM_CALLS.leaf, "llm_calls", (_PROVIDER, _MODEL, "error_type"), "15m"),
            RecordedRate(LLM_LATENCY.leaf, f"{_DURATION}_bucket", (_PROVIDER, _MODEL, "le"), "15m"),
            RecordedRate(LLM_FIRST_CHUNK.leaf, f"{_FIRST}_bucket", (_PROVIDER, _MODEL, "le"), "15m"),
        ),
        level=0,
    ),
    Group(
        "model_quarter_figures", "1m",
        (
            RecordedSignal(LLM_ERROR_RATIO, "llm_errors", (_PROVIDER, _MODEL), "15m"),
            RecordedSignal(LLM_RATE_LIMITED_RATIO, "llm_rate_limited", (_PROVIDER, _MODEL), "15m"),
            RecordedSignal(LLM_LATENCY, _DURATION, (_PROVIDER, _MODEL), "15m"),
            RecordedSignal(LLM_FIRST_CHUNK, _FIRST, (_PROVIDER, _MODEL), "15m"),
        ),
        level=1,
    ),
    Group(
        "model_hour_rates", "1m",
        (
            RecordedRate(LLM_CALLS.leaf, "llm_calls", (_PROVIDER, _MODEL), "1h"),
            RecordedRate(LLM_TOKENS.leaf, "llm_tokens", (_PROVIDER, _MODEL), "1h"),
            RecordedRate(LLM_FIRST_CHUNK.leaf, f"{_FIRST}_bucket", (_PROVIDER, _MODEL, "le"), "1h"),
        ),
        level=0,
    ),
    Group(
        "model_cost_rates", "1m",
        (
            RecordedRate(LLM_COST.leaf, "llm_cost_usd", (_MODEL,), "1h"),
            RecordedRate(LLM_COST.leaf, "llm_cost_usd", ("agent",), "1h"),
        ),
        level=0,
    ),
)  # fmt: skip
