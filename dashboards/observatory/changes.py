"""Who changed what by a command."""

from __future__ import annotations

from dashboards.lib.field import named
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import Table, columns, moment, shortened

_CHANGES = """
SELECT at AS "time", actor, action, target, before::text AS before, after::text AS after,
       CASE WHEN id = max(id) OVER (PARTITION BY target) THEN nullif(rollback, '') END AS command
FROM analytics.audit_log
WHERE $__timeFilter(at) AND NOT dry_run
ORDER BY at DESC, id DESC LIMIT 100
""".strip()


def record() -> Panel:
    headings = {
        "time": "When", "actor": "Who", "action": "Action", "target": "What", "before": "Before", "after": "After",
        "command": "To take it back",
    }  # fmt: skip
    return Table(
        name="changes",
        title="Who changed what?",
        description=(
            "The last hundred changes of 90 days that people made by commands: service levels, budgets, muted alerts, "
            "regressions, profiling. The log only grows; an empty before is something new, an empty after something taken "
            "away. The last column is the command that takes back what was done last to each."
        ),
        targets=(SqlQuery(sql=_CHANGES),),
        always_last="90d",
        no_value="nothing was changed by a command, or this data source may not read the log",
        transformations=columns(headings),
        overrides=(
            moment("When"),
            named("Who", custom_width=140),
            named("Action", custom_width=150),
            shortened("To take it back"),
        ),
        paged=True,
    )
