"""The exporter as a process: gathers in the background, serves what is ready, ends on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Generator

import uvicorn

from contract.settings import Settings
from exporters.credentials import LangfuseAccess
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.request_budget import RequestBudget
from exporters.langfuse.windows import LangfuseCollector
from exporters.logs import LOG, pairs, to_standard_error
from exporters.pages import application
from exporters.postgres import PostgresCollector
from exporters.publication import Publication
from exporters.scheduler import Scheduler

FINE, WRONG_INPUT, NOT_REACHED = 0, 2, 3
"""Exit codes."""

_SHUTDOWN_SECONDS = 3


class _Server(uvicorn.Server):
    """Uvicorn without its habit of raising a signal once more after it has ended because of it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def listen(address: str) -> socket.socket:
    """A socket bound to `host:port`. Raises ValueError for what is no address, OSError when it cannot be had."""
    host, _, port = address.rpartition(":")
    wrong = f"{address!r} is not an address to listen on; write host:port, port 1 to 65535, for example 127.0.0.1:9464"
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError(wrong)
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends without delay only on sockets that name their protocol; create_server leaves it out
    server_socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server_socket.bind((host, int(port)))
    except (UnicodeError, TypeError):  # a host name that cannot be one
        server_socket.close()
        raise ValueError(wrong) from None
    except OSError:
        server_socket.close()
        raise
    return server_socket


def run(settings: Settings, postgres_dsn: Callable[[], str], langfuse: Callable[[], LangfuseAccess]) -> int:
    """Runs until a signal ends it; the exit code. Call it in the main thread.

    Both callables are asked again whenever a connection is made, and may raise `credentials.CredentialError`.
    """
    to_standard_error()
    try:
        server_socket = listen(settings.exporter.listen)
    except ValueError as error:
        print(f"exporter.listen: {error}", file=sys.stderr)
        return WRONG_INPUT
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        print(f"cannot listen on {settings.exporter.listen}: {why}", file=sys.stderr)
        return NOT_REACHED
    client = LangfuseClient(langfuse, RequestBudget(settings.sources.langfuse.plan))
    collectors = (PostgresCollector(settings, postgres_dsn), LangfuseCollector(settings, client))
    publication = Publication(collectors)
    scheduler = Scheduler(collectors, publication.refresh)
    server = _Server(
        uvicorn.Config(
            application(scheduler, publication),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
    )
    LOG.info("listening", extra=pairs(address=settings.exporter.listen))
    for collector in collectors:
        LOG.info("collector", extra=pairs(source=collector.name, interval_seconds=collector.interval))
    scheduler.start()
    publication.start()
    try:
        server.run(sockets=[server_socket])
    finally:
        publication.stop()
        scheduler.stop()
        for collector in collectors:
            collector.close()
    LOG.info("ended")
    return FINE
