"""All that gathers and publishes by one configuration: it is exchanged as a whole when the configuration is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from exporters.collectors import collectors
from exporters.credentials import Credentials
from exporters.logs import LOG, pairs
from exporters.publication import Publication
from exporters.scheduler import Scheduler
from exporters.snapshot import Sample, Snapshot, sample

if TYPE_CHECKING:
    from contract.settings import Settings

YIELDS = ("exporter_scrapes_refused_total",)
"""The metrics about the server of the page."""


class Gathering:
    """The collectors of `settings`, their scheduler and their page. `refused` counts what the server refused."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        refused: Callable[[], int],
        earlier: Gathering | None = None,
    ) -> None:
        self._refused = refused
        self.collectors = collectors(settings, credentials)
        self.scheduler: Scheduler = Scheduler(
            self.collectors, lambda: self.publication.refresh(), earlier=earlier.scheduler.standings if earlier else None
        )
        self.publication: Publication = Publication(
            self.collectors, earlier=earlier.snapshots if earlier else None, about=self._about
        )

    @property
    def snapshots(self) -> dict[str, Snapshot]:
        """What every collector knows, by its name."""
        return {collector.name: collector.snapshot for collector in self.collectors if collector.snapshot}

    def _about(self) -> Iterable[Sample]:
        yield from self.scheduler.figures()
        yield sample("exporter_scrapes_refused_total", value=self._refused())

    def start(self) -> None:
        for collector in self.collectors:
            LOG.info("collector", extra=pairs(source=collector.name, interval_seconds=collector.interval))
        self.scheduler.start()
        self.publication.start()

    def stop(self) -> None:
        """Breaks off what runs and gives back the connections, within a bounded time."""
        self.publication.stop()
        self.scheduler.stop()
