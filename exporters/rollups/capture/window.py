"""Capture by a trailing window of time, for tables with keys of any kind that we may not change.

Every step reads the rows of the last minutes again and leaves out those whose keys it has counted. The window begins five
minutes before the oldest transaction that may still commit, so that a row is met however late it is committed, as long as the
clock that gave it its time was right within five minutes of that transaction's begin. Rows that are still open are read again
by their keys; a change or deletion of a final row is not seen. A long history is counted oldest first, a portion a step.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, a number, or was quoted by psycopg

from __future__ import annotations

from exporters.database.sessions import StatementRefused
from exporters.rollups.capture.scan import gone
from exporters.rollups.model import quoted
from exporters.rollups.state import Connection, State
from exporters.rollups.statement import Form, Touched

PORTION = 50_000
"""About so many rows of one step; the rest waits for the next."""
SKEW_SECONDS = 300
_WRITE_NOTHING = ("autovacuum launcher", "autovacuum worker", "parallel worker", "walsender")
"""Processes of the server whose transactions bring no row. Others may: jobs of extensions, the workers of a subscription."""


class HiddenTransactions(StatementRefused):
    """Other roles' transactions cannot be seen, so that nobody knows how far back a row may still come."""


class WindowCapture:
    """For tables with an index on their time. The watermark is the time from which on rows are looked at."""

    def first_watermark(self, _connection: Connection, _form: Form) -> str:
        return "-infinity"

    def news(self, form: Form, state: State) -> str:
        name, since = quoted(form.source.name), str(state.watermark)
        return f"EXISTS (SELECT FROM analytics.shadows WHERE source = {name}) OR EXISTS ({_new_rows(form, since, 'infinity')})"

    def touched(self, connection: Connection, form: Form, state: State) -> Touched:
        """Asks for the open transactions before the step's statement takes its snapshot: what is open then was open now."""
        name, key, time, since = quoted(form.source.name), form.source.key, form.source.contract.time, str(state.watermark)
        end = horizon(connection, since)
        until = _portion_end(connection, form, since) or "infinity"
        following = f"least({_moment(until)}, {_moment(end)})"
        open_keys = f"SELECT s.key::{form.own_types[key]} FROM analytics.shadows AS s WHERE s.source = {name}"
        seen = _new_rows(form, since, until, f"{name}, r.{key}::text, r.{time}")
        return Touched(
            rows=(_is_new(form, since, until), f"r.{key} = ANY (ARRAY({open_keys}))"),
            compare=True,
            keys=gone(form),
            further=(
                f"met AS (INSERT INTO analytics.seen (source, key, at) {seen} AND r.{time} >= {following}"
                " ON CONFLICT DO NOTHING)",
                f"pruned AS (DELETE FROM analytics.seen WHERE source = {name} AND at < {following})",
            ),
            watermark=f"to_jsonb({following}::text)",
        )


def _is_new(form: Form, since: str, until: str) -> str:
    """Condition on `r`: in the window, and not counted before."""
    name, key, time = quoted(form.source.name), form.source.key, form.source.contract.time
    counted = " AND ".join(
        f"NOT EXISTS (SELECT FROM analytics.{table} AS c WHERE c.source = {name} AND c.key = r.{key}::text)"
        for table in ("seen", "shadows")
    )
    return f"r.{time} >= {quoted(since)} AND r.{time} < {quoted(until)} AND {counted}"


def _new_rows(form: Form, since: str, until: str, columns: str = "") -> str:
    return f"SELECT {columns} FROM {form.table} AS r WHERE {_is_new(form, since, until)}"


def _moment(text: str) -> str:
    return f"{quoted(text)}::timestamptz"


def horizon(connection: Connection, since: str) -> str:
    """The earliest time that a row may carry that is committed after this moment, not before `since`.

    Raises HiddenTransactions.
    """
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE backend_type IS NULL),"
        " (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()),"
        " greatest(least(min(xact_start), clock_timestamp()) - %s * interval '1 second', %s::timestamptz)::text"
        " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND (backend_type = ANY (%s)) IS NOT TRUE",
        (SKEW_SECONDS, since, list(_WRITE_NOTHING)),
    ).fetchone()
    assert row is not None
    hidden, prepared, horizon = row
    if hidden:
        raise HiddenTransactions("the role that advances has to be a member of pg_read_all_stats")
    # A prepared transaction no longer says when it began, so the window does not move on before it has ended.
    return since if prepared else str(horizon)


def _portion_end(connection: Connection, form: Form, since: str) -> str | None:
    """The time before which this step finds enough new rows; None when there are fewer than a portion."""
    time = form.source.contract.time
    new = _new_rows(form, since, "infinity", f"r.{time} AS at")
    row = connection.execute(
        f"SELECT max(at)::text, max(at) > {_moment(since)} FROM ({new} ORDER BY 1 LIMIT {PORTION}) AS portion"
        f" HAVING count(*) = {PORTION} AND min(at) < max(at)".encode()
    ).fetchone()
    return str(row[0]) if row else None
