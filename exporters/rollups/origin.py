"""Whether the tables are still those that were counted: not another cluster, not an older state, not another table by the name.

A watermark means nothing anywhere else: counting on would lose rows or count them twice. So such a source is halted, which its
state says, until it is counted anew by `exporters.rollups.rebuild`. What was counted stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql

from exporters.rollups.state import Connection, State, states
from exporters.rollups.statement import Form

_NEXT = "nothing is counted until `observatory db rebuild`"
_CHECK = """
WITH found AS (
    SELECT s.source, CASE
        WHEN s.system_identifier <> (SELECT system_identifier::text FROM pg_control_system())
            THEN 'the database lives in another cluster than the one that was counted'
        WHEN s.mode = 'snapshot'
             AND pg_snapshot_xmax((s.watermark #>> '{{}}')::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot())
            THEN 'the database is older than what was counted: it was restored'
        WHEN s.driving <> to_regclass(tables.name)::oid
            THEN 'another table has taken the place of the one that was counted'
        WHEN s.mode = 'ids' AND (s.watermark ->> 'last')::bigint > ({highest})
             AND (s.watermark ->> 'last')::bigint > (
                SELECT max(coalesce(pg_sequence_last_value(q.seqrelid), 0))
                FROM pg_depend AS d JOIN pg_sequence AS q ON q.seqrelid = d.objid
                WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = s.driving AND d.deptype IN ('a', 'i')
                AND has_sequence_privilege(q.seqrelid, 'SELECT'))
            THEN 'the table was emptied and its ids began anew'
        END AS problem
    FROM analytics.sources AS s JOIN (VALUES {tables}) AS tables (source, name) USING (source)
    WHERE NOT s.halted
)
UPDATE analytics.sources AS s SET halted = true, rebuild_needed = true, problem = found.problem || '; ' || {following}
FROM found WHERE found.source = s.source AND found.problem IS NOT NULL
RETURNING s.source, s.problem
"""


def check(connection: Connection, forms: Mapping[str, Form]) -> dict[str, str]:
    """Halts the sources that are not what they were; gives these with what is wrong.

    Call it in front of every round of steps, over the same connection: a server may be exchanged between two of them.
    """
    asked = question(forms, states(connection))
    return dict(connection.execute(asked).fetchall()) if asked else {}


def question(forms: Mapping[str, Form], known: Iterable[State]) -> sql.Composed | None:
    """The statement of `check`, whose rows it gives; None when there is nothing to check. Of `known` only the modes matter."""
    modes = {state.source: state.mode for state in known if not state.halted}
    tables = [(name, form.driving) for name, form in forms.items() if form.driving and name in modes]
    if not tables:
        return None
    return sql.SQL(_CHECK).format(
        tables=sql.SQL(", ").join(sql.SQL("({}, {})").format(*pair) for pair in tables),
        highest=_highest([forms[name] for name, _ in tables if modes[name] == "ids"]),
        following=sql.Literal(_NEXT),
    )


def _highest(counted_by_ids: list[Form]) -> sql.Composable:
    """The highest id of a source's table. The planner is spared the tables of all other sources."""
    selects = [
        sql.SQL("WHEN {} THEN (SELECT coalesce(max({}), 0) FROM {} AS r)").format(
            form.source.name, sql.Identifier("r", form.source.key), sql.SQL(form.table)
        )
        for form in counted_by_ids
    ]
    return sql.SQL("CASE s.source {} END").format(sql.SQL(" ").join(selects)) if selects else sql.SQL("NULL::bigint")
