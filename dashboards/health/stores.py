"""Vector stores, edge functions and queues."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.stores import (
    EDGE_ERROR_RATIO,
    EDGE_INVOCATIONS,
    EDGE_LATENCY,
    QUEUE_AGE,
    QUEUE_LENGTH,
    VECTOR_ERROR_RATIO,
    VECTOR_LATENCY,
    VECTOR_OPERATIONS,
)
from dashboards.health.headline import NO_TRAFFIC
from dashboards.lib import colours
from dashboards.lib.field import lines
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, series, slowest


def vector_operations() -> Panel:
    return TimeSeries(
        name="vector_operations",
        title="Operations of vector stores",
        description=(
            f"{VECTOR_OPERATIONS.description}, over five minutes. Searches follow the knowledge base's users, inserts its "
            "uploads."
        ),
        targets=(series(VECTOR_OPERATIONS, ("store", "operation"), window="5m"),),
        unit="ops",
        minimum=0,
        no_value=NO_TRAFFIC,
        calculations=("mean",),
    )


def vector_latency(settings: Settings) -> Panel:
    limit = settings.thresholds.vector_seconds
    return TimeSeries(
        name="vector_latency",
        title=f"Vector p95 (alert above {limit:g} s)",
        description=(
            f"{VECTOR_LATENCY.description}, over five minutes, in the slowest environment. Slow searches: the index has "
            "outgrown memory, or is being rebuilt; every answer that uses the knowledge base waits for them."
        ),
        targets=(slowest(VECTOR_LATENCY, ("store", "operation")),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "max"),
    )


def vector_errors(settings: Settings) -> Panel:
    return _failing(
        settings,
        "vector_errors",
        "Vector failures",
        f"{VECTOR_ERROR_RATIO.description}, over five minutes. Answers then lack what the knowledge base knows.",
        series(VECTOR_ERROR_RATIO, ("store",), window="5m"),
    )


def edge_calls() -> Panel:
    return TimeSeries(
        name="edge_calls",
        title="Calls of edge functions",
        description=f"{EDGE_INVOCATIONS.description}, over five minutes. None where there should be some: look at the caller.",
        targets=(series(EDGE_INVOCATIONS, ("function",), window="5m"),),
        unit="reqps",
        minimum=0,
        no_value=NO_TRAFFIC,
        calculations=("mean",),
    )


def edge_latency() -> Panel:
    return TimeSeries(
        name="edge_latency",
        title="p95 of edge functions",
        description=(
            f"{EDGE_LATENCY.description}, over five minutes, in the slowest environment. Short peaks after quiet times are "
            "cold starts."
        ),
        targets=(slowest(EDGE_LATENCY, ("function",)),),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        calculations=("lastNotNull", "max"),
    )


def edge_errors(settings: Settings) -> Panel:
    return _failing(
        settings,
        "edge_errors",
        "Edge failures",
        f"{EDGE_ERROR_RATIO.description}, over five minutes. One function fails: its last deployment; all: their platform.",
        series(EDGE_ERROR_RATIO, ("function",), window="5m"),
    )


def _failing(settings: Settings, name: str, title: str, description: str, query: PromQuery) -> Panel:
    """A share of failures with the limit that stores and functions have in common."""
    limit = settings.thresholds.store_error_ratio
    return TimeSeries(
        name=name,
        title=f"{title} (alert above {limit:.0%})",
        description=description,
        targets=(query,),
        unit="percentunit",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "max"),
    )


def queue_length(settings: Settings) -> Panel:
    limit = settings.thresholds.queue_messages
    return TimeSeries(
        name="queue_length",
        title=f"Messages waiting in queues (alert above {limit:,})",
        description=(
            f"{QUEUE_LENGTH.description}. It rises without end: messages come faster than they are taken, or nobody takes them."
        ),
        targets=(series(QUEUE_LENGTH, ("queue",)),),
        unit="short",
        decimals=0,
        minimum=0,
        no_value="no queue seen",
        calculations=("lastNotNull", "max"),
    )


def queue_age(settings: Settings) -> Panel:
    limit = settings.thresholds.queue_age_seconds
    return TimeSeries(
        name="queue_age",
        title=f"Age of the oldest message (alert above {limit / 60:g} min)",
        description=(
            f"{QUEUE_AGE.description}, by queue. Short queue, old message: that message fails again and again; look at its row."
        ),
        targets=(series(QUEUE_AGE, ("queue",)),),
        unit="s",
        minimum=0,
        no_value="no queue seen",
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        calculations=("lastNotNull", "max"),
    )
