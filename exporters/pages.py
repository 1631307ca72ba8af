"""The exporter's HTTP pages. None of them asks a source for anything: they hand out what is there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

from exporters.access import Access
from exporters.negotiation import gzip_accepted, negotiate
from exporters.publication import Publication
from exporters.scheduler import Scheduler, Standing
from exporters.server import Request, Response

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
"""What module `html` would do, which takes all names of signs into memory."""

_LANDING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Agent Observatory exporter</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:60rem;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #ccc}}</style>
</head><body><h1>Agent Observatory exporter</h1>
<table><tr><th>Collector</th><th>State</th><th>Failed in a row</th><th>Last success</th><th>Age</th><th>Next run</th>
<th>Problem</th></tr>
{rows}
</table>
<p><a href="/metrics">/metrics</a> · <a href="/healthz">/healthz</a> · <a href="/readyz">/readyz</a></p></body></html>
"""


def _state(standing: Standing) -> str:
    if not standing.runs:
        return "gathering"
    return "down" if standing.reason else "up"


class Pages:
    """`/metrics`, a landing page, `/healthz` and `/readyz`; the last two are for everybody, the others as `access` says."""

    def __init__(self, access: Access, scheduler: Scheduler, publication: Publication) -> None:
        self._access, self._scheduler, self._publication = access, scheduler, publication
        self._pages: dict[str, Callable[[Request], Response]] = {"/": self._landing, "/metrics": self._metrics}
        self._open: dict[str, Callable[[Request], Response]] = {"/healthz": self._healthz, "/readyz": self._readyz}

    def answer(self, request: Request) -> Response:
        if page := self._open.get(request.path):
            return page(request)
        if not self._access.allows(request.headers.get("authorization", "")):
            return Response(b"unauthorized\n", status=HTTPStatus.UNAUTHORIZED, headers=self._access.challenges)
        if page := self._pages.get(request.path):
            return page(request)
        return Response(b"not found\n", status=HTTPStatus.NOT_FOUND)

    def _metrics(self, request: Request) -> Response:
        content_type = negotiate(request.headers.get("accept", ""))
        body, compressed = self._publication.body(content_type, gzip_accepted(request.headers.get("accept-encoding", "")))
        encoding = (("Content-Encoding", "gzip"),) if compressed else ()
        return Response(body, content_type, headers=(("Vary", "Accept, Accept-Encoding"), *encoding))

    def _healthz(self, _: Request) -> Response:
        """Whether the process does its work; a source that is down is no reason to restart it."""
        if self._scheduler.alive and self._publication.alive:
            return Response(b"ok\n")
        return Response(b"a background thread has ended\n", status=HTTPStatus.SERVICE_UNAVAILABLE)

    def _readyz(self, request: Request) -> Response:
        """200 once every collector has ended a run, well or not; the body says how each does, and why as `access` says."""
        ready, allowed = self._scheduler.ready, self._access.allows(request.headers.get("authorization", ""))
        collectors = {
            name: {
                "state": _state(standing),
                "runs": standing.runs,
                "failures": standing.failures,
                "reason": standing.reason if allowed else "",
            }
            for name, standing in self._scheduler.standings.items()
        }
        body = json.dumps({"ready": ready, "collectors": collectors}, ensure_ascii=False).encode()
        return Response(body, "application/json", HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    def _landing(self, _: Request) -> Response:
        notes = {collector.name: getattr(collector, "note", "") for collector in self._scheduler.collectors}
        rows = "\n".join(_row(name, standing, notes[name]) for name, standing in self._scheduler.standings.items())
        headers = (
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
        )
        return Response(_LANDING.format(rows=rows).encode(), "text/html; charset=utf-8", headers=headers)


def _row(name: str, standing: Standing, note: str) -> str:
    """`note` is what a person should know of a collector although nothing fails."""
    last, age = "never", ""
    if standing.last_success is not None:
        last = datetime.fromtimestamp(standing.last_success, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        age = f"{time.time() - standing.last_success:.0f} s"
    due = f"in {max(0.0, standing.due - time.monotonic()):.0f} s"
    cells = (name, _state(standing), str(standing.failures), last, age, due, standing.reason or note)
    return "<tr>" + "".join(f"<td>{cell.translate(_ESCAPED)}</td>" for cell in cells) + "</tr>"
