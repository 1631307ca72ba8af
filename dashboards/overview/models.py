"""Model calls of the last 24 hours, from Langfuse through the exporter."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.labels import OVERFLOW
from contract.signals.model import Level, equal, like
from dashboards.lib import colours
from dashboards.lib.field import fixed, named
from dashboards.lib.figures import Stat
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, ask, series, top
from dashboards.lib.shares import PieChart

_DAY = (equal("window", "24h"),)
CALLS = Level("model_calls_24h", "Model calls", "Model calls in 24 hours", "short", "langfuse_window_calls", _DAY)
TOKENS = Level(
    "model_tokens_24h", "Tokens", "Input and output tokens of model calls in 24 hours; other kinds are parts of these", "short",
    "langfuse_window_tokens", (*_DAY, like("type", "input|output")),
)  # fmt: skip
NO_CALLS = "no model calls known"


def calls() -> Panel:
    return Stat(
        name="model_calls",
        title="Model calls, 24 h",
        description=(
            "Calls of language models in the last 24 hours, as Langfuse counts them. Zero with busy agents: tracing is off, or "
            "Langfuse is behind; see the age of the figures."
        ),
        targets=(series(CALLS, step="1m"),),
        width=5,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_CALLS,
        sparkline=True,
    )


def tokens_per_call() -> Panel:
    return Stat(
        name="tokens_per_call",
        title="Tokens/call, 24 h",
        description=(
            f"{DEFINITIONS['tokens_per_call'].formula}, input and output, in the last 24 hours. A jump after a release is a "
            "longer prompt or a longer history, and costs accordingly."
        ),
        targets=(PromQuery(expr=f"{ask(TOKENS)} / ({ask(CALLS)} > 0)", legend="Tokens per call", step="1m"),),
        width=5,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_CALLS,
        sparkline=True,
    )


def distribution() -> Panel:
    return PieChart(
        name="model_distribution",
        title="Calls by model, 24 h",
        description=(
            "Share of each model in the calls of the last 24 hours: the six most used, the rest together. A model that appears "
            "or vanishes without a release is a fallback or a changed route."
        ),
        targets=(top(CALLS, "model", 6, overflow=OVERFLOW),),
        unit="locale",
        decimals=0,
        no_value=NO_CALLS,
        overrides=(named(OVERFLOW, color=fixed(colours.GREY)),),
    )
