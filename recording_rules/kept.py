"""Recorded series that are there for people, though no panel, alert or rule need read them: name, and what they are for."""

from __future__ import annotations

_OUTSIDE = "for questions in Explore and for other people's boards, which need not add up all buckets"

FOR_PEOPLE: dict[str, str] = {
    "job:http_errors:ratio_rate5m": "the share of server errors of an environment as one line, for other people's boards",
    **{
        f"{level}:{p}_{window}": f"{what}, {_OUTSIDE}"
        for level, windows, what in (
            ("environment:query_duration_seconds", ("5m", "1h"), "how long all agents of an environment take"),
            ("handler:http_request_duration_seconds", ("5m",), "how long a route takes"),
            ("operation:db_query_duration_seconds", ("5m",), "how long a database operation takes"),
        )
        for window in windows
        for p in ("p50", "p95", "p99")
    },
    **{
        f"slo:burn_rate:ratio_rate{window}": "the short windows of burn rates, for whoever looks whether one is over"
        for window in ("30m", "2h")
    },
}
