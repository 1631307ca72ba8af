"""Profiles of agents that were asked for by a command."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.commands import command
from dashboards.lib.field import Word, named, words
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import COLOURED_TEXT, Table, columns, moment

AGENT, ENVIRONMENT = "scope", "params->>'environment'"
_STOP = command("observatory profile stop {agent} --environment {environment}", agent=AGENT, environment=ENVIRONMENT)
_START = command(
    "observatory profile start {agent} --environment {environment} --for {length}",
    agent=AGENT, environment=ENVIRONMENT, length="params->>'for'",
)  # fmt: skip
_OVER = "scheduled_at + (params->>'seconds')::double precision * interval '1 second' <= $__timeTo()"
_STATES = {
    "scheduled": Word("asked", colours.DEGRADED), "running": Word("running", colours.OK),
    "done": Word("done", colours.UNKNOWN), "over": Word("over", colours.UNKNOWN),
    "cancelled": Word("stopped", colours.UNKNOWN), "failed": Word("failed", colours.DOWN),
}  # fmt: skip


def profiled(title: str, where: str = "true") -> Panel:
    """What was asked in 30 days, under an SQL condition on AGENT and ENVIRONMENT."""
    sql = f"""
SELECT scheduled_at AS "time", {AGENT} AS agent, {ENVIRONMENT} AS environment, params->>'for' AS length,
       CASE WHEN state IN ('scheduled', 'running') AND {_OVER} THEN 'over' ELSE state END AS state,
       result::text AS result,
       CASE WHEN state IN ('scheduled', 'running') AND NOT {_OVER} THEN {_STOP} ELSE {_START} END AS command
FROM analytics.profiling_sessions
WHERE $__timeFilter(scheduled_at) AND {where}
ORDER BY scheduled_at DESC LIMIT 50
""".strip()
    headings = {
        "time": "Asked", "agent": "Agent", "environment": "Environment", "length": "For", "state": "State", "result": "Found",
        "command": "Command",
    }  # fmt: skip
    return Table(
        name="profiling",
        title=title,
        description=(
            "What was asked of the platform in 30 days with `observatory profile start`, how far it is, and what it found. It "
            "ends by itself; the last column is the command that stops it before, or asks for it once more."
        ),
        targets=(SqlQuery(sql=sql),),
        always_last="30d",
        no_value="no agent was profiled",
        transformations=columns(headings),
        overrides=(
            moment("Asked"),
            *(named(name, custom_width=110) for name in ("Environment", "For")),
            named("State", custom_width=100, custom_cellOptions=COLOURED_TEXT, mappings=words(_STATES)),
        ),
        paged=True,
    )
