"""Who changed what by a command, and what is asked of the platform at the moment."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.commands import command
from dashboards.lib.field import Word, named, words
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import COLOURED_TEXT, Table, columns, moment

_CHANGES = """
SELECT at AS "time", actor, action, target, before::text AS before, after::text AS after
FROM analytics.audit_log
WHERE $__timeFilter(at) AND NOT dry_run
ORDER BY at DESC, id DESC LIMIT 100
""".strip()

_STOP = command(
    "observatory profile stop {agent} --environment {environment}", agent="scope", environment="params->>'environment'"
)
_OVER = "scheduled_at + (params->>'seconds')::double precision * interval '1 second' <= $__timeTo()"
_PROFILING = f"""
SELECT scheduled_at AS "time", scope AS agent, params->>'environment' AS environment, params->>'for' AS length,
       CASE WHEN state IN ('scheduled', 'running') AND {_OVER} THEN 'over' ELSE state END AS state,
       result::text AS result, CASE WHEN state IN ('scheduled', 'running') AND NOT {_OVER} THEN {_STOP} END AS command
FROM analytics.profiling_sessions
WHERE $__timeFilter(scheduled_at)
ORDER BY scheduled_at DESC LIMIT 50
""".strip()


def record() -> Panel:
    headings = {
        "time": "When", "actor": "Who", "action": "Action", "target": "What", "before": "Before", "after": "After",
    }  # fmt: skip
    return Table(
        name="changes",
        title="Who changed what?",
        description=(
            "The last hundred changes of 90 days that people made by commands: service levels, budgets, muted alerts, "
            "regressions, profiling. The log only grows; an empty before is something new, an empty after something taken away."
        ),
        targets=(SqlQuery(sql=_CHANGES),),
        always_last="90d",
        no_value="nothing was changed by a command, or this data source may not read the log",
        transformations=columns(headings),
        overrides=(moment("When"), named("Who", custom_width=140), named("Action", custom_width=150)),
        paged=True,
    )


def profiling() -> Panel:
    headings = {
        "time": "Asked", "agent": "Agent", "environment": "Environment", "length": "For", "state": "State", "result": "Found",
        "command": "To stop it",
    }  # fmt: skip
    state = {
        "scheduled": Word("asked", colours.DEGRADED), "running": Word("running", colours.OK),
        "done": Word("done", colours.UNKNOWN), "over": Word("over", colours.UNKNOWN),
        "cancelled": Word("stopped", colours.UNKNOWN), "failed": Word("failed", colours.DOWN),
    }  # fmt: skip
    return Table(
        name="profiling",
        title="Which agents are profiled?",
        description=(
            "What was asked of the platform in 30 days with `observatory profile start`, how far it is, and what it found. It "
            "ends by itself; the last column is the command that stops it before."
        ),
        targets=(SqlQuery(sql=_PROFILING),),
        always_last="30d",
        no_value="no agent was profiled",
        transformations=columns(headings),
        overrides=(
            moment("Asked"),
            *(named(name, custom_width=110) for name in ("Environment", "For")),
            named("State", custom_width=100, custom_cellOptions=COLOURED_TEXT, mappings=words(state)),
        ),
        paged=True,
    )
