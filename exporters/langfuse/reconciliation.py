"""The ledger held against Langfuse's own sums over one window that is long enough ago to be settled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from contract.durations import duration_seconds
from exporters.database.sessions import Connection
from exporters.journal import QueryFailed
from exporters.langfuse.aggregates import totals_query
from exporters.langfuse.calls import NANO
from exporters.langfuse.client import LangfuseClient, number
from exporters.langfuse.storage import CALLS
from exporters.snapshot import Sample, sample

if TYPE_CHECKING:
    from contract.data_plane import Reconciliation


@dataclass(frozen=True)
class Sums:
    """Calls that began in a window. `cost_nano` is what Langfuse recorded, in nano-USD."""

    calls: int
    tokens: int
    cost_nano: int


def window(now: datetime, settings: Reconciliation) -> tuple[datetime, datetime]:
    """Begin and end, at full minutes. Both belong to the window, as in Langfuse's own queries."""
    end = (now - timedelta(seconds=duration_seconds(settings.settle))).astimezone(UTC).replace(second=0, microsecond=0)
    return end - timedelta(seconds=duration_seconds(settings.window)), end


def of_langfuse(client: LangfuseClient, begin: datetime, end: datetime) -> Sums:
    """Langfuse's sums. Raises QueryFailed or SourceDown."""
    rows = client.metrics(totals_query(begin, end)).rows
    if len(rows) > 1:
        raise QueryFailed(f"{len(rows)} rows in an answer that has one")
    calls, given, produced, cost = (
        sum(number(row, key) or 0.0 for row in rows)
        for key in ("count_count", "sum_inputTokens", "sum_outputTokens", "sum_totalCost")
    )
    return Sums(round(calls), round(given + produced), round(cost * NANO))


def of_ledger(connection: Connection, begin: datetime, end: datetime) -> Sums:
    """The ledger's sums. Costs that were priced here are none of Langfuse's."""
    row = connection.execute(
        "SELECT count(*), coalesce(sum(input_tokens + output_tokens), 0)::bigint,"
        " coalesce(sum(total_cost_usd) FILTER (WHERE cost_source = 'recorded') * 1000000000, 0)::bigint"
        " FROM analytics.llm_calls WHERE started_at BETWEEN %s AND %s",
        (begin, end),
    ).fetchone()
    return Sums(*row) if row else Sums(0, 0, 0)


def call_delay(connection: Connection, begin: datetime, end: datetime) -> float | None:
    """The 95th percentile of the seconds from the end of a call until it was in the ledger, by the clocks of who wrote down
    each; None without calls. Calls from before the ledger began to count were read late on purpose, and are left out."""
    row = connection.execute(
        "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ingested_at - ended_at)::float8)"
        " FROM analytics.llm_calls WHERE started_at BETWEEN %s AND %s AND ended_at IS NOT NULL"
        " AND started_at >= (SELECT counted_from FROM analytics.sync_state WHERE source = %s)",
        (begin, end, CALLS),
    ).fetchone()
    return None if row is None or row[0] is None else max(0.0, float(row[0]))


def ratio_samples(ledger: Sums, langfuse: Sums) -> Iterator[Sample]:
    """Ledger / Langfuse; 1 where both have nothing, and no ratio where only Langfuse has nothing."""
    measures = {
        "calls": (ledger.calls, langfuse.calls),
        "tokens": (ledger.tokens, langfuse.tokens),
        "cost_usd": (ledger.cost_nano, langfuse.cost_nano),
    }
    for measure, (ours, theirs) in measures.items():
        if theirs or not ours:
            yield sample("exporter_reconciliation_ratio", measure, value=ours / theirs if theirs else 1.0)
