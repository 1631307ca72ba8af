"""Recorded rates of the platform's HTTP interface."""

from __future__ import annotations

from contract.signals.http import HTTP_LATENCY, HTTP_REQUESTS, HTTP_SERVER_ERROR_RATIO
from recording_rules.model import Group, RecordedRate, RecordedSignal

_DURATION = "http_request_duration_seconds"

GROUPS = (
    Group(
        "http_rates", "15s",
        (
            RecordedRate(HTTP_REQUESTS.leaf, "http_requests", ("job",), "5m"),
            RecordedRate(HTTP_REQUESTS.leaf, "http_requests", ("job", "status"), "5m"),
            RecordedRate(HTTP_REQUESTS.leaf, "http_requests", ("handler", "method", "status"), "5m"),
            RecordedRate(HTTP_LATENCY.leaf, f"{_DURATION}_bucket", ("handler", "method", "le"), "5m"),
        ),
        level=0,
    ),
    Group(
        "http_figures", "30s",
        (
            RecordedSignal(HTTP_SERVER_ERROR_RATIO, "http_errors", ("job",), "5m"),
            RecordedSignal(HTTP_SERVER_ERROR_RATIO, "http_errors", ("handler",), "5m"),
            *(RecordedSignal(HTTP_LATENCY.at(q), _DURATION, ("handler",), "5m") for q in (0.5, 0.95, 0.99)),
        ),
        level=1,
    ),
    Group(
        "http_hour_rates", "1m",
        (RecordedRate(HTTP_REQUESTS.leaf, "http_requests", ("job", "status"), "1h"),),
        level=0,
    ),
)  # fmt: skip
