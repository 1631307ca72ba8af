"""The exporter's HTTP pages. None of them asks a source for anything: they hand out what is there."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporters.negotiation import gzip_accepted, negotiate
from exporters.publication import Publication
from exporters.scheduler import Scheduler, Standing

_LANDING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Agent Observatory exporter</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:60rem;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #ccc}}</style>
</head><body><h1>Agent Observatory exporter</h1>
<table><tr><th>Collector</th><th>State</th><th>Last success</th><th>Age</th><th>Next run</th><th>Problem</th></tr>
{rows}
</table>
<p><a href="/metrics">/metrics</a> · <a href="/healthz">/healthz</a> · <a href="/readyz">/readyz</a></p></body></html>
"""


def _state(standing: Standing) -> str:
    if not standing.runs:
        return "gathering"
    return "down" if standing.reason else "up"


def application(scheduler: Scheduler, publication: Publication) -> Starlette:
    """`/metrics`, `/healthz`, `/readyz` and a landing page over one scheduler and its publication."""

    async def metrics(request: Request) -> Response:
        content_type = negotiate(request.headers.get("accept", ""))
        body, compressed = publication.body(content_type, gzip_accepted(request.headers.get("accept-encoding", "")))
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    async def healthz(_: Request) -> Response:
        """Whether the process does its work; a source that is down is no reason to restart it."""
        return PlainTextResponse("ok\n") if scheduler.alive else PlainTextResponse("a collector has ended\n", 503)

    async def readyz(_: Request) -> Response:
        """200 once every collector has ended a run, well or not; the body says how each does."""
        collectors = {
            name: {"state": _state(standing), "runs": standing.runs, "reason": standing.reason}
            for name, standing in scheduler.standings.items()
        }
        return JSONResponse({"ready": scheduler.ready, "collectors": collectors}, 200 if scheduler.ready else 503)

    async def landing(_: Request) -> Response:
        rows = "\n".join(_row(name, standing) for name, standing in scheduler.standings.items())
        return HTMLResponse(_LANDING.format(rows=rows))

    return Starlette(
        routes=[
            Route("/", landing),
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ]
    )


def _row(name: str, standing: Standing) -> str:
    last, age = "never", ""
    if standing.last_success is not None:
        last = datetime.fromtimestamp(standing.last_success, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        age = f"{time.time() - standing.last_success:.0f} s"
    due = f"in {max(0.0, standing.due - time.monotonic()):.0f} s"
    cells = (name, _state(standing), last, age, due, standing.reason)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
