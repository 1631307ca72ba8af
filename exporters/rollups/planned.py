"""The statement of a step as a function in the database, so that it is planned once a session instead of in every step.

Planning takes longer than counting a thousand rows. Prepared statements would not live behind a pooler; functions do. The
function holds the very statement, with parameters in place of literals. A planner that does not know the parameters would
guess that a third of the table is new, so it is told that little is; a step that has much to do is left to the statement
with literals. Nobody waits for the disk: should the server crash at once, the step is lost with all that it did, and the next
one counts the same rows.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, or was quoted by psycopg

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from contract.analytics import ADVANCED
from exporters.database.sessions import Rows
from exporters.rollups.capture.snapshot import STAMP, newer_than
from exporters.rollups.state import Connection
from exporters.rollups.statement import Form, quoted, render

Counts = tuple[int, int, int]
"""Rows that a step looked at, final rows that it corrected, and rows that are gone."""

_MOST_ROWS = 10_000

# A range of unknown bounds is taken for 0.5 % of the rows, and a computed number that equals another for 0.5 % of these.
_LATER = (
    "r.{stamp} >= pg_snapshot_xmax({snapshot}) AND r.{stamp} < '18446744073709551615'"
    " AND (r.{stamp} >= pg_snapshot_xmax({snapshot}))::integer = 1"
)
_RUNNING = "r.{stamp} = ANY ({running})"


def function(form: Form) -> str:
    """The statement that makes, or renews, the function of a source."""
    return f"CREATE OR REPLACE FUNCTION {_name(form)}() RETURNS bigint[] LANGUAGE plpgsql AS {quoted(_body(form))}"


def is_installed(connection: Connection, form: Form) -> bool:
    """Whether the function is there and is the one that this version would make for this mapping."""
    row = connection.execute(
        "SELECT prosrc = %s FROM pg_proc WHERE pronamespace = to_regnamespace('analytics') AND proname = %s",
        (_body(form), f"count_{form.source.name}"),
    ).fetchone()
    return bool(row and row[0])


def steps(connection: Connection, forms: Iterable[Form]) -> dict[str, Counts]:
    """Takes a step of each source by its function, all in one statement: rows looked at, corrected, gone, by source.

    A source is missing, with nothing done, when there is much to do, or somebody else is at it. Where nothing is new nothing
    is written.
    """
    asked = question(forms)
    return taken(connection.execute(asked.encode()).fetchall()) if asked else {}


def question(forms: Iterable[Form]) -> str:
    """The statement of `steps`, whose rows are for `taken`. "" when there is no source."""
    asked = ", ".join(f"({quoted(form.source.name)}, {_name(form)}())" for form in forms)
    return asked and f"VALUES {asked}"


def taken(rows: Rows) -> dict[str, Counts]:
    """Which steps were taken, from rows of source and numbers; NULL is none."""
    return {source: (counts[0], counts[1], counts[2]) for source, counts in rows if counts is not None}


def _name(form: Form) -> str:
    return f"analytics.count_{form.source.name}"


def _newer(snapshot: str, running: str) -> tuple[str, str]:
    """Conditions on rows that were not visible in a snapshot, in which these transactions were running."""
    return _LATER.format(stamp=STAMP, snapshot=snapshot), _RUNNING.format(stamp=STAMP, running=running)


def _body(form: Form) -> str:
    """Few statements, for each takes its time to begin: one tells whether there is news, one locks, one tells how much it is.

    The step itself is planned up to three times: where nothing was running when the last one looked and nothing was counted
    before; where nothing was counted before; and for everything.
    """
    rows = _newer("old_snapshot", "running")
    touched = newer_than(form, "old_snapshot", rows, ("old_time", "old_key"))
    name = quoted(form.source.name)
    retracted = f"SELECT FROM analytics.retractions AS q WHERE q.source = {name}"
    all_new = f"NOT (EXISTS ({retracted}) OR EXISTS (SELECT FROM analytics.shadows AS s WHERE s.source = {name}))"
    only_new = replace(touched, all_new=all_new, retracted=None, further=(), truncated=None)
    state = (
        "SELECT (s.watermark #>> '{}')::pg_snapshot AS snapshot,"
        " ARRAY(SELECT pg_snapshot_xip((s.watermark #>> '{}')::pg_snapshot)) AS xip,"
        " coalesce(s.backfill_time, '-infinity') AS since, coalesce(s.backfill_key, '') AS key FROM analytics.sources AS s"
        f" WHERE s.source = {name} AND s.mode = 'snapshot' AND NOT s.halted"
    )
    found = (f"SELECT FROM {form.stamped} AS r WHERE {condition}" for condition in _newer("was.snapshot", "was.xip"))
    news = " OR ".join(f"EXISTS ({rows})" for rows in (*found, retracted))
    much = " OR ".join(
        f"(SELECT count(*) FROM ({one} LIMIT {_MOST_ROWS + 1}) AS found) > {_MOST_ROWS}"
        for one in (f"SELECT FROM {form.stamped} AS r WHERE {rows[0]}", retracted)
    )
    return (
        "#variable_conflict use_column\n"
        "DECLARE old_snapshot pg_snapshot; running xid8[]; old_time timestamptz; old_key text; any_news boolean;"
        " too_much boolean; nothing_old boolean; said text; done record; counted boolean := false;\n"
        "BEGIN\n"
        f"SELECT {news} INTO any_news FROM ({state} OFFSET 0) AS was;\n"
        "IF NOT FOUND THEN RETURN NULL; END IF;\n"
        "IF NOT any_news THEN RETURN '{0,0,0}'; END IF;\n"
        f"{state} FOR UPDATE SKIP LOCKED INTO old_snapshot, running, old_time, old_key;\n"
        "IF NOT FOUND THEN RETURN NULL; END IF;\n"
        f"SELECT {much}, {all_new} INTO too_much, nothing_old;\n"
        "IF too_much THEN RETURN NULL; END IF;\n"
        "said := set_config('synchronous_commit', 'off', true);\n"
        "IF nothing_old AND running = '{}' THEN\n"
        f"{render(form, replace(only_new, rows=rows[:1]))} INTO done; counted := FOUND;\n"
        "ELSIF nothing_old THEN\n"
        f"{render(form, only_new)} INTO done; counted := FOUND;\n"
        "END IF;\n"
        f"IF NOT counted THEN {render(form, touched)} INTO done; END IF;\n"
        f"IF done.looked > 0 OR done.gone > 0 THEN said := pg_notify('{ADVANCED}', '') IS NULL; END IF;\n"
        "RETURN ARRAY[done.looked, done.corrected, done.gone];\n"
        "END"
    )
