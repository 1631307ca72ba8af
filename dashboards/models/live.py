"""What models do now, as the platform counts its calls: traffic, speed, and how many calls are under way."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.model import Quantile, Signal, like
from contract.signals.models import LLM_CALLS, LLM_FIRST_CHUNK, LLM_LATENCY, LLM_OUTPUT_SPEED, LLM_SECONDS, LLM_TOKENS
from dashboards.lib import colours
from dashboards.lib.field import lines
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Calculation, Panel
from dashboards.lib.queries import PromQuery, series

MODEL = "gen_ai_request_model"
CHOSEN = (like(MODEL, "$model"),)
"""The platform's calls name the model as OpenTelemetry does, so the filter of models is written out."""
NO_TRAFFIC = "no traffic in range"
ONLY: tuple[Calculation, ...] = ("max",)
LATELY = "24h"
"""These graphs show how it is now, whatever range the comparison is over."""


def asked(signal: Signal, by: tuple[str, ...] = (MODEL,)) -> PromQuery:
    """A signal over five minutes, of the chosen models."""
    return series(signal, by, window="5m", where=CHOSEN)


def _graph(signal: Signal, name: str, title: str, description: str, unit: str, **more: object) -> Panel:
    return TimeSeries(
        name=name,
        title=title,
        description=description,
        targets=(asked(signal),),
        unit=unit,
        minimum=0,
        no_value=NO_TRAFFIC,
        always_last=LATELY,
        calculations=ONLY,
        **more,  # type: ignore[arg-type]
    )


def calls() -> Panel:
    return _graph(
        LLM_CALLS, "call_rate", "Calls by model",
        "Model calls per second, over five minutes, as the platform counts them. A model that appears or vanishes without a "
        "release is a fallback or a changed route.",
        "ops", stacked=True,
    )  # fmt: skip


def tokens() -> Panel:
    return _graph(
        LLM_TOKENS, "token_rate", "Tokens by model",
        "Input and output tokens per second, over five minutes. They rise and the calls do not: each call has become longer.",
        "short", stacked=True,
    )  # fmt: skip


def latency(settings: Settings) -> Panel:
    limit = settings.thresholds.model_seconds
    return _limited(LLM_LATENCY, "latency_now", "p95 of a call", limit, "From request to the last chunk, over five minutes.")


def first_chunk(settings: Settings) -> Panel:
    limit = settings.thresholds.first_chunk_seconds
    what = "Time to the first chunk of streamed answers, over five minutes: what users wait for."
    return _limited(LLM_FIRST_CHUNK, "first_chunk_now", "p95 to the first chunk", limit, what)


def _limited(signal: Quantile, name: str, title: str, limit: float, what: str) -> Panel:
    return _graph(
        signal, name, title,
        f"{what} The line is the alert's limit, {limit:g} s. One model of a provider: that model; all: the provider, or the "
        "way to it.",
        "s", limits=lines((limit, colours.DOWN)), drawn="dashed",
    )  # fmt: skip


def speed() -> Panel:
    return _graph(
        LLM_OUTPUT_SPEED, "speed_now", "Output tokens/s",
        "Output tokens / seconds spent in calls, over five minutes, the wait for the first token included. Slower with the "
        "same "
        "first chunk: the provider is busy.",
        "short",
    )  # fmt: skip


def under_way() -> Panel:
    return _graph(
        LLM_SECONDS, "under_way", "Calls under way",
        "How many calls of each model run at the same moment, on average over five minutes (seconds in calls per second). Near "
        "the number that the provider allows at once, calls begin to be refused.",
        "short", stacked=True,
    )  # fmt: skip
