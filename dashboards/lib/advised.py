"""Advice that chance does not explain, as a table with the command that follows it."""

from __future__ import annotations

from contract.advice import CHANCE, DAYS, KINDS
from dashboards.lib.commands import command
from dashboards.lib.field import Word, named, words
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import NARROW, Table, columns, shortened

_APPLY = command("observatory advice apply {id}", id="id")


def advised(unit: str, gain: str, title: str = "Advice that chance does not explain", name: str = "advised") -> Panel:
    """The advice whose effect is in `unit`, which the column `gain` shows: the surest large effect first."""
    kinds = [kind for kind in KINDS.values() if kind.unit == unit]
    sql = f"""
SELECT id, kind, agent, environment, what, why, effect, low, high,
       CASE WHEN setting <> '' THEN {_APPLY} END AS command, not_considered
FROM analytics.advice
WHERE unit = '{unit}'
ORDER BY place
LIMIT 50
""".strip()
    headings = {
        "what": "What to do", "agent": "Agent", "environment": "Environment", "kind": "By", "effect": gain, "low": "At least",
        "high": "At most", "why": "Because", "command": "Command", "not_considered": "Not considered",
    }  # fmt: skip
    return Table(
        name=name,
        title=title,
        description=(
            f"What fixed rules found in the last {DAYS} whole days, and what it would gain in {DAYS} days; at least and at "
            f"most hold it in 95 of 100 cases. Everything that was compared at one time is corrected for: chance alone gives "
            f"any advice in at most {CHANCE:.0%} of runs. The greatest sure effect is first. Of everything, whichever range "
            "and filters are chosen; made anew a few times a day. The last column says what a person has to think of."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value="nothing was found that chance does not explain",
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            named("What to do", custom_minWidth=136, custom_wrapText=True),
            *(named(column, custom_width=width) for column, width in {"Agent": 76, "Environment": 98}.items()),
            named("By", custom_width=88, custom_wrapText=True, mappings=words({kind.key: Word(kind.title) for kind in kinds})),
            *(named(column, unit=unit, decimals=0, custom_width=70) for column in (gain, "At least", "At most")),
            *(named(column, custom_minWidth=136, custom_wrapText=True) for column in ("Because", "Not considered")),
            shortened("Command", custom_width=84),
        ),
    )
