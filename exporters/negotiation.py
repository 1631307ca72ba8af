"""Which form of the page a scraper wants, by the headers that it sends."""

from __future__ import annotations

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def _weights(header: str) -> list[tuple[str, dict[str, str], float]]:
    """The entries of an Accept header: lower-case name, parameters, weight. An entry with a broken weight counts nothing."""
    entries = []
    for part in header.split(","):
        name, *rest = (piece.strip().lower() for piece in part.split(";"))
        parameters = {key.strip(): value.strip() for key, _, value in (piece.partition("=") for piece in rest)}
        try:
            weight = float(parameters.get("q", "1"))
        except ValueError:
            weight = 0.0
        entries.append((name, parameters, weight))
    return entries


def negotiate(accept: str) -> str:
    """The content type for an Accept header: OpenMetrics for who names it and likes it no less, text for everybody else."""
    openmetrics = text = 0.0
    for name, parameters, weight in _weights(accept):
        if name == "application/openmetrics-text" and parameters.get("version", "1.0.0") in ("0.0.1", "1.0.0"):
            openmetrics = max(openmetrics, weight)
        elif name in ("text/plain", "text/*", "*/*") and parameters.get("version", "0.0.4") == "0.0.4":
            text = max(text, weight)
    return OPENMETRICS if openmetrics and openmetrics >= text else TEXT


def gzip_accepted(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    weights = {name: weight for name, _, weight in _weights(accept_encoding)}
    return weights.get("gzip", weights.get("*", 0.0)) > 0
