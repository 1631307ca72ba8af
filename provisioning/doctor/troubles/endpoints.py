"""Whether the pages answer that Prometheus scrapes, and the exporter is ready."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import requests

from contract.settings import Settings
from provisioning.deadline import within
from provisioning.findings import Finding, Unreachable, error, warning
from provisioning.unreached import reason

SECONDS = 5.0
_CHECK = "doctor/endpoints"
_GUARDED = (401, 403)
"""It answers, and wants a password that Prometheus has."""


def troubles(settings: Settings) -> Iterator[Finding]:
    """Asks every address that is configured to be scraped."""
    with ThreadPoolExecutor(8) as pool:
        exporters = pool.map(lambda address: list(_exporter(settings, address)), settings.scrape.exporter)
        platforms = pool.map(lambda target: list(_platform(f"http://{target.address}{target.path}")), settings.scrape.platform)
        for found in (*exporters, *platforms):
            yield from found


def _exporter(settings: Settings, address: str) -> Iterator[Finding]:
    start = f"start it (`observatory exporter`), or correct scrape.exporter: it listens on {settings.exporter.listen}"
    if settings.exporter.tls:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
        except OSError as problem:
            yield error(f"https://{address}", f"the exporter does not answer: {reason(problem)}", start, _CHECK)
        return
    for path in ("/metrics", "/readyz"):
        url = f"http://{address}{path}"
        try:
            response = _asked(url)
        except requests.RequestException as problem:
            yield error(url, f"the exporter does not answer: {reason(problem)}", start, _CHECK)
            return
        if path == "/readyz" and response.status_code == 503:
            said = " ".join(response.text.split())[:200] or "no first figures yet"
            yield error(url, f"the exporter is not ready: {said}", "its log says what it waits for", _CHECK)
        elif not response.ok and response.status_code not in _GUARDED:
            yield error(url, f"answers {response.status_code}, so this is not the exporter", start, _CHECK)


def _platform(url: str) -> Iterator[Finding]:
    remedy = "expose the contract's metrics there (docs/prometheus.md, or the library in tracking/), or correct scrape.platform"
    try:
        response = _asked(url, headers_only=True)
    except requests.RequestException as problem:
        yield warning(url, f"the platform's metrics do not answer: {reason(problem)}", remedy, _CHECK)
        return
    with response:
        if not response.ok and response.status_code not in _GUARDED:
            yield warning(url, f"answers {response.status_code} where the platform's metrics should be", remedy, _CHECK)


def _asked(url: str, headers_only: bool = False) -> requests.Response:
    """The answer, or without its body. Raises requests.RequestException, also for one that comes byte by byte."""
    try:
        return within(url, lambda: requests.get(url, timeout=SECONDS, stream=headers_only))
    except Unreachable:
        raise requests.Timeout from None
