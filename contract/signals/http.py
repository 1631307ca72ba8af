"""The platform's HTTP interface."""

from __future__ import annotations

from contract.signals.model import Level, Quantile, Rate, Ratio, like

HTTP_REQUESTS = Rate("http_requests", "Request rate", "HTTP requests answered per second", "reqps", "http_requests_total")
HTTP_SERVER_ERRORS = Rate(
    "http_server_errors",
    "Server errors",
    "HTTP answers of the 5xx class per second",
    "reqps",
    "http_requests_total",
    (like("status", "5.."),),
)
HTTP_SERVER_ERROR_RATIO = Ratio(
    "http_server_error_ratio",
    "Server error share",
    "HTTP answers of the 5xx class / HTTP answers",
    "percentunit",
    HTTP_SERVER_ERRORS,
    HTTP_REQUESTS,
)
HTTP_LATENCY = Quantile(
    "http_latency_p95",
    "p95",
    "95th percentile of the time to answer an HTTP request",
    "s",
    "http_request_duration_seconds",
    0.95,
)
HTTP_CLIENT_ERRORS = Rate(
    "http_client_errors",
    "Refused requests",
    "HTTP answers of the 4xx class per second",
    "reqps",
    "http_requests_total",
    (like("status", "4.."),),
)
HTTP_CLIENT_ERROR_RATIO = Ratio(
    "http_client_error_ratio",
    "Refused share",
    "HTTP answers of the 4xx class / HTTP answers",
    "percentunit",
    HTTP_CLIENT_ERRORS,
    HTTP_REQUESTS,
)
HTTP_IN_PROGRESS = Level(
    "http_in_progress", "In progress", "HTTP requests being answered", "short", "http_requests_in_progress"
)
