"""The ledger of the model calls that were there before the exporter begins, filled in by the exporter's own code.

The exporter would read weeks of the past by itself, but only beside the present, and figures of windows wait until it is done.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as RowMapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from contract.settings import Settings
from contract.values import duration_seconds
from demo.database.load import Progress
from demo.history.fill import SHORT_SECONDS
from demo.langfuse.server import address, listen, running, server
from demo.langfuse.standin import MODES, Keys, StandIn, price_list
from demo.langfuse.store import Store
from demo.world.catalogue import MODELS
from exporters.credentials import Credentials, LangfuseAccess
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from exporters.langfuse.attribution import Attribution
from exporters.langfuse.calls import Call, read_call, read_score
from exporters.langfuse.client import LangfuseClient, Page
from exporters.langfuse.collectors import user_pseudonyms
from exporters.langfuse.following import Fetch, Listing, Pace, follow
from exporters.langfuse.ledger import Ledger
from exporters.langfuse.price_list import Prices
from exporters.langfuse.reading import Reading
from exporters.langfuse.request_budget import RequestBudget
from exporters.langfuse.storage import CALLS, SCORES

_STATEMENT_SECONDS = 60.0
_KEYS = Keys("pk", "sk")


def fill(dsn: str, storage: Path, settings: Settings, until: float, progress: Progress) -> None:
    """Reads on until `until` (seconds since the epoch). The first time as if the exporter had begun `history` before.

    `dsn` belongs to the platform's owner, `storage` is the stand-in's file, which nobody else has open.
    """
    now = datetime.fromtimestamp(until, UTC)
    shared = SharedSession(Session(lambda: dsn, _STATEMENT_SECONDS, read_only=False), patience=_STATEMENT_SECONDS)
    seat = shared.seat()
    try:
        seat.open()
        user_key = user_pseudonyms(Credentials(settings))
        ledger = Ledger(seat, Attribution(seat, Mapping.of(settings), user_key))
        first, reread = _beginning(settings, now)
        short = (now - ledger.reading(CALLS, first, reread).position).total_seconds() <= SHORT_SECONDS
        with (_here if short else _beside)(storage, until) as url:
            client = LangfuseClient(lambda: LangfuseAccess(url, _KEYS.public, _KEYS.secret), RequestBudget("self-hosted"))
            try:
                _read(client, ledger, settings, user_key, now, progress)
            finally:
                client.close()
    finally:
        seat.close()


def _beginning(settings: Settings, now: datetime) -> tuple[datetime, timedelta]:
    """From when on there are rows to read, and how far back they are read again."""
    langfuse = settings.sources.langfuse
    history, reread = (timedelta(seconds=duration_seconds(text)) for text in (langfuse.history, langfuse.reread))
    return now - history, reread


@contextmanager
def _here(storage: Path, until: float) -> Iterator[str]:
    """The stand-in in this process; gives its address."""
    store = Store(storage)
    try:
        with running(_standin(store, until)) as url:
            yield url
    finally:
        store.close()


@contextmanager
def _beside(storage: Path, until: float) -> Iterator[str]:
    """The stand-in in a process of its own, so that it makes a page while another is written; gives its address."""
    listener = listen(0)
    with listener:
        url = address(listener)
        process = get_context("spawn").Process(target=_serve, args=(listener, storage, until), daemon=True)
        process.start()
    try:
        yield url
    finally:
        process.terminate()
        process.join()


def _serve(listener: socket.socket, storage: Path, until: float) -> None:
    """Runs in that process until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    store = Store(storage)
    server(_standin(store, until)).run(sockets=[listener])
    store.close()


def _standin(store: Store, until: float) -> StandIn:
    return StandIn(store, MODES["v4"], _KEYS, lambda: until, price_list(MODELS), lag_seconds=0.0)


def _ahead(fetch: Fetch, executor: Executor) -> Fetch:
    """Asks for the next page of a window while this one is being written."""
    asked: dict[tuple[datetime, datetime, str], Future[Page]] = {}

    def page(begin: datetime, end: datetime, cursor: str = "") -> Page:
        waiting = asked.pop((begin, end, cursor), None)
        found = waiting.result() if waiting else fetch(begin, end, cursor)
        if found.cursor:
            asked[begin, end, found.cursor] = executor.submit(fetch, begin, end, found.cursor)
        return found

    return page


def _read(
    client: LangfuseClient,
    ledger: Ledger,
    settings: Settings,
    user_key: Callable[[str], str | None],
    now: datetime,
    progress: Progress,
) -> None:
    first, reread = _beginning(settings, now)
    prices = Prices(settings.sources.langfuse.prices).of(client, now.timestamp())

    def told(what: str, write: Callable[..., int]) -> Callable[..., int]:
        def writing(rows: Sequence[Any], before: Reading, after: Reading, at: datetime) -> int:
            progress(f"the ledger of {what}", max(0.0, (before.position - first) / (now - first)))
            return write(rows, before, after, at)

        return writing

    def read(row: RowMapping[str, Any]) -> Call:
        return read_call(row, prices, user_key)

    endless = Pace(reread, first, inf, inf)
    with ThreadPoolExecutor(1) as executor:
        calls, scores = _ahead(client.calls, executor), _ahead(client.scores, executor)
        listings: tuple[Listing[Any], ...] = (
            Listing(CALLS, calls, read, lambda call: call.started_at, told("model calls", ledger.write_calls)),
            Listing(SCORES, scores, read_score, lambda score: score.at, told("scores", ledger.write_scores)),
        )
        for listing in listings:
            begun = ledger.reading(listing.name, first, reread)
            if begun.position <= first:
                # Nothing was read before, so there is nothing to read again soon for what came late.
                ledger.move(listing.name, begun, replace(begun, reread_at=now, reread_from=now))
            follow(listing, ledger, client, now, endless)
