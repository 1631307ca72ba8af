"""Recorded rates of the platform's HTTP interface."""

from __future__ import annotations

from contract.signals.http import HTTP_LATENCY, HTTP_REQUESTS, HTTP_SERVER_ERROR_RATIO
from recording_rules.model import Group, RecordedRate, RecordedSignal

GROUPS = (
    Group(
        "http_rates", "15s",
        (
            RecordedRate(HTTP_REQUESTS.leaf, "http_requests", ("job", "status"), "5m"),
            RecordedRate(HTTP_LATENCY.leaf, "http_request_duration_seconds_bucket", ("handler", "le"), "5m"),
        ),
        level=0,
    ),
    Group(
        "http_figures", "30s",
        (
            RecordedSignal(HTTP_SERVER_ERROR_RATIO, "http_errors", ("job",), "5m"),
            RecordedSignal(HTTP_LATENCY, "http_request_duration_seconds", ("handler",), "5m"),
        ),
        level=1,
    ),
)  # fmt: skip
