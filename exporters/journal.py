"""What one source answered, query by query: the last good values, and the samples about the asking itself."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from contract.labels import SERIES_LIMIT
from contract.metrics import Source
from exporters.limits import Limits
from exporters.logs import LOG, pairs
from exporters.snapshot import Figure, Reading, Snapshot, sample, sift


class QueryFailed(Exception):
    """One query gave nothing; others may go on. The text is one line for people, without secrets."""


LONGEST_WAIT = 86400.0
"""Seconds. Nothing here waits longer, whatever a server or the configuration asks for: a thread cannot wait for centuries."""


class SourceDown(Exception):
    """The source does not answer at all. `retry_after`: seconds to leave it alone at least."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = min(retry_after, LONGEST_WAIT)


YIELDS = (
    "exporter_source_up",
    "exporter_source_data_timestamp_seconds",
    "exporter_query_success",
    "exporter_query_duration_seconds",
    "exporter_query_last_success_timestamp_seconds",
    "exporter_query_failures_total",
    "exporter_query_rows",
    "exporter_truncated_results_total",
    "exporter_label_overflow_total",
)
"""The metrics about the asking that every collector gives."""


@dataclass(frozen=True)
class Answer:
    """What a query gave: its samples, how many rows they come from, and whether the answer was cut at a row limit.

    `in_order`: the samples come in the order in which they were first counted; beyond a limit the first ones keep their names.
    """

    samples: tuple[Figure, ...]
    rows: int
    truncated: bool = False
    in_order: bool = False


@dataclass
class _Query:
    due: bool = False
    success: bool = False
    duration: float = 0.0
    last_success: float | None = None
    rows: int = 0
    failures: int = 0
    complaint: str = ""
    reading: Reading | None = None


class Journal:
    """Written by the one thread that runs a collector; others only see the snapshots that it makes.

    `source` names the source in `exporter_*` metrics; `yields` is whose metrics the collector may give; `without_secrets` is
    applied to all that is said, and a label's value that it would change goes into the overflow; `series_limit` bounds the
    series of one metric; `last_failure` is why a query failed last.
    """

    def __init__(
        self,
        source: str,
        yields: Source,
        queries: Iterable[str],
        without_secrets: Callable[[str], str] = str,
        series_limit: int = SERIES_LIMIT,
    ) -> None:
        self.source, self._without_secrets = source, without_secrets
        self._yields = yields
        self._queries = {name: _Query() for name in queries}
        self._truncated: Counter[str] = Counter()
        self._overflowed: Counter[str] = Counter()
        self._limits = Limits(series_limit, self._presentable)
        self._unpresentable = 0
        self._aside = 0.0
        self.last_failure = ""

    def begin(self, keep: Iterable[str] = ()) -> None:
        """A run begins: until it has answered, no query succeeded, save those that this run need not ask.

        Nothing is said of a query before the first run that asks it.
        """
        for name in self._queries.keys() - set(keep):
            self._queries[name].due, self._queries[name].success = True, False

    def ask(self, name: str, as_of: float, run: Callable[[], Answer], spent: float = 0.0) -> bool:
        """Runs one query and keeps what it gave; whether it succeeded. `spent` are seconds that it took already, with others.

        `QueryFailed` is noted, and said once until it changes; the last good values stay. Everything else is the caller's.
        """
        query = self._queries[name]
        query.due, query.success = True, False
        self._aside, begun = 0.0, time.perf_counter() - spent
        try:
            answer = run()
        except QueryFailed as failure:
            query.duration = time.perf_counter() - begun - self._aside
            query.failures += 1
            self.last_failure = self._without_secrets(str(failure))
            self._complain(name, self.last_failure)
            return False
        query.success, query.duration = True, time.perf_counter() - begun - self._aside
        query.last_success, query.rows = as_of, answer.rows
        self._truncated[name] += answer.truncated
        good, problems = sift(answer.samples, self._yields)
        self._unpresentable = 0
        within, overflowed = self._limits.apply(name, good, answer.in_order)
        self._overflowed[name] += overflowed
        query.reading = Reading(name, as_of, tuple(within))
        notes = problems[:3] + [f"{overflowed} rows beyond the limits of labels and series went into 'other'"] * bool(
            overflowed
        )
        notes += [f"{self._unpresentable} label values hold a secret and are not shown"] * bool(self._unpresentable)
        notes += ["the answer was cut at the row limit"] * answer.truncated
        self._complain(name, "; ".join(notes))
        return True

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While a query runs: what is done within is not asked of the source, and is no time of the query."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._aside += time.perf_counter() - begun

    def _presentable(self, value: str) -> bool:
        clean = self._without_secrets(value) == value
        self._unpresentable += not clean
        return clean

    def _complain(self, name: str, complaint: str) -> None:
        query, complaint = self._queries[name], self._without_secrets(complaint)
        if complaint == query.complaint:
            return
        query.complaint = complaint
        if complaint:
            LOG.warning("query has a problem", extra=pairs(source=self.source, query=name, problem=complaint))
        else:
            LOG.info("query is well again", extra=pairs(source=self.source, query=name))

    def snapshot(self, up: bool, more: Iterable[Figure] = ()) -> Snapshot:
        """All that is known now. `more` are further samples without an age."""
        readings = tuple(query.reading for query in self._queries.values() if query.reading)
        return Snapshot(self.source, readings, (*self._about(up), *more))

    def _about(self, up: bool) -> Iterable[Figure]:
        yield sample("exporter_source_up", self.source, value=up)
        for name, query in self._queries.items():
            if not query.due:
                continue
            labels = (self.source, name)
            yield sample("exporter_query_success", *labels, value=query.success)
            yield sample("exporter_query_duration_seconds", *labels, value=query.duration)
            yield sample("exporter_query_failures_total", *labels, value=query.failures)
            yield sample("exporter_truncated_results_total", *labels, value=self._truncated[name])
            yield sample("exporter_label_overflow_total", *labels, value=self._overflowed[name])
            if query.last_success is not None:
                yield sample("exporter_query_last_success_timestamp_seconds", *labels, value=query.last_success)
                yield sample("exporter_query_rows", *labels, value=query.rows)
