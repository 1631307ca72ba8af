"""What scrapers get: the page of all collectors, made anew after every run, and every few seconds so that old values go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporters.exposition import Page, Renderer
from exporters.scheduler import Collector
from exporters.snapshot import Sample

_HEARTBEAT_SECONDS = 5.0


class Publication:
    """`page` is replaced whole; reading it takes no lock and waits for nobody."""

    def __init__(self, collectors: Sequence[Collector], clock: Callable[[], float] = time.time) -> None:
        self._collectors, self._clock = collectors, clock
        self._renderer = Renderer()
        self._rendering = threading.Lock()
        self._stop = threading.Event()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        self.page: Page = self._render()

    def refresh(self) -> None:
        with self._rendering:
            self.page = self._render()

    def _render(self) -> Page:
        openmetrics: bytes = generate_openmetrics(self._process).removesuffix(b"# EOF\n")  # type: ignore[no-untyped-call]
        return self._renderer.page(self._samples(), generate_latest(self._process), openmetrics)

    def _samples(self) -> Iterator[Sample]:
        now = self._clock()
        for collector in self._collectors:
            if collector.snapshot is not None:
                yield from collector.snapshot.samples(now, collector.max_age)

    def start(self) -> None:
        threading.Thread(target=self._beat, name="publication", daemon=True).start()

    def _beat(self) -> None:
        while not self._stop.wait(_HEARTBEAT_SECONDS):
            self.refresh()

    def stop(self) -> None:
        self._stop.set()
