"""A limit for the whole of an answer: a server that sends a byte now and then satisfies every limit between two bytes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from threading import Thread
from typing import TypeVar

from provisioning.findings import Unreachable

SECONDS = 20.0
"""How long any source may take for one answer, from the first byte sent to the last one received."""

Answer = TypeVar("Answer")


def within(name: str, ask: Callable[[], Answer]) -> Answer:
    """What `ask` gives or raises. Raises Unreachable when it takes too long; it is then left behind."""
    future: Future[Answer] = Future()

    def run() -> None:
        try:
            future.set_result(ask())
        except BaseException as problem:
            future.set_exception(problem)

    Thread(target=run, daemon=True).start()
    try:
        return future.result(SECONDS)
    except Late:
        raise Unreachable(f"{name} does not answer in time") from None
