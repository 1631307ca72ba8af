"""The living platform as a program: `python -m demo.platform --help`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from demo.platform import settings, state
from demo.platform.exposition import CONTENT_TYPE
from demo.platform.follower import LOG, Follower, Present
from demo.platform.incidents import presence
from demo.platform.receivers import Metrics, Reports, Rows
from demo.world.catalogue import AGENT
from demo.world.spec_file import SpecError

_GRACE_SECONDS = 1.0
CHECKPOINT_SECONDS = 15.0
LOADED = "staging"
"""The environment that load tests ask."""
FINE, FAILED, WRONG_INPUT, OUT_OF_REACH = 0, 1, 2, 3


@dataclass(frozen=True)
class Options:
    """`var` is the folder of the stack's state. Without `langfuse` (an address) nobody is told of model calls."""

    var: Path
    dsn_file: Path
    host: str
    port: int
    langfuse: str | None


class Platform:
    """The life of one process: a thread for each receiver, and a server for the metrics."""

    def __init__(self, options: Options, clock: Callable[[], float], give_up: Callable[[], None]) -> None:
        """Raises FileNotFoundError or SpecError when there is no world to live in."""
        spec = options.var / "world.json"
        # Every thread has a world of its own, for a world makes its parts when they are asked for.
        for_metrics, for_rows, for_reports = Present(spec), Present(spec), Present(spec)
        self._for_load, self._clock = Present(spec), clock
        remembered = state.read(options.var)
        self.metrics = metrics = Metrics(options.var, for_metrics.world, remembered, clock())
        reported = metrics.at if remembered is None else remembered.get("reported", remembered["at"])
        self._rows = Rows(options.dsn_file, partial(settings.hold, spec, clock))
        self._reports = Reports(options.langfuse or "", reported)
        self._stop, self._asked = Event(), count()
        follow = partial(Follower, clock=clock, stop=self._stop, give_up=give_up)
        self.followers = [
            follow("metrics", lambda now: metrics.advance(for_metrics.ask(), now), ()),
            follow("database", lambda now: self._rows.advance(for_rows.ask(), now), Rows.failures),
            follow("checkpoint", lambda _: self._save(), (OSError,), step=CHECKPOINT_SECONDS),
        ]
        if options.langfuse:
            follower = follow("langfuse", lambda now: self._reports.advance(for_reports.ask(), now), Reports.failures)
            self.followers.append(follower)

    def start(self) -> None:
        for follower in self.followers:
            follower.start()

    def end(self) -> None:
        """Ends the followers, as far as they end within a second, and writes the last checkpoint."""
        self._stop.set()
        deadline = time.monotonic() + _GRACE_SECONDS
        for follower in self.followers:
            follower.join(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(OSError):
            self._save()

    def _save(self) -> None:
        self.metrics.save(self._reports.until)

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._contents),
                Route("/metrics/{environment}", self._scrape),
                Route("/ask/{agent}", self._ask),
                Route("/healthz", self._health),
            ]
        )

    def _contents(self, _: Request) -> Response:
        links = "".join(f'<li><a href="/metrics/{name}">/metrics/{name}</a></li>' for name in self.metrics.environments())
        return HTMLResponse(f"<!doctype html><title>Synthetic platform</title><h1>Synthetic platform</h1><ul>{links}</ul>")

    def _scrape(self, request: Request) -> Response:
        if not self.metrics.caught_up:
            return PlainTextResponse("catching up with what happened meanwhile\n", 503)
        try:
            return Response(self.metrics.text(request.path_params["environment"]), media_type=CONTENT_TYPE)
        except KeyError:
            names = ", ".join(self.metrics.environments())
            return PlainTextResponse(f"no such environment; there are {names}\n", 404)

    async def _ask(self, request: Request) -> Response:
        """For load tests: answers when the agent would on staging, as it is configured. Nobody asked, so nothing is counted."""
        world, agent = self._for_load.ask(), request.path_params["agent"]
        if agent not in AGENT:
            return PlainTextResponse("no such agent\n", 404)
        query = world.asked(agent, LOADED, self._clock(), next(self._asked))
        await asyncio.sleep(query.duration)
        if query.status == "timeout":
            return PlainTextResponse(f"given up after {query.duration:g} s\n", 504)
        return JSONResponse({"agent": agent, "seconds": round(query.duration, 3)})

    def _health(self, _: Request) -> Response:
        trouble = {follower.name: follower.trouble for follower in self.followers if follower.trouble}
        return JSONResponse({"at": self.metrics.at, "trouble": trouble}, 200 if self.metrics.caught_up else 503)


def serve(options: Options) -> int:
    """Live until a signal comes; the exit code. Says on standard error what is wrong with the input."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    try:
        listener = _listen(options.host, options.port)
    except OSError as error:
        print(f"platform: port {options.port} of {options.host} cannot be used: {error.strerror}", file=sys.stderr)
        return OUT_OF_REACH
    try:
        with presence(options.var) as alone:
            if not alone:
                print(f"platform: another one lives in {options.var} already", file=sys.stderr)
                return WRONG_INPUT
            return _live(options, listener)
    except FileNotFoundError as error:
        print(f"platform: {error.filename} is missing; `observatory up` makes it", file=sys.stderr)
        return WRONG_INPUT
    except SpecError as error:
        print(f"platform: {error}", file=sys.stderr)
        return WRONG_INPUT


def _live(options: Options, listener: socket.socket) -> int:
    mistakes = Event()

    def stop(*_: object) -> None:
        server.should_exit = True

    def give_up() -> None:
        mistakes.set()
        stop()

    platform = Platform(options, time.time, give_up)
    config = uvicorn.Config(
        platform.application(), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    # Uvicorn raises the signal again when it has ended; this makes of it an ordinary end with our clean-up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    LOG.info("living platform at http://%s:%d", *listener.getsockname()[:2])
    platform.start()
    server.run(sockets=[listener])
    platform.end()
    return FAILED if mistakes.is_set() else FINE


def _listen(host: str, port: int) -> socket.socket:
    # With the protocol named, asyncio sends answers without delay; a bare socket leaves 40 ms between head and body.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
