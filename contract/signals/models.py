"""Model calls, as the ledger counts them."""

from __future__ import annotations

from contract.signals.model import Rate

MODEL_CALLS = Rate("model_calls", "Model calls", "Model calls in the ledger per second", "ops", "langfuse_generations_total")
MODEL_TOKENS = Rate("model_tokens", "Tokens", "Tokens of model calls per second", "ops", "langfuse_tokens_total")
MODEL_COST = Rate("model_cost", "Model cost", "Cost of model calls, USD per second", "currencyUSD", "langfuse_cost_usd_total")
