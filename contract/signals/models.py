"""Model calls: at once, as the platform says them in the names of OpenTelemetry; later and priced, as the ledger has them."""

from __future__ import annotations

from contract.signals.agents import FAILED_STATUS
from contract.signals.model import Change, Mean, Quantile, Quotient, Rate, Ratio, equal, like, other

LLM_CALLS = Rate("llm_calls", "Model calls", "Model calls per second", "ops", "gen_ai_client_operation_duration_seconds")
LLM_FAILURES = Rate(
    "llm_failures",
    "Failed model calls",
    "Model calls that failed, per second",
    "ops",
    "gen_ai_client_operation_duration_seconds",
    (other("error_type", ""),),
)
LLM_ERROR_RATIO = Ratio(
    "llm_error_ratio", "Error ratio", "Model calls that failed / model calls", "percentunit", LLM_FAILURES, LLM_CALLS
)
LLM_RATE_LIMITED = Rate(
    "llm_rate_limited",
    "Rate-limited calls",
    "Model calls that the provider refused because of a rate limit, per second",
    "ops",
    "gen_ai_client_operation_duration_seconds",
    (equal("error_type", "rate_limit"),),
)
LLM_RATE_LIMITED_RATIO = Ratio(
    "llm_rate_limited_ratio",
    "Rate-limited share",
    "Model calls that the provider refused because of a rate limit / model calls",
    "percentunit",
    LLM_RATE_LIMITED,
    LLM_CALLS,
)
LLM_LATENCY = Quantile(
    "llm_latency_p95",
    "p95",
    "95th percentile of the time of a model call",
    "s",
    "gen_ai_client_operation_duration_seconds",
    0.95,
)
LLM_FIRST_CHUNK = Quantile(
    "llm_first_chunk_p95",
    "First chunk p95",
    "95th percentile of the time to the first chunk of a streamed answer",
    "s",
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    0.95,
)
LLM_CHUNK_TIME = Mean(
    "llm_chunk_time",
    "Time per chunk",
    "Mean time between two chunks of a streamed answer",
    "s",
    "gen_ai_client_operation_time_per_output_chunk_seconds",
)
LLM_TOKENS = Rate(
    "llm_tokens", "Tokens", "Input and output tokens of model calls per second", "ops", "gen_ai_client_token_usage", of="sum"
)
LLM_INPUT_TOKENS = Rate(
    "llm_input_tokens",
    "Input tokens",
    "Tokens sent to models per second",
    "ops",
    "gen_ai_client_token_usage",
    (equal("gen_ai_token_type", "input"),),
    of="sum",
)
LLM_OUTPUT_TOKENS = Rate(
    "llm_output_tokens",
    "Output tokens",
    "Tokens received from models per second",
    "ops",
    "gen_ai_client_token_usage",
    (equal("gen_ai_token_type", "output"),),
    of="sum",
)
LLM_CACHE_READ_TOKENS = Rate(
    "llm_cache_read_tokens",
    "Read from cache",
    "Input tokens read from a prompt cache per second; a part of the input",
    "ops",
    "gen_ai_client_inference_usage_cache_read_input_tokens_total",
)
LLM_CACHE_WRITE_TOKENS = Rate(
    "llm_cache_write_tokens",
    "Written to cache",
    "Input tokens written to a prompt cache per second; a part of the input",
    "ops",
    "gen_ai_client_inference_usage_cache_write_input_tokens_total",
)
LLM_REASONING_TOKENS = Rate(
    "llm_reasoning_tokens",
    "Reasoning",
    "Output tokens spent on reasoning per second; a part of the output",
    "ops",
    "gen_ai_client_inference_usage_reasoning_output_tokens_total",
)
LLM_CACHE_READ_RATIO = Ratio(
    "llm_cache_read_ratio",
    "Cache read share",
    "Input tokens read from a prompt cache / input tokens",
    "percentunit",
    LLM_CACHE_READ_TOKENS,
    LLM_INPUT_TOKENS,
)
LLM_SECONDS = Rate(
    "llm_seconds",
    "Time in model calls",
    "Seconds spent in model calls per second: how many are under way on average",
    "none",
    "gen_ai_client_operation_duration_seconds",
    of="sum",
)
LLM_OUTPUT_SPEED = Quotient(
    "llm_output_speed",
    "Output tokens per second",
    "Output tokens / seconds spent in model calls, the wait for the first token included",
    "ops",
    LLM_OUTPUT_TOKENS,
    LLM_SECONDS,
)
LLM_TOKENS_PER_CALL = Quotient(
    "llm_tokens_per_call", "Tokens per call", "Input and output tokens / model calls", "short", LLM_TOKENS, LLM_CALLS
)
LLM_COST = Rate(
    "llm_cost", "Model cost", "Cost of model calls as the platform prices them, USD per second", "currencyUSD",
    "gen_ai_usage_cost_usd_total",
)  # fmt: skip

MODEL_CALLS = Rate("model_calls", "Model calls", "Model calls in the ledger per second", "ops", "langfuse_generations_total")
MODEL_FAILURES = Rate(
    "model_failures",
    "Failed model calls",
    "Model calls in the ledger that failed or timed out, per second",
    "ops",
    "langfuse_generations_total",
    (FAILED_STATUS,),
)
MODEL_ERROR_RATIO = Ratio(
    "model_error_ratio",
    "Error ratio",
    "Model calls in the ledger that failed or timed out / model calls",
    "percentunit",
    MODEL_FAILURES,
    MODEL_CALLS,
)
MODEL_TOKENS = Rate("model_tokens", "Tokens", "Tokens of model calls per second", "ops", "langfuse_tokens_total")
MODEL_BILLED_TOKENS = Rate(
    "model_billed_tokens",
    "Input and output tokens",
    "Input and output tokens of model calls per second; the other types are parts of these",
    "ops",
    "langfuse_tokens_total",
    (like("type", "input|output"),),
)
MODEL_INPUT_TOKENS = Rate(
    "model_input_tokens", "Input tokens", "Input tokens of model calls per second", "ops", "langfuse_tokens_total",
    (equal("type", "input"),),
)  # fmt: skip
MODEL_CACHE_READ_TOKENS = Rate(
    "model_cache_read_tokens",
    "Read from cache",
    "Input tokens read from a prompt cache per second; a part of the input",
    "ops",
    "langfuse_tokens_total",
    (equal("type", "cache_read"),),
)
MODEL_CACHE_READ_RATIO = Ratio(
    "model_cache_read_ratio",
    "Cache read share",
    "Input tokens read from a prompt cache / input tokens, in the ledger",
    "percentunit",
    MODEL_CACHE_READ_TOKENS,
    MODEL_INPUT_TOKENS,
)
MODEL_TOKENS_PER_CALL = Quotient(
    "model_tokens_per_call",
    "Tokens per call",
    "Input and output tokens / model calls, in the ledger",
    "short",
    MODEL_BILLED_TOKENS,
    MODEL_CALLS,
)
MODEL_COST = Rate("model_cost", "Model cost", "Cost of model calls, USD per second", "currencyUSD", "langfuse_cost_usd_total")
MODEL_LATENCY = Quantile(
    "model_latency_p95",
    "p95",
    "95th percentile of the time of a model call, in the ledger",
    "s",
    "langfuse_generation_duration_seconds",
    0.95,
)
MODEL_FIRST_TOKEN = Quantile(
    "model_first_token_p95",
    "First token p95",
    "95th percentile of the time to the first token of a streamed call, in the ledger",
    "s",
    "langfuse_time_to_first_token_seconds",
    0.95,
)

FIRST_CHUNK_CHANGE = Change(
    "first_chunk_change",
    "First chunk against yesterday",
    "Median time to the first chunk / the one at the same time yesterday",
    "times",
    LLM_FIRST_CHUNK.at(0.5),
    "1d",
)
TOKENS_PER_CALL_CHANGE = Change(
    "tokens_per_call_change",
    "Tokens per call against yesterday",
    "Tokens of a model call / those at the same time yesterday",
    "times",
    LLM_TOKENS_PER_CALL,
    "1d",
)
COST_CHANGE = Change(
    "cost_change", "Cost against yesterday", "Cost of model calls / that at the same time yesterday", "times", LLM_COST, "1d"
)
COST_CHANGE_WEEK = Change(
    "cost_change_week",
    "Cost against last week",
    "Cost of model calls / that at the same time a week ago",
    "times",
    LLM_COST,
    "7d",
)
MODEL_TRACES = Rate(
    "model_traces", "Traces", "Traces with a model call in the ledger, per second", "reqps", "langfuse_traces_total"
)
