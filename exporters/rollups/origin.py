"""Whether the tables are still those that were counted: not another cluster, not an older state, not another table by the name.

A watermark means nothing anywhere else: counting on would lose rows or count them twice. So such a source is halted, which its
state says, until it is counted anew by `exporters.rollups.rebuild`. What was counted stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql

from exporters.rollups.state import Connection, State, states
from exporters.rollups.statement import Form


def check(connection: Connection, forms: Mapping[str, Form]) -> dict[str, str]:
    """Halts the sources that are not what they were; gives these with what is wrong.

    Call it in front of every step, over the same connection, for a server may be exchanged between two of them; but not in
    front of `advance_all`, which leaves such sources out.
    """
    asked = question(forms, states(connection))
    return dict(connection.execute(asked).fetchall()) if asked else {}


def question(forms: Mapping[str, Form], known: Iterable[State]) -> sql.Composed | None:
    """The statement of `check`, whose rows it gives; None when there is nothing to check. Of `known` only the modes matter."""
    modes = {state.source: state.mode for state in known if not state.halted}
    checked = [form for name, form in forms.items() if form.driving and name in modes]
    if not checked:
        return None
    highest = [_highest_id(form) if modes[form.source.name] == "ids" else sql.NULL for form in checked]
    return sql.SQL("SELECT * FROM analytics.halt_strangers({}, {}, ARRAY[{}]::bigint[])").format(
        [form.source.name for form in checked], [form.driving for form in checked], sql.SQL(", ").join(highest)
    )


def _highest_id(form: Form) -> sql.Composable:
    key = sql.Identifier("r", form.source.key)
    return sql.SQL("(SELECT coalesce(max({}), 0) FROM {} AS r)").format(key, sql.SQL(form.table))
