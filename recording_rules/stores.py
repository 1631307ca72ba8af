"""Recorded rates of what the platform stands on: database, caches, vector stores, edge functions."""

from __future__ import annotations

from contract.signals.stores import (
    CACHE_HIT_RATIO,
    CACHE_LATENCY,
    CACHE_OPERATIONS,
    DB_LATENCY,
    EDGE_ERROR_RATIO,
    EDGE_INVOCATIONS,
    EDGE_LATENCY,
    VECTOR_ERROR_RATIO,
    VECTOR_LATENCY,
    VECTOR_OPERATIONS,
)
from recording_rules.model import Group, RecordedRate, RecordedSignal

_DB, _CACHE = "db_query_duration_seconds", "cache_operation_duration_seconds"
_VECTOR, _EDGE = "vector_duration_seconds", "edge_duration_seconds"

GROUPS = (
    Group(
        "store_rates", "15s",
        (
            RecordedRate(DB_LATENCY.leaf, f"{_DB}_bucket", ("operation", "le"), "5m"),
            RecordedRate(CACHE_OPERATIONS.leaf, "operations", ("cache", "operation", "result"), "5m"),
            RecordedRate(CACHE_LATENCY.leaf, f"{_CACHE}_bucket", ("cache", "operation", "le"), "5m"),
            RecordedRate(VECTOR_OPERATIONS.leaf, "vector_operations", ("store", "operation", "status"), "5m"),
            RecordedRate(VECTOR_LATENCY.leaf, f"{_VECTOR}_bucket", ("store", "operation", "le"), "5m"),
            RecordedRate(EDGE_INVOCATIONS.leaf, "invocations", ("function", "status"), "5m"),
            RecordedRate(EDGE_LATENCY.leaf, f"{_EDGE}_bucket", ("function", "le"), "5m"),
        ),
        level=0,
    ),
    Group(
        "store_figures", "30s",
        (
            *(RecordedSignal(DB_LATENCY.at(q), _DB, ("operation",), "5m") for q in (0.5, 0.95, 0.99)),
            RecordedSignal(CACHE_HIT_RATIO, "hits", ("cache",), "5m"),
            RecordedSignal(CACHE_LATENCY, _CACHE, ("cache", "operation"), "5m"),
            RecordedSignal(VECTOR_ERROR_RATIO, "vector_errors", ("store",), "5m"),
            RecordedSignal(VECTOR_LATENCY, _VECTOR, ("store", "operation"), "5m"),
            RecordedSignal(EDGE_ERROR_RATIO, "invocation_errors", ("function",), "5m"),
            RecordedSignal(EDGE_LATENCY, _EDGE, ("function",), "5m"),
        ),
        level=1,
    ),
)  # fmt: skip
