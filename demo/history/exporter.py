"""The past of those series of the exporter that roll-ups cannot tell, once a minute, as the exporter itself collects.

What they can tell is written by the exporter's own `backfill`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from contract.settings import Settings
from demo.history import business, model_calls
from demo.history.samples import COARSE_SECONDS, Column, Table
from demo.history.steps import Key, column
from demo.platform.registry import Number

JOB = "exporter"


_PLATFORM, _LANGFUSE = ("rollups", "postgres", "tables", "versions"), ("langfuse", "cost")
"""Collectors, as the exporter names its sources."""


def _itself(source: str, times: Sequence[int]) -> list[tuple[Key, Sequence[Number]]]:
    """What the exporter says of a source that always answered: its figures stand for the time of asking."""
    return [
        (("exporter_source_up", (source,)), [1] * len(times)),
        (("exporter_source_data_timestamp_seconds", (source,)), list(times)),
    ]


class ExporterHistory:
    """All series over a span of time, computed once and handed out block by block.

    `calls` says whether there is a ledger that begins before the past does, `keeps` whether series of a name are wanted. Raises
    psycopg.Error.
    """

    def __init__(
        self,
        dsn: str,
        calls: bool,
        times: Sequence[int],
        settings: Settings,
        instance: str,
        keeps: Callable[[str], bool],
    ) -> None:
        self._times = [at for at in times if at % COARSE_SECONDS == 0]
        self._columns: list[Column] = []
        if not self._times:
            return
        target = (("instance", instance), ("job", JOB))
        found = chain(
            business.series(dsn, self._times, settings.environments), *(_itself(name, self._times) for name in _PLATFORM)
        )
        if calls:
            found = chain(found, model_calls.series(dsn, self._times, settings), *(_itself(n, self._times) for n in _LANGFUSE))
        found = chain(found, [(("up", ()), [1] * len(self._times))])
        self._columns = [column(key, values, target) for key, values in found if keeps(key[0])]

    def table(self, first: int, last: int) -> Table:
        """The samples from `first` to `last`, both included."""
        places = [place for place, at in enumerate(self._times) if first <= at <= last]
        if not places:
            return Table([], [])
        begin, end = places[0], places[-1] + 1
        return Table(self._times[begin:end], [held._replace(values=held.values[begin:end]) for held in self._columns])
