"""The statement of a step as a function in the database, so that it is planned once a session instead of in every step.

Planning takes longer than counting a thousand rows. Prepared statements would not live behind a pooler; functions do. The
function holds the very statement, with parameters in place of literals. A planner that does not know the parameters would
guess that a third of the table is new, so it is told that little is; a step that has much to do is left to the statement
with literals. Which sources have something new is told by one function for all of them. Nobody waits for the disk: should the
server crash at once, the step is lost with all that it did, and the next one counts the same rows.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, or was quoted by psycopg

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from contract.analytics import ADVANCED
from exporters.database.sessions import Rows
from exporters.rollups.capture.snapshot import few_newer, newer_than
from exporters.rollups.model import quoted
from exporters.rollups.state import Connection
from exporters.rollups.statement import Form, render

Counts = tuple[int, int, int]
"""Rows that a step looked at, final rows that it corrected, and rows that are gone."""

_MOST_ROWS = 10_000

_WATERMARK = (
    "(s.watermark #>> '{}')::pg_snapshot AS snapshot,"
    " ARRAY(SELECT pg_snapshot_xip((s.watermark #>> '{}')::pg_snapshot)) AS xip"
)
_RETRACTED = "SELECT FROM analytics.retractions AS q WHERE q.source = {source}"


def function(form: Form) -> str:
    """The statement that makes, or renews, the function of a source."""
    body = quoted(_body(form))
    return f"CREATE OR REPLACE FUNCTION {_name(form)}(known_news boolean) RETURNS bigint[] LANGUAGE plpgsql AS {body}"


def news_function(forms: Sequence[Form]) -> str:
    """The statement that makes, or renews, the function that tells of all sources with a function whether they have news."""
    return (
        "CREATE OR REPLACE FUNCTION analytics.news() RETURNS TABLE (source text, any_news boolean) LANGUAGE plpgsql"
        f" AS {quoted(_news(forms))}"
    )


def is_installed(connection: Connection, form: Form) -> bool:
    """Whether the function is there and is the one that this version would make for this mapping, and its news are told."""
    row = connection.execute(
        "SELECT bool_or(proname = %(name)s AND prosrc = %(body)s)"
        " AND bool_or(proname = 'news' AND strpos(prosrc, %(news)s) > 0)"
        " FROM pg_proc WHERE pronamespace = to_regnamespace('analytics') AND proname IN (%(name)s, 'news')",
        {"name": f"count_{form.source.name}", "body": _body(form), "news": _news_of(form, ended=True)},
    ).fetchone()
    return bool(row and row[0])


def steps(connection: Connection, forms: Iterable[Form]) -> dict[str, Counts]:
    """Takes a step of each source by its function, all in one statement: rows looked at, corrected, gone, by source.

    A source is missing, with nothing done, when there is much to do, somebody else is at it, or its table is another than was
    counted. Where nothing is new nothing is written.
    """
    asked = question(forms)
    return taken(connection.execute(asked.encode()).fetchall()) if asked else {}


def step(connection: Connection, form: Form) -> Counts | None:
    """Takes a step of one source, whatever tables of others are like; None where `steps` leaves it out."""
    row = connection.execute(f"SELECT {_name(form)}(false)".encode()).fetchone()
    return taken([(form.source.name, row[0])]).get(form.source.name) if row else None


def question(forms: Iterable[Form]) -> str:
    """The statement of `steps`, whose rows are for `taken`. "" when there is no source."""
    functions = {quoted(form.source.name): _name(form) for form in forms}
    counts, names = " ".join(f"WHEN {name} THEN {function}(true)" for name, function in functions.items()), ", ".join(functions)
    return counts and (
        f"SELECT source, CASE any_news WHEN true THEN CASE source {counts} END WHEN false THEN '{{0,0,0}}' END"
        f" FROM analytics.news() WHERE source IN ({names})"
    )


def taken(rows: Rows) -> dict[str, Counts]:
    """Which steps were taken, from rows of source and numbers; NULL is none."""
    return {source: (counts[0], counts[1], counts[2]) for source, counts in rows if counts is not None}


def _name(form: Form) -> str:
    return f"analytics.count_{form.source.name}"


def _newer(snapshot: str, running: str) -> tuple[str, str]:
    """Conditions on rows that were not visible in a snapshot, in which these transactions were running."""
    return few_newer(f"pg_snapshot_xmin({snapshot})", f"pg_snapshot_xmax({snapshot})", running)


def _any_newer(form: Form) -> tuple[str, str]:
    """Whether there are rows that had not begun in the watermark of `was`, and whether there are rows that were running."""
    begun, ended = (f"EXISTS (SELECT FROM {form.stamped} AS r WHERE {one})" for one in _newer("was.snapshot", "was.xip"))
    return begun, ended


def _news_of(form: Form, ended: bool) -> str:
    another = f"was.driving <> to_regclass({quoted(form.driving)})::oid"
    newer = _any_newer(form)
    found = " OR ".join(newer) if ended else f"was.xip <> '{{}}' OR {newer[0]}"
    return f"WHEN {quoted(form.source.name)} THEN CASE WHEN {another} THEN NULL ELSE was.gone OR {found} END\n"


def _news(forms: Sequence[Form]) -> str:
    """NULL where the watermark says nothing about the table that is there: what is wrong is said by `origin`.

    What was running when a step looked is only looked for where something was. What has been running since that was told
    passes for news.
    """
    state = "FROM analytics.sources AS s WHERE s.mode = 'snapshot' AND NOT s.halted"

    def told(ended: bool) -> str:
        return (
            "RETURN QUERY SELECT was.source,\n"
            "CASE WHEN was.system_identifier <> (SELECT c.system_identifier::text FROM pg_control_system() AS c)"
            " OR pg_snapshot_xmax(was.snapshot) > pg_snapshot_xmax(pg_current_snapshot()) THEN NULL ELSE CASE was.source\n"
            f"{''.join(_news_of(form, ended) for form in forms)}"
            f"END END FROM (SELECT s.source, s.driving, s.system_identifier, {_WATERMARK},"
            # Lines are few, or soon taken away, and have no index, which writers would have to keep: they are read once.
            f" s.source IN (SELECT q.source FROM analytics.retractions AS q) AS gone {state} OFFSET 0) AS was ORDER BY 1;\n"
        )

    return (
        "#variable_conflict use_column\n"
        f"BEGIN IF EXISTS (SELECT {state} AND right(s.watermark #>> '{{}}', 1) <> ':') THEN\n"
        f"{told(ended=True)}ELSE\n{told(ended=False)}END IF;\nEND"
    )


def _state(form: Form) -> str:
    return (
        f"SELECT {_WATERMARK}, coalesce(s.backfill_time, '-infinity') AS since, coalesce(s.backfill_key, '') AS key"
        f" FROM analytics.sources AS s WHERE s.source = {quoted(form.source.name)} AND s.mode = 'snapshot' AND NOT s.halted"
    )


def _remembers(form: Form) -> str:
    return f"EXISTS (SELECT FROM analytics.shadows AS s WHERE s.source = {quoted(form.source.name)})"


def locked(form: Form) -> str:
    """The statement that locks a source. It returns its state, how many rows are new and how many lines there are, both up to
    one more than a step takes, and whether rows are remembered; no row where somebody else is at the source.

    The watermark is read in a query of its own: in one with the rows it would be parsed anew for each of them, and the more
    transactions were running, the longer it is. Rows are counted by a column that their index has not: by the index alone each
    would be asked for whether it is visible.
    """
    (later, _), most = _newer("was.snapshot", "was.xip"), _MOST_ROWS + 1
    new_rows = f"SELECT r.{form.source.key} AS key FROM {form.stamped} AS r WHERE {later} LIMIT {most}"
    lines = f"{_RETRACTED.format(source=quoted(form.source.name))} LIMIT {most}"
    return (
        f"SELECT was.*, (SELECT count(found.key) FROM ({new_rows}) AS found), (SELECT count(*) FROM ({lines}) AS found),"
        f" {_remembers(form)} FROM ({_state(form)} OFFSET 0 FOR UPDATE SKIP LOCKED) AS was"
    )


def _body(form: Form) -> str:
    """Few statements, for each takes its time to begin: one tells whether there is news unless that is known, one locks and
    tells how much it is.

    The step itself is planned up to three times: where nothing was running when the last one looked and nothing was counted
    before; where no line says that a final row has changed or gone; and for everything.
    """
    rows = _newer("old_snapshot", "running")
    touched = newer_than(form, "old_snapshot", rows, ("old_time", "old_key"))
    name = quoted(form.source.name)
    retracted = _RETRACTED.format(source=name)
    no_lines = f"NOT EXISTS ({retracted})"
    all_new = f"{no_lines} AND NOT {_remembers(form)}"
    no_line = replace(touched, rows=rows, keys="", provided=no_lines, retracted=None, further=(), truncated=None)
    only_new = replace(no_line, rows=rows[:1], provided=all_new, all_new=True)
    return (
        "#variable_conflict use_column\n"
        "DECLARE old_snapshot pg_snapshot; running xid8[]; old_time timestamptz; old_key text; any_news boolean;"
        " new_rows bigint; lines bigint; remembers boolean; said text; done record; counted boolean := false;\n"
        "BEGIN\n"
        "IF NOT known_news THEN\n"
        f"SELECT EXISTS ({retracted}) OR {' OR '.join(_any_newer(form))} INTO any_news FROM ({_state(form)} OFFSET 0) AS was;\n"
        "IF NOT FOUND THEN RETURN NULL; END IF;\n"
        "IF NOT any_news THEN RETURN '{0,0,0}'; END IF;\n"
        "END IF;\n"
        f"{locked(form)} INTO old_snapshot, running, old_time, old_key, new_rows, lines, remembers;\n"
        f"IF NOT FOUND OR new_rows > {_MOST_ROWS} OR lines > {_MOST_ROWS} THEN RETURN NULL; END IF;\n"
        "said := set_config('synchronous_commit', 'off', true);\n"
        "IF lines = 0 AND NOT remembers AND running = '{}' THEN\n"
        f"{render(form, only_new)} INTO done; counted := FOUND;\n"
        "ELSIF lines = 0 THEN\n"
        f"{render(form, no_line)} INTO done; counted := FOUND;\n"
        "END IF;\n"
        f"IF NOT counted THEN {render(form, touched)} INTO done; END IF;\n"
        f"IF done.looked > 0 OR done.gone > 0 THEN said := pg_notify('{ADVANCED}', '') IS NULL; END IF;\n"
        "RETURN ARRAY[done.looked, done.corrected, done.gone];\n"
        "END"
    )
