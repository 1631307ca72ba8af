"""Who is told of the platform's life: its own metrics, its database, and the observability service."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import psycopg
import requests

from demo.database.configuration import Record
from demo.database.live import LiveDatabase, OtherWorld
from demo.database.schema import ForeignSchema
from demo.platform import exposition, state
from demo.platform.metrics import PlatformMetrics
from demo.world.observations import observations, scores
from demo.world.spec_file import SpecError
from demo.world.world import SETTLED_HOURS, World

_STRIDE_SECONDS = 600.0
"""The longest that is advanced at once, so that nobody waits long for a lock or a transaction."""
_REQUEST_SECONDS = 20.0


class Metrics:
    """The metrics, ready to be scraped and saved from other threads.

    `remembered` is a checkpoint to go on from; without one the counters begin at `now`.
    """

    def __init__(self, var: Path, world: World, remembered: dict[str, Any] | None, now: float) -> None:
        self._var, self._lock = var, Lock()
        self._metrics = PlatformMetrics(world, now) if remembered is None else PlatformMetrics.restore(world, remembered)
        self.caught_up = False

    @property
    def at(self) -> float:
        return self._metrics.at

    def advance(self, world: World, now: float) -> None:
        while self._metrics.at < now:
            with self._lock:
                if world is not self._metrics.world:
                    self._metrics.world = world
                self._metrics.advance(min(now, self._metrics.at + _STRIDE_SECONDS))
        self.caught_up = True

    def save(self, reported_until: float) -> None:
        """Write the checkpoint, with the time up to which model calls were reported. Raises OSError."""
        with self._lock:
            checkpoint = self._metrics.checkpoint()
        state.write(self._var, {**checkpoint, "reported": reported_until})

    def environments(self) -> tuple[str, ...]:
        return tuple(self._metrics.registries)

    def text(self, environment: str) -> bytes:
        """Exposition of an environment. Raises KeyError when there is no such one."""
        with self._lock:
            return exposition.render(self._metrics.registries[environment])


class Rows:
    """The platform's tables."""

    failures = (psycopg.Error, OSError, OtherWorld, ForeignSchema, SpecError)

    def __init__(self, dsn_file: Path, record: Record) -> None:
        self._dsn_file, self._record = dsn_file, record
        self._live: LiveDatabase | None = None
        self._world: World | None = None

    def advance(self, world: World, now: float) -> None:
        """Raises one of `failures`; what was not written then is written by a later call."""
        if self._live is None or world is not self._world:
            self.close()
            self._live = LiveDatabase(self._dsn_file.read_text(encoding="utf-8").strip(), world, self._record)
            self._world = world
        while self._live.loaded_until < now:
            since = self._live.loaded_until
            self._live.advance(since, min(now, since + _STRIDE_SECONDS))

    def close(self) -> None:
        if self._live is not None:
            self._live.close()
        self._live = None


class Reports:
    """Model calls and scores, sent to the stand-in when they have ended. Sending some twice does no harm: rows have ids."""

    failures = (requests.RequestException,)

    def __init__(self, url: str, since: float) -> None:
        self._url = f"{url.rstrip('/')}/standin/rows"
        self._session = requests.Session()
        self.until = since
        """Everything up to here has been taken."""

    def advance(self, world: World, now: float) -> None:
        """Raises RequestException when the service is away or refuses; the same rows are sent again then."""
        while self.until < now:
            until = min(now, self.until + _STRIDE_SECONDS)
            self._send(world, self.until, until)
            self.until = until

    def _send(self, world: World, since: float, until: float) -> None:
        first, last = int(since // 3600) - SETTLED_HOURS, int(until // 3600)
        talks = [
            talk
            for index in range(first, last + 1)
            for talk in world.hour(index * 3600.0).conversations
            if talk.settled > since and talk.at <= until
        ]
        rows = [row for talk in talks for row in observations(talk, since, until)]
        given = [score for talk in talks for score in scores(talk, since, until)]
        if rows or given:
            answer = self._session.post(self._url, json={"observations": rows, "scores": given}, timeout=_REQUEST_SECONDS)
            answer.raise_for_status()
