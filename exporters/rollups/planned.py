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

_LATER = "r.{stamp} >= pg_snapshot_xmax(old_snapshot)"
# A range of unknown bounds is taken for 0.5 % of the rows, and a computed number that equals another for 0.5 % of these.
_FEW = " AND r.{stamp} < '18446744073709551615' AND ({later})::integer = 1"


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


def _body(form: Form) -> str:
    later = _LATER.format(stamp=STAMP)
    rows = (later + _FEW.format(stamp=STAMP, later=later), f"r.{STAMP} = ANY (running)")
    touched = newer_than(form, "old_snapshot", rows, ("old_time", "old_key"))
    name = quoted(form.source.name)
    earlier = (
        f"EXISTS (SELECT FROM analytics.retractions AS q WHERE q.source = {name})"
        f" OR EXISTS (SELECT FROM analytics.shadows AS s WHERE s.source = {name})"
    )
    all_new = replace(touched, all_new=f"NOT ({earlier})", retracted=None, further=(), truncated=None)
    new = f"SELECT FROM {form.stamped} AS r WHERE {rows[0]} LIMIT {_MOST_ROWS + 1}"
    gone = f"SELECT FROM analytics.retractions AS q WHERE q.source = {name} LIMIT {_MOST_ROWS + 1}"
    state = (
        "SELECT s.watermark #>> '{}', ARRAY(SELECT pg_snapshot_xip((s.watermark #>> '{}')::pg_snapshot)),"
        " coalesce(s.backfill_time, '-infinity'), coalesce(s.backfill_key, '')"
        " INTO old_snapshot, running, old_time, old_key FROM analytics.sources AS s"
        f" WHERE s.source = {name} AND s.mode = 'snapshot' AND NOT s.halted"
    )
    anything = " OR ".join(f"EXISTS (SELECT FROM {form.stamped} AS r WHERE {condition})" for condition in rows)
    return (
        "#variable_conflict use_column\n"
        "DECLARE old_snapshot pg_snapshot; running xid8[]; old_time timestamptz; old_key text; done record;"
        " counted boolean := false;\n"
        "BEGIN\n"
        f"{state};\n"
        "IF NOT FOUND THEN RETURN NULL; END IF;\n"
        f"IF NOT ({anything} OR EXISTS ({gone})) THEN RETURN '{{0,0,0}}'; END IF;\n"
        f"{state} FOR UPDATE SKIP LOCKED;\n"
        f"IF NOT FOUND OR (SELECT count(*) FROM ({new}) AS found) > {_MOST_ROWS}"
        f" OR (SELECT count(*) FROM ({gone}) AS found) > {_MOST_ROWS} THEN RETURN NULL; END IF;\n"
        "PERFORM set_config('synchronous_commit', 'off', true);\n"
        f"IF {all_new.all_new} THEN {render(form, all_new)} INTO done; counted := FOUND; END IF;\n"
        f"IF NOT counted THEN {render(form, touched)} INTO done; END IF;\n"
        f"IF done.looked > 0 OR done.gone > 0 THEN PERFORM pg_notify('{ADVANCED}', ''); END IF;\n"
        "RETURN ARRAY[done.looked, done.corrected, done.gone];\n"
        "END"
    )
