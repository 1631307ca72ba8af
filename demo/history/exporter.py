"""The past of the exporter's series that the Overview tab shows, once a minute, as the exporter itself collects."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from contract.settings import Settings
from demo.history import business, model_calls
from demo.history.openmetrics import COARSE_SECONDS, Column, Table
from demo.history.steps import Key, column
from demo.platform.registry import Number
from exporters.langfuse.windows import SETTLE_SECONDS

JOB = "exporter"


def _itself(source: str, times: Sequence[int], behind: float) -> list[tuple[Key, Sequence[Number]]]:
    """What the exporter says of a source that always answered: its figures stand for the time of asking, less `behind`."""
    return [
        (("exporter_source_up", (source,)), [1] * len(times)),
        (("exporter_source_data_timestamp_seconds", (source,)), [at - behind for at in times]),
    ]


class ExporterHistory:
    """All series over a span of time, computed once and handed out block by block.

    `storage` is the stand-in's file; without one (a real Langfuse is asked) only PostgreSQL's series have a past.
    Raises psycopg.Error when the platform's tables cannot be read.
    """

    def __init__(self, dsn: str, storage: Path | None, times: Sequence[int], settings: Settings, instance: str) -> None:
        self._times = [at for at in times if at % COARSE_SECONDS == 0]
        self._columns: list[Column] = []
        if not self._times:
            return
        target = (("instance", instance), ("job", JOB))
        found = chain(business.series(dsn, self._times, settings.environments), _itself("postgres", self._times, 0.0))
        if storage is not None:
            calls = model_calls.series(storage, self._times, settings)
            found = chain(found, calls, _itself("langfuse", self._times, SETTLE_SECONDS))
        found = chain(found, [(("up", ()), [1] * len(self._times))])
        self._columns = [column(key, values, target) for key, values in found]

    def table(self, first: int, last: int) -> Table:
        """The samples from `first` to `last`, both included."""
        places = [place for place, at in enumerate(self._times) if first <= at <= last]
        if not places:
            return Table([], [])
        begin, end = places[0], places[-1] + 1
        return Table(self._times[begin:end], [held._replace(values=held.values[begin:end]) for held in self._columns])
