"""Figures of the ledger, read from the counts: counters, windows, and what the cost figures stand on. No row is looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from psycopg import sql

from contract.buckets import quantile
from exporters.database.sessions import Connection
from exporters.langfuse.calls import MICRO, NANO
from exporters.langfuse.counting import (
    BOUNDS,
    CALLS,
    CORRECTIONS,
    DURATIONS,
    FIRST_TOKENS,
    SCORE_SUM,
    SCORES,
    TRACES,
    UNPRICED,
)
from exporters.langfuse.storage import complete_since
from exporters.langfuse.usage import TOKEN_TYPES
from exporters.rollups.model import HISTOGRAM_COLUMNS, SUM_COLUMNS
from exporters.snapshot import Figure, distribution, sample
from exporters.windows import Window

STATUSES = ("success", "error")
MEASURES = {"calls": 1, "tokens": 1, "cost_usd": NANO}
"""What is corrected, and the ledger's units in one of each."""

_HISTOGRAM = HISTOGRAM_COLUMNS[: len(BOUNDS) + 1]
_FIGURES = ("n", *SUM_COLUMNS, *_HISTOGRAM)


class Counted(NamedTuple):
    """A cell of the counts: how often, the sums in the order of the fact, and the buckets of its histogram."""

    labels: tuple[str, ...]
    n: int
    sums: tuple[int, ...]
    buckets: tuple[int, ...]


Cells = dict[str, list[Counted]]
"""By fact."""

_STARTED = "executions_started"
"""The platform's own count of what traces are of: where there is one of these, traces begin at 0."""

_COUNTER_FACTS = (CALLS, UNPRICED, DURATIONS, FIRST_TOKENS, SCORES, CORRECTIONS, SCORE_SUM, TRACES, _STARTED)
_WINDOW_FACTS = (CALLS, UNPRICED, DURATIONS)


def _added() -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("coalesce(analytics.total({}), 0)").format(sql.Identifier(name)) for name in _FIGURES)


def _cell(labels: Sequence[str], figures: Sequence[int]) -> Counted:
    sums_end = 1 + len(SUM_COLUMNS)
    return Counted(tuple(labels), figures[0], tuple(figures[1:sums_end]), tuple(figures[sums_end:]))


def totals(connection: Connection) -> Cells:
    """What was counted since counting began, in the order in which it was first counted."""
    query = sql.SQL(
        "SELECT fact, labels, {} FROM analytics.cells LEFT JOIN (SELECT fact, labels, series FROM analytics.totals) AS known"
        " USING (fact, labels) LEFT JOIN (SELECT fact, string_to_array(labels, E'\\x1f') AS labels,"
        " min(stamp::text::bigint) AS stamp FROM analytics.fresh GROUP BY 1, 2) AS lately USING (fact, labels)"
        " WHERE fact = ANY(%s) GROUP BY fact, labels, known.series, lately.stamp"
        " ORDER BY known.series NULLS LAST, lately.stamp, fact, labels"
    )
    found: defaultdict[str, list[Counted]] = defaultdict(list)
    for fact, labels, *figures in connection.execute(query.format(_added()), (list(_COUNTER_FACTS),)):
        found[fact].append(_cell(labels, figures))
    return found


def in_windows(connection: Connection, windows: Iterable[Window], facts: Sequence[str] = _WINDOW_FACTS) -> dict[str, Cells]:
    """What happened in each window, by its name."""
    found: dict[str, Cells] = {}
    for window in windows:
        spans = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT * FROM {} WHERE fact = ANY({}) AND bucket >= {} AND bucket < {}").format(
                sql.Identifier("analytics", f"{span.tier}s"), list(facts), span.start, span.end
            )
            for span in window.spans()
        )
        query = sql.SQL("SELECT fact, labels, {} FROM ({}) AS spans GROUP BY fact, labels").format(_added(), spans)
        cells: defaultdict[str, list[Counted]] = defaultdict(list)
        for fact, labels, *figures in connection.execute(query):
            cells[fact].append(_cell(labels, figures))
        found[window.name] = cells
    return found


def covered(connection: Connection, wanted: Iterable[Window]) -> list[Window]:
    """Those windows of which the ledger has every call: while the past is filled in, a part must not pass for the whole."""
    since = complete_since(connection)
    return [window for window in wanted if since is not None and since <= window.start]


def cost_by_day(connection: Connection, midnight: datetime, days: int) -> dict[str, dict[date, float]]:
    """USD of each of the whole days before `midnight` (UTC) that the ledger covers, for `all` and each environment."""
    since = complete_since(connection)
    if since is None:
        return {}
    rows = connection.execute(
        "SELECT (bucket AT TIME ZONE 'UTC')::date, labels[2], coalesce(analytics.total(s6), 0) FROM analytics.days"
        " WHERE fact = %s AND bucket >= %s AND bucket < %s GROUP BY 1, 2",
        (CALLS, max(since, midnight - timedelta(days=days)), midnight),
    )
    found: defaultdict[str, defaultdict[date, float]] = defaultdict(lambda: defaultdict(float))
    for day, environment, nano in rows:
        for scope in ("all", environment):
            found[scope][day] += nano / NANO
    return {scope: dict(costs) for scope, costs in found.items()}


def counter_samples(cells: Cells) -> Iterator[Figure]:
    """Counters and histograms, in the order of the cells. Whatever a model may do is there with 0 from the beginning."""
    models = dict.fromkeys(cell.labels[:2] for cell in cells.get(CALLS, ()))
    calls = {cell.labels: cell for cell in cells.get(CALLS, ())}
    unpriced = {cell.labels: cell.n for cell in cells.get(UNPRICED, ())}
    for model in models:
        of_model = [calls.get((*model, status), _NONE) for status in STATUSES]
        for status, cell in zip(STATUSES, of_model, strict=True):
            yield sample("langfuse_generations_total", *model, status, value=cell.n)
        sums = [sum(amounts) for amounts in zip(*(cell.sums for cell in of_model), strict=True)]
        for type_, tokens in zip(TOKEN_TYPES, sums, strict=False):
            yield sample("langfuse_tokens_total", *model, type_, value=tokens)
        yield sample("langfuse_cost_usd_total", *model, value=sums[len(TOKEN_TYPES)] / NANO)
        yield sample("langfuse_unpriced_calls_total", *model, value=unpriced.get(model, 0))
    yield from _histograms("langfuse_generation_duration_seconds", cells.get(DURATIONS, ()))
    yield from _histograms("langfuse_time_to_first_token_seconds", cells.get(FIRST_TOKENS, ()))
    traces = {cell.labels: cell.n for cell in cells.get(TRACES, ())}
    started = ((agent, environment) for agent, _, environment in (cell.labels for cell in cells.get(_STARTED, ())))
    for place in dict.fromkeys((*traces, *started)):
        yield sample("langfuse_traces_total", *place, value=traces.get(place, 0))
    for cell in cells.get(SCORES, ()):
        yield sample("langfuse_scores_total", *cell.labels, value=cell.n)
    for cell in cells.get(SCORE_SUM, ()):
        yield sample("langfuse_score_sum", *cell.labels, value=cell.n / MICRO)
    corrected = {cell.labels[0]: cell.sums[0] for cell in cells.get(CORRECTIONS, ())}
    for measure, units in MEASURES.items():
        yield sample("langfuse_ledger_corrections_total", measure, value=corrected.get(measure, 0) / units)


_NONE = Counted((), 0, (0,) * len(SUM_COLUMNS), ())


def _histograms(name: str, cells: Iterable[Counted]) -> Iterator[Figure]:
    for cell in cells:
        yield distribution(name, *cell.labels, buckets=cell.buckets, total=cell.sums[0] / MICRO)


def window_samples(cells: Cells, window: str) -> Iterator[Figure]:
    """Calls, errors, tokens, cost and the 95th percentile. No cost of models of which no call has a known price."""
    models = sorted({cell.labels[:2] for cell in cells.get(CALLS, ()) if cell.n})
    unpriced = {cell.labels: cell.n for cell in cells.get(UNPRICED, ())}
    for model in models:
        of_model = [cell for cell in cells[CALLS] if cell.labels[:2] == model]
        labels, calls = (*model, window), sum(cell.n for cell in of_model)
        yield sample("langfuse_window_calls", *labels, value=calls)
        yield sample("langfuse_window_errors", *labels, value=sum(cell.n for cell in of_model if cell.labels[2] != "success"))
        sums = [sum(amounts) for amounts in zip(*(cell.sums for cell in of_model), strict=True)]
        for type_, tokens in zip(TOKEN_TYPES, sums, strict=False):
            yield sample("langfuse_window_tokens", *labels, type_, value=tokens)
        if unpriced.get(model, 0) < calls:
            yield sample("langfuse_window_cost_usd", *labels, value=sums[len(TOKEN_TYPES)] / NANO)
    for cell in cells.get(DURATIONS, ()):
        if any(cell.buckets):
            seconds = quantile(0.95, cell.buckets, BOUNDS)
            yield sample("langfuse_window_latency_seconds", *cell.labels, window, value=seconds)
