"""How long this process waits for its databases: the time of statements as a client sees it, without what Python does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import psycopg


@dataclass
class Waited:
    """Milliseconds so far."""

    ms: float = 0.0


@contextmanager
def waited() -> Iterator[Waited]:
    """Adds up every wait of every connection while inside. psycopg waits in one place, whatever it is asked to do."""
    clock, original = Waited(), psycopg.Connection.wait

    def wait(self: Any, *args: Any, **more: Any) -> Any:
        began = time.perf_counter()
        try:
            return original(self, *args, **more)
        finally:
            clock.ms += (time.perf_counter() - began) * 1e3

    with patch.object(psycopg.Connection, "wait", wait):
        yield clock
