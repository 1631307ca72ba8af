"""The exporter as a process: gathers in the background, serves what is ready, reads its configuration again on SIGHUP, and ends
on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import re
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from exporters.access import Access, tls_context
from exporters.credentials import CredentialError, Credentials
from exporters.gathering import Gathering
from exporters.logs import LOG, pairs, to_standard_error
from exporters.pages import Pages
from exporters.server import Server

if TYPE_CHECKING:
    from contract.settings import Settings

FINE, WRONG_INPUT, NOT_REACHED = 0, 2, 3
"""Exit codes."""

_SHUTDOWN_SECONDS = 3.0
_TURN_SECONDS = 0.0001
_M_ARENA_MAX = -8
_YOUNG_OBJECTS, _MIDDLE_AGED, _OLD = 5_000, 5, 500


class ConfigurationRefused(Exception):
    """The configuration cannot be used. The text says what is wrong with it."""


def listen(address: str) -> socket.socket:
    """A socket that listens on `host:port`. Raises ValueError for what is no address, OSError when it cannot be had.

    Who connects before anything accepts waits. A socket that is only bound keeps nobody else from the same address: of two that
    begin at once, one would only find out when it serves.
    """
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
        server_socket.listen()
    except (UnicodeError, TypeError):  # a host name that cannot be one
        server_socket.close()
        raise ValueError(wrong) from None
    except OSError:
        server_socket.close()
        raise
    return server_socket


@dataclass(frozen=True)
class Prepared:
    """A configuration whose files have been read, so that nothing about it can fail any more."""

    settings: Settings
    access: Access
    tls: ssl.SSLContext | None


def prepared(settings: Settings, directory: Path, environ: Mapping[str, str]) -> Prepared:
    """Raises CredentialError when a file that the server needs cannot be used, or what is named as a secret's file is none."""
    Credentials(settings, directory, environ).check_files()
    tls = settings.exporter.tls
    return Prepared(settings, Access(settings.exporter, directory), tls_context(tls, directory) if tls else None)


class Process:
    """One exporter. `load` reads the configuration, or raises ConfigurationRefused; its paths start from `directory`."""

    def __init__(self, load: Callable[[], Settings], directory: Path, environ: Mapping[str, str]) -> None:
        self._load, self._directory, self._environ = load, directory, environ
        self._end, self._reading = asyncio.Event(), asyncio.Lock()

    async def serve(self, first: Prepared, listening: socket.socket) -> None:
        """Serves on a bound socket until a signal ends it."""
        self._server = Server()
        self._listening = listening
        self._adopt(first, None)
        self._server.listen(listening)
        loop, reloads = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        def reload() -> None:
            task = loop.create_task(self._reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        loop.add_signal_handler(signal.SIGHUP, reload)
        await self._end.wait()
        for task in reloads:
            task.cancel()
        await asyncio.gather(self._server.close(_SHUTDOWN_SECONDS), asyncio.to_thread(self._gathering.stop))

    def _adopt(self, new: Prepared, before: Gathering | None) -> None:
        """Begins to gather by a configuration, and to serve its page to those whom it lets read. `before` has ended."""
        credentials = Credentials(new.settings, self._directory, self._environ)
        gathering = Gathering(new.settings, credentials, lambda: self._server.refused, before)
        gathering.start()
        self._settings, self._gathering = new.settings, gathering
        self._server.tls = new.tls
        self._server.answer = Pages(new.access, gathering.scheduler, gathering.publication).answer
        host = self._listening.getsockname()[0]
        if new.access.open and new.tls is None and not ip_address(host).is_loopback:
            LOG.warning("everybody who reaches this address may read", extra=pairs(address=new.settings.exporter.listen))

    async def _reload(self) -> None:
        """Reads configuration and secrets again. When anything is wrong with them all stays as it was, and one line says so."""
        async with self._reading:
            try:
                new = await asyncio.to_thread(lambda: prepared(self._load(), self._directory, self._environ))
                moved = new.settings.exporter.listen != self._settings.exporter.listen
                listening = listen(new.settings.exporter.listen) if moved else None
            except (ConfigurationRefused, CredentialError, ValueError, OSError) as problem:
                said = "; ".join(line.strip() for line in str(problem).splitlines())
                LOG.error("configuration refused, the one before stays", extra=pairs(problem=said))
                return
            if listening is not None:
                before, self._listening = self._listening, listening
                self._server.listen(listening)
                self._server.leave(before)
            await asyncio.to_thread(self._gathering.stop)  # its page is served until there is the next one
            self._adopt(new, self._gathering)
            LOG.info("configuration read again", extra=pairs(address=new.settings.exporter.listen))


def give_scrapes_their_turn() -> None:
    """Bounds how long the threads that gather keep the interpreter from the one that answers scrapes.

    What was imported stays, so the garbage collector need not look through it; and figures hold no circles, so it need not
    look through all of them after every run. An answer waits for its turn several times: 5 ms each, if it were left at that.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _MIDDLE_AGED, _OLD)
    sys.setswitchinterval(_TURN_SECONDS)


def share_memory() -> None:
    """Lets all threads take memory from one place. Only one of them runs at a time, and what each would keep of its own after
    a large answer is several megabytes. Other C libraries than glibc do so by themselves, or cannot be told."""
    if limit := getattr(ctypes.CDLL(None), "mallopt", None):
        limit(_M_ARENA_MAX, 1)


def run(load: Callable[[], Settings], directory: Path = Path(), environ: Mapping[str, str] = os.environ) -> int:
    """Runs until a signal ends it; the exit code. Call it in the main thread.

    `load` is called now and for every SIGHUP, and may raise ConfigurationRefused; secrets are looked for in `environ` and in
    the files that the configuration names, whose relative paths start from `directory`.
    """
    to_standard_error()
    share_memory()
    try:
        first = prepared(load(), directory, environ)
        address = first.settings.exporter.listen
        listening = listen(address)
    except ConfigurationRefused as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    except CredentialError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_INPUT
    except ValueError as error:
        print(f"error: exporter.listen: {error}", file=sys.stderr)
        return WRONG_INPUT
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        print(f"error: cannot listen on {address}: {why}", file=sys.stderr)
        return NOT_REACHED
    LOG.info("listening", extra=pairs(address=address))
    give_scrapes_their_turn()
    asyncio.run(Process(load, directory, environ).serve(first, listening))
    LOG.info("ended")
    return FINE
