"""What scrapers get: the page of all collectors, made anew after every run, and looked after every few seconds so that old
values go."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporters import own_process
from exporters.exposition import PIECE, Family, Renderer, exposition, pieces
from exporters.logs import LOG, pairs
from exporters.negotiation import OPENMETRICS, TEXT
from exporters.scheduler import Collector
from exporters.snapshot import Figure, Reading, Snapshot

_HEARTBEAT_SECONDS = 5.0
_PROCESS_SECONDS = 15.0
"""How old the figures of the process itself may become while nothing else changes."""

_WANTED_SECONDS = 600.0
"""How long a form is compressed ahead after it was last asked for."""

_GZIP_LEVEL = 6
_END = {TEXT: b"", OPENMETRICS: b"# EOF\n"}


@dataclass(frozen=True)
class Page:
    """One exposition: compressed where somebody wants it so, else put together when it is asked for, out of ready pieces."""

    families: Sequence[Family]
    compressed: Mapping[str, bytes]
    _plain: dict[str, bytes] = field(default_factory=dict)

    def plain(self, content_type: str) -> bytes:
        if content_type not in self._plain:
            self._plain[content_type] = exposition(self.families, content_type) + _END[content_type]
        return self._plain[content_type]


def _compressed(parts: Iterable[bytes]) -> bytes:
    """As gzip. Part by part: the whole is never in memory, and the thread that answers scrapes gets its turn in between."""
    compressor = zlib.compressobj(_GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)
    return b"".join([*map(compressor.compress, parts), compressor.flush()])


class _Shelf:
    """The families of one collector as they were last rendered."""

    def __init__(self, collector: Collector, earlier: Snapshot | None) -> None:
        self._collector, self._earlier = collector, earlier
        self._renderer = Renderer()
        self._shown: tuple[Snapshot | None, tuple[Reading, ...]] = (None, ())
        self.families: list[Family] = []

    def renewed(self, now: float) -> bool:
        """Renders what may be served at `now`; whether that is another than before."""
        snapshot = self._collector.snapshot or self._earlier
        if snapshot is None:
            return False
        served = snapshot.served(now, self._collector.max_age)
        if snapshot is self._shown[0] and served == self._shown[1]:
            return False
        before, self._shown = _pieces(self._shown[0]), (snapshot, served)
        self.families = self._renderer.families(snapshot.samples(now, self._collector.max_age))
        while before:
            before.pop()
        return True


def _pieces(snapshot: Snapshot | None) -> list[tuple[Figure, ...]]:
    """The figures of a snapshot in pieces that can be let go one after the other.

    Nobody has a turn while figures are freed: a hundred thousand at once would hold up scrapes for more than 10 ms.
    """
    readings = () if snapshot is None else snapshot.readings
    return [reading.samples[begin : begin + PIECE] for reading in readings for begin in range(0, len(reading.samples), PIECE)]


class Publication:
    """The page is replaced whole; reading it takes no lock and waits for nobody.

    `earlier` are snapshots of collectors of the same names, to be shown until these here have run; `about` gives the figures
    of the exporter itself; `clock` seconds since the epoch.
    """

    def __init__(
        self,
        collectors: Sequence[Collector],
        clock: Callable[[], float] = time.time,
        earlier: Mapping[str, Snapshot] | None = None,
        about: Callable[[], Iterable[Figure]] = tuple,
    ) -> None:
        self._clock, self._about = clock, about
        self._shelves = [_Shelf(collector, (earlier or {}).get(collector.name)) for collector in collectors]
        self._about_renderer = Renderer()
        self._about_families: list[Family] = []
        self._process_renderer = Renderer()
        self._wanted = dict.fromkeys((TEXT, OPENMETRICS), clock())
        self._rendered_at = 0.0
        self._rendering, self._stop = threading.Lock(), threading.Event()
        self._complaint = ""
        self._thread = threading.Thread(target=self._beat, name="publication", daemon=True)
        self.page = self._made((), clock())
        self.refresh()

    def body(self, content_type: str, compressed: bool) -> tuple[bytes, bool]:
        """The page in the form asked for, and whether it is compressed: a form that nobody wanted for long comes plain."""
        page = self.page
        if compressed:
            self._wanted[content_type] = self._clock()
            if content_type in page.compressed:
                return page.compressed[content_type], True
        return page.plain(content_type), False

    def refresh(self) -> None:
        """Makes the page anew when something on it has changed. Never raises: the page of before stays, and it is said once."""
        with self._rendering:
            try:
                self._refresh(self._clock())
            except BaseException as error:
                complaint = f"{type(error).__name__}: {error}"
                if complaint != self._complaint:
                    LOG.exception("the page cannot be made", extra=pairs(problem=complaint))
                self._complaint = complaint
            else:
                self._complaint = ""

    def _refresh(self, now: float) -> None:
        changed = [shelf.renewed(now) for shelf in self._shelves]
        families = self._about_renderer.families(self._about())
        if any(changed) or families != self._about_families or not 0 <= now - self._rendered_at < _PROCESS_SECONDS:
            self.page = self._made([*(family for shelf in self._shelves for family in shelf.families), *families], now)
            self._about_families, self._rendered_at = families, now

    def _made(self, families: Sequence[Family], now: float) -> Page:
        families = (*families, *self._process_renderer.families(own_process.samples()))
        compressed = {
            form: _compressed((*pieces(families, form), _END[form]))
            for form, asked in self._wanted.items()
            if now - asked <= _WANTED_SECONDS
        }
        return Page(families, compressed)

    @property
    def alive(self) -> bool:
        """Whether old values are looked after."""
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def _beat(self) -> None:
        while not self._stop.wait(_HEARTBEAT_SECONDS):
            self.refresh()

    def stop(self) -> None:
        self._stop.set()
