"""What is installed on a table that is captured by snapshots, besides the column and its index: four triggers.

They cost writers as little as they can: an update that touches no column that is counted changes nothing, an update of a row
that is still open gives it a new stamp, and only an update of a final row, or a deletion, writes a line of its own. A final
row keeps its stamp, for that is in an index, and PostgreSQL writes a row in place (HOT) only where no index changes: the line
says which row it is, and the next step finds it by its key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from psycopg import sql

from exporters.database.mapping import Mapping
from exporters.rollups.capture.snapshot import STAMP
from exporters.rollups.model import Source
from exporters.rollups.state import Connection

PREFIX = "observatory_"
"""Names of our triggers and trigger functions begin so."""

LAST = "~"
"""Stands before the name of the trigger on updates. Triggers run in the order of their names, and what the platform's own make
of a row, or that they refuse to have it changed, is seen by the last of them alone."""

MOMENTS = ("update", "delete", "truncate")
"""What each of the triggers of a source is for by which changes are seen, and how its name ends."""
_ARRIVAL = "insert"
"""Likewise, of the trigger on new rows. It only acts where a statement brings a stamp along: that of an older row, that of
another cluster, or NULL because it names all columns. Such a row would never be counted, or be new again and again."""
_FORMER = ("stamp", "update")
"""How the names of triggers ended, behind `PREFIX`, that are called otherwise now or are no more."""
_FORMER_FUNCTIONS = ("stamp", "stamp_due", "update_due", "image")
"""What its functions, and those of others, were called."""

_TIME = "timestamptz"

_FIRST_OF_OTHERS = 16384
"""What came with the server has a lower number (oid) than this."""

OFF = (
    "its triggers are switched off, gone, or were switched off for a while (DISABLE TRIGGER), so changes were not seen:"
    " `observatory db install` makes them anew"
)
"""What is wrong with a source whose triggers are not as they were made. ENABLE TRIGGER does not make them so again."""

_OFF = """
SELECT tables.source FROM unnest(%(sources)s::text[], %(tables)s::text[]) AS tables (source, name)
     JOIN pg_class AS c ON c.oid = to_regclass(tables.name)
WHERE EXISTS (
    SELECT FROM unnest(%(moments)s::text[]) AS moments (moment)
    LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid AND ltrim(t.tgname, %(last)s) = %(prefix)s || source || '_' || moment
    WHERE t.tgenabled IS DISTINCT FROM 'A'
) OR EXISTS (
    SELECT FROM pg_partition_tree(c.oid) AS part JOIN pg_trigger AS t ON t.tgrelid = part.relid
    WHERE t.tgenabled = 'D' AND starts_with(ltrim(t.tgname, %(last)s), %(prefix)s || source || '_')
) ORDER BY 1
"""

_OWN = re.compile(r"\br\.([a-z_]+)")


def trigger_statements(mapping: Mapping, source: Source) -> list[sql.Composed]:
    """Statements that make, or renew, the triggers of a source's driving table. Run them in one transaction.

    The functions live in schema `analytics` and run with their owner's rights, so that writers need none on it. What they say
    of columns stands in SQL functions over a whole row, which PostgreSQL keeps by the columns themselves and not by their
    names: a column that is renamed must not make the platform's own writing fail. With expressions they are kept as text, or
    no column of the table could be dropped; there a failure is caught, and the source asks for a rebuild.

    No name is looked up where the writer says (`search_path`). To set that with each call takes a tenth of what it takes to
    write a row, and is left out of an update's function where nothing is looked up: its own text names all schemas.

    Raises ValueError for a source that is a query: there are no rows of a single table to look at.
    """
    driving = mapping.driving(source.relation)
    if driving is None:
        raise ValueError(f"{source.relation} has no driving table")
    table = sql.Identifier(*driving)
    direct = all(mapping.is_direct(source.relation, column) for column in source.own_columns)
    texts, times = _noted(source)
    one, both = sql.SQL("was {}").format(table), sql.SQL("was {0}, becomes {0}").format(table)
    values = {
        "key": (one, "text", sql.SQL("{}::text").format(mapping.expression(source.relation, source.key, "was"))),
        "texts": (one, "text[]", _array(mapping, source, texts, "text")),
        "times": (one, "timestamptz[]", _array(mapping, source, times, "timestamptz")),
        "ended": (one, "boolean", sql.SQL("NOT coalesce({}, false)").format(_over(mapping, source, source.open, "was"))),
        "changed": (both, "boolean", _changed(mapping, source)),
        "moved": (both, "boolean", _moved(mapping, source)),
        "restamped": (sql.SQL("was xid8, becomes xid8"), "boolean", sql.SQL("was IS DISTINCT FROM becomes")),
    }
    emptied, line = _note_truncation(source), _retract(source)
    update = _update(source, line, is_keyed(mapping, source))
    events = {
        "update": ("BEFORE UPDATE", "ROW", _body(update, "NEW", None if direct else emptied + _stamp())),
        "delete": ("AFTER DELETE", "ROW", _body(line, "NULL", None if direct else emptied)),
        "truncate": ("AFTER TRUNCATE", "STATEMENT", _body(emptied, "NULL")),
        _ARRIVAL: ("BEFORE INSERT", f"ROW WHEN (NEW.{STAMP} IS DISTINCT FROM pg_current_xact_id())", _body(_stamp(), "NEW")),
    }
    statements = [
        sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(trigger, table)
        for trigger in (*(_trigger(source, moment) for moment in events), *_former(source))
    ]
    for name in _FORMER_FUNCTIONS:
        statements.append(sql.SQL("DROP FUNCTION IF EXISTS {}").format(_named(source, name)))
    for name, (parameters, type_, value) in values.items():
        statements += _row_function(source, name, parameters, type_, value, direct)
    statements.append(_generated(mapping, source, table))
    for moment, (event, scope, body) in events.items():
        statements.append(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                " SET search_path = pg_catalog, pg_temp AS {}"
            ).format(_named(source, moment), _text(body))
        )
        statements.append(
            sql.SQL(f"CREATE TRIGGER {{}} {event} ON {{}} FOR EACH {scope} EXECUTE FUNCTION {{}}()").format(
                _trigger(source, moment), table, _named(source, moment)
            )
        )
        statements.append(sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(table, _trigger(source, moment)))
    if direct:
        statements.append(_without_search_path(source, values))
    return statements


def is_keyed(mapping: Mapping, source: Source) -> bool:
    """Whether rows are found again by their key: it is a column, not an expression that no index has."""
    return mapping.column(source.relation, source.key) is not None


def switched_off(connection: Connection, mapping: Mapping, sources: Iterable[Source]) -> list[str]:
    """Those of the sources, all captured by snapshots, whose triggers do not always run, on the table or a partition of it."""
    tables = {source.name: mapping.driving(source.relation) for source in sources}
    named = {source: sql.Identifier(*table).as_string(connection) for source, table in tables.items() if table}
    parameters = {"sources": list(named), "tables": list(named.values()), "moments": list(MOMENTS)}
    return [source for (source,) in connection.execute(_OFF, {**parameters, "prefix": PREFIX, "last": LAST})]


def asks_for_rebuild(source: str) -> sql.Composed:
    """A statement by which a source says that changes were not seen, so that it has to be counted anew."""
    return sql.SQL(
        "UPDATE analytics.sources SET rebuild_needed = true, problem = {} WHERE source = {} AND NOT rebuild_needed"
    ).format(sql.Literal(OFF), sql.Literal(source))


def _body(action: sql.Composable, returns: str, otherwise: sql.Composable | None = None) -> sql.Composable:
    """The body of a trigger's function; with `otherwise`, what it does instead where an expression of the mapping fails."""
    if otherwise is not None:
        action = sql.SQL(
            "BEGIN {} EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception THEN {} END;"
        ).format(action, otherwise)
    return sql.SQL("BEGIN {} RETURN {}; END").format(action, sql.SQL(returns))


def _trigger(source: Source, moment: str) -> sql.Identifier:
    return sql.Identifier(f"{LAST if moment == 'update' else ''}{PREFIX}{source.name}_{moment}")


def _former(source: Source) -> Iterable[sql.Identifier]:
    return (sql.Identifier(f"{PREFIX}{source.name}_{ending}") for ending in _FORMER)


def _named(source: Source, what: str) -> sql.Identifier:
    return sql.Identifier("analytics", f"{source.name}_{what}")


def _row_function(
    source: Source, name: str, parameters: sql.Composable, returns: str, value: sql.Composable, direct: bool
) -> list[sql.Composed]:
    function = _named(source, name)
    body = sql.SQL("RETURN {}").format(value) if direct else sql.SQL("AS {}").format(_text(sql.SQL("SELECT ") + value))
    return [
        sql.SQL("DROP FUNCTION IF EXISTS {}").format(function),
        sql.SQL("CREATE FUNCTION {}({}) RETURNS {} LANGUAGE sql {}").format(function, parameters, sql.SQL(returns), body),
    ]


def _generated(mapping: Mapping, source: Source, table: sql.Identifier) -> sql.Composed:
    """Takes any change of a row for one where PostgreSQL generates a column that is counted: it does so behind all triggers, to
    which the new row has NULL there.
    """
    columns = mapping.relations[source.relation].columns
    mapped = [said for name in source.own_columns if (said := columns.get(name, name)) is not None]
    found = sql.SQL(
        "SELECT FROM pg_catalog.pg_attribute WHERE attrelid = {}::regclass AND attgenerated <> ''"
        " AND EXISTS (SELECT FROM unnest({}::text[]) AS said WHERE strpos(said, attname::text) > 0)"
    ).format(sql.Literal(table.as_string(None)), sql.Literal(mapped))
    anew = sql.SQL(
        "CREATE OR REPLACE FUNCTION {}(was {table}, becomes {table}) RETURNS boolean LANGUAGE sql"
        " RETURN was OPERATOR(pg_catalog.*<>) becomes"
    ).format(_named(source, "changed"), table=table)
    return sql.SQL("DO {}").format(_text(sql.SQL("BEGIN IF EXISTS ({}) THEN {}; END IF; END").format(found, anew)))


def _without_search_path(source: Source, functions: Iterable[str]) -> sql.Composed:
    """Takes the search path from the update's function if all that its functions over rows use came with the server.

    What they use themselves is bound to them. But a type, a cast or an operator of somebody else's may be a function that looks
    names up when it runs, with the rights of our functions' owner.
    """
    listed = sql.SQL(", ").join(sql.Literal(_named(source, name).as_string(None)) for name in functions)
    foreign = sql.SQL(
        "SELECT FROM pg_catalog.pg_depend AS d LEFT JOIN pg_catalog.pg_attribute AS a"
        " ON d.refclassid = 'pg_catalog.pg_class'::regclass AND a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
        " WHERE d.classid = 'pg_catalog.pg_proc'::regclass"
        " AND d.objid = ANY (ARRAY[{functions}]::regproc[]::oid[])"
        " AND d.refclassid <> ALL (ARRAY['pg_catalog.pg_namespace', 'pg_catalog.pg_type']::regclass[]::oid[])"
        " AND (a.atttypid < {first}) IS NOT TRUE"
    ).format(functions=listed, first=sql.Literal(_FIRST_OF_OTHERS))
    return sql.SQL("DO {}").format(
        _text(
            sql.SQL("BEGIN IF NOT EXISTS ({}) THEN ALTER FUNCTION {}() RESET search_path; END IF; END").format(
                foreign, _named(source, "update")
            )
        )
    )


def _text(statement: sql.Composable) -> sql.Literal:
    return sql.Literal(statement.as_string(None))


def _over(mapping: Mapping, source: Source, condition: str, row: str) -> sql.Composable:
    """A condition on `r` as one on a row of the driving table."""
    pieces: Iterable[str] = _OWN.split(condition)
    parts = [
        mapping.expression(source.relation, piece, row) if position % 2 else sql.SQL(piece)
        for position, piece in enumerate(pieces)
    ]
    return sql.SQL("").join(parts)


def _differs(mapping: Mapping, source: Source, columns: Iterable[str]) -> sql.Composable:
    compared = [
        sql.SQL("ROW({})").format(sql.SQL(", ").join(mapping.expression(source.relation, name, row) for name in columns))
        for row in ("was", "becomes")
    ]
    return sql.SQL(" IS DISTINCT FROM ").join(compared)


def _moved(mapping: Mapping, source: Source) -> sql.Composable:
    """Whether a row is to be found by its stamp, whatever it was: by its key it is another one, or the backfill, which goes by
    the time, may not know whether it was there; or no index finds it by its key.
    """
    return _differs(mapping, source, _places(source)) if is_keyed(mapping, source) else sql.SQL("true")


def _changed(mapping: Mapping, source: Source) -> sql.Composable:
    """Whether a counted column changed, but for those by which a row has moved: each that is compared costs all writers."""
    passed = _places(source) if is_keyed(mapping, source) else ()
    rest = [column for column in source.own_columns if column not in passed]
    return _differs(mapping, source, rest) if rest else sql.SQL("false")


def _places(source: Source) -> tuple[str, str]:
    return source.key, source.contract.time or source.key


def _noted(source: Source) -> tuple[list[str], list[str]]:
    """Columns that a line holds as texts, and those that are times, whose text depends on the writer's settings. The key, which
    is a text already, stands beside them.
    """
    columns = [column for column in source.contract.columns if column.name in source.own_columns and column.name != source.key]
    texts = [column.name for column in columns if column.type != _TIME]
    return texts, [column.name for column in columns if column.type == _TIME]


def _array(mapping: Mapping, source: Source, columns: Iterable[str], type_: str) -> sql.Composable:
    """Values of a row `was`; JSON would take its writer several times as long."""
    values = (sql.SQL("{}::" + type_).format(mapping.expression(source.relation, name, "was")) for name in columns)
    return sql.SQL("ARRAY[{}]::" + type_ + "[]").format(sql.SQL(", ").join(values))


def _update(source: Source, line: sql.Composable, keyed: bool) -> sql.Composable:
    """What becomes of an update. A version of this very transaction was never counted; only its key may be one that was.

    A row to which the platform's own statement gives another stamp (it writes all columns of a row) is like one that has moved:
    that stamp may be of any time, or none. One expression tells whether a line is all that is needed, or by NULL that the row
    gets a stamp: a writer pays for each expression of each transaction before its first use, whatever it then says.
    """
    names = {name: _named(source, name) for name in ("ended", "changed", "moved", "restamped")}
    stamp = sql.Identifier(STAMP)
    own = sql.SQL("{restamped}(OLD.{stamp}, pg_catalog.pg_current_xact_id())").format(stamp=stamp, **names)
    stays = sql.SQL("CASE WHEN {ended}(OLD) THEN {own} END").format(own=own, **names) if keyed else sql.SQL("NULL")
    another = sql.SQL("{restamped}(OLD.{stamp}, NEW.{stamp})").format(stamp=stamp, **names)
    first = sql.SQL("{moved}(OLD, NEW) OR {another}").format(another=another, **names) if keyed else another
    return sql.SQL(
        "DECLARE noted boolean := CASE WHEN {first} THEN NULL WHEN {changed}(OLD, NEW) THEN {stays} ELSE false END;"
        " BEGIN IF noted THEN {line}"
        " ELSIF noted IS NULL THEN IF {moved}(OLD, NEW) OR {another} THEN {line} END IF; {anew} END IF; END;"
    ).format(first=first, another=another, stays=stays, line=line, anew=_stamp(), **names)


def _stamp() -> sql.Composed:
    return sql.SQL("NEW.{} := pg_catalog.pg_current_xact_id();").format(sql.Identifier(STAMP))


def _retract(source: Source) -> sql.Composable:
    texts, times = _noted(source)
    return sql.SQL(
        "INSERT INTO analytics.retractions (source, key, old_stamp, names, texts, times)"
        " VALUES ({}, {}(OLD), OLD.{}, {}, {}(OLD), {}(OLD));"
    ).format(
        sql.Literal(source.name),
        _named(source, "key"),
        sql.Identifier(STAMP),
        sql.Literal(f"{{{','.join((*texts, *times))}}}"),
        _named(source, "texts"),
        _named(source, "times"),
    )


def _note_truncation(source: Source) -> sql.Composed:
    return sql.SQL("INSERT INTO analytics.retractions (source, key) VALUES ({}, '');").format(sql.Literal(source.name))
