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
from datetime import UTC, datetime, timedelta
from math import inf
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from contract.settings import Settings
from contract.values import duration_seconds
from demo.database.load import Progress
from demo.langfuse.server import address, listen, server
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
        with _serving(storage, until) as url:
            client = LangfuseClient(lambda: LangfuseAccess(url, _KEYS.public, _KEYS.secret), RequestBudget("self-hosted"))
            try:
                user_key = user_pseudonyms(Credentials(settings))
                ledger = Ledger(seat, Attribution(seat, Mapping.of(settings), user_key))
                _read(client, ledger, settings, user_key, now, progress)
            finally:
                client.close()
    finally:
        seat.close()


@contextmanager
def _serving(storage: Path, until: float) -> Iterator[str]:
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
    standin = StandIn(store, MODES["v4"], _KEYS, lambda: until, price_list(MODELS), lag_seconds=0.0)
    server(standin).run(sockets=[listener])
    store.close()


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
    langfuse = settings.sources.langfuse
    reread = timedelta(seconds=duration_seconds(langfuse.reread))
    first = now - timedelta(seconds=duration_seconds(langfuse.history))
    prices = Prices(langfuse.prices).of(client, now.timestamp())

    def told(write: Callable[..., int]) -> Callable[..., int]:
        def writing(rows: Sequence[Any], before: Reading, after: Reading, at: datetime) -> int:
            progress("the ledger of model calls", max(0.0, (before.position - first) / (now - first)))
            return write(rows, before, after, at)

        return writing

    def read(row: RowMapping[str, Any]) -> Call:
        return read_call(row, prices, user_key)

    endless = Pace(reread, first, inf, inf)
    with ThreadPoolExecutor(1) as executor:
        calls, scores = _ahead(client.calls, executor), _ahead(client.scores, executor)
        listings: tuple[Listing[Any], ...] = (
            Listing(CALLS, calls, read, lambda call: call.started_at, told(ledger.write_calls)),
            Listing(SCORES, scores, read_score, lambda score: score.at, told(ledger.write_scores)),
        )
        for listing in listings:
            ledger.reading(listing.name, first, reread)
            follow(listing, ledger, client, now, endless)
