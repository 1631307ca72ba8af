"""What agents are to be configured with, and what the platform made of it."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.commands import command
from dashboards.lib.field import Word, named, words
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import COLOURED_TEXT, NARROW, Table, columns, moment, shortened

_PLACE = {"agent": "d.agent", "environment": "d.environment"}
_UNSET = command("observatory configure unset {agent} {setting} --environment {environment}", setting="d.setting", **_PLACE)
_RESET = command(
    "observatory cache reset {agent} --kind {kind} --environment {environment}",
    kind="substr(d.setting, length('cache.') + 1)",
    **_PLACE,
)
_SETTINGS = f"""
SELECT d.asked_at AS "time", d.agent, d.environment, d.setting, coalesce(d.value::text, 'the platform''s own') AS wanted,
       o.value::text AS observed, CASE WHEN o.version >= d.version THEN o.state ELSE 'asked' END AS state,
       CASE WHEN o.version >= d.version THEN o.said ELSE '' END AS said, w.actor, d.reason,
       CASE WHEN d.value IS NOT NULL THEN
         CASE WHEN starts_with(d.setting, 'cache.') THEN {_RESET} ELSE {_UNSET} END END AS command
FROM (
  SELECT DISTINCT ON (agent, environment, setting) * FROM analytics.configuration_desired
  ORDER BY agent, environment, setting, version DESC
) d
LEFT JOIN analytics.configuration_observed o USING (agent, environment, setting)
LEFT JOIN LATERAL (
  SELECT max(l.actor) AS actor FROM analytics.audit_log l
  WHERE l.at = d.asked_at AND l.target = concat_ws(' ', 'configuration', d.agent, d.environment, d.setting)
) w ON true
ORDER BY d.asked_at DESC LIMIT 100
""".strip()


def settings() -> Panel:
    headings = {
        "time": "Asked", "agent": "Agent", "environment": "Environment", "setting": "Setting", "wanted": "Wanted",
        "observed": "In force", "state": "State", "said": "The platform says", "actor": "Who", "reason": "Why",
        "command": "To take it back",
    }  # fmt: skip
    state = {
        "asked": Word("asked", colours.DEGRADED),
        "applied": Word("in force", colours.OK),
        "refused": Word("refused", colours.DOWN),
    }
    return Table(
        name="settings",
        title="What are agents configured with?",
        description=(
            "The last wish for each setting, by `observatory configure`, `cache` or `advice apply`, and what the platform made "
            "of it. Asked for long: the platform does not take part. Refused: it says why, and what is in force stays. The "
            "last column is the command that asks for the platform's own value again."
        ),
        targets=(SqlQuery(sql=_SETTINGS),),
        no_value="no setting was asked for",
        transformations=columns(headings),
        overrides=(
            NARROW,
            moment("Asked"),
            *(named(name, custom_width=width) for name, width in {"Agent": 88, "Environment": 98, "Who": 68}.items()),
            *(named(name, custom_width=76, custom_inspect=True) for name in ("Wanted", "In force")),
            *(named(name, custom_minWidth=90, custom_wrapText=True) for name in ("Setting", "The platform says", "Why")),
            shortened("To take it back", custom_width=90),
            named("State", custom_width=72, custom_cellOptions=COLOURED_TEXT, mappings=words(state)),
        ),
        paged=True,
    )
