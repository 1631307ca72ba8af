"""How fast old rows are counted, and how long one chunk of them takes."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks import data, ours
from benchmarks.measure import Bar, Measure
from benchmarks.run import Run
from exporters.rollups.backfill import Chunk


def measure(run: Run) -> Iterator[Measure]:
    """Rows a second from an installed schema to the last old row counted, in chunks that can be resumed."""
    name, _ = data.template(run.dsn(), run.scale.rows, run.say)
    with data.copy_of(run.dsn(), name) as dsn:
        began = time.perf_counter()
        ours.install(dsn)
        yield Measure("installation: schema, columns, indexes, triggers", time.perf_counter() - began, "s")
        run.say("backfill")
        ends: list[float] = []
        with ours.counting(dsn) as counting:
            began = time.perf_counter()

            def note(_: Chunk) -> None:
                ends.append(time.perf_counter())

            rows = counting.backfill(note)
    chunks = [end - start for start, end in zip([began, *ends], ends, strict=False)]
    yield Measure(f"rows a second ({rows:,} rows in {len(chunks)} chunks)", rows / sum(chunks), "rows/s", Bar(200_000, True))
    yield Measure("longest chunk", max(chunks), "s", Bar(2.0))
