"""Load tests: what was asked of an environment on purpose, how it did, and whether the service levels held."""

from __future__ import annotations

from contract.load_tests import WAITING
from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.commands import command
from dashboards.lib.field import Word, named, words
from dashboards.lib.filters import acting, chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.requests import FILTERS
from dashboards.lib.tables import COLOURED_TEXT, NARROW, Table, columns, moment

_OTHERS = tuple(name for name in FILTERS if name != "environment")
_PLACE = {"agent": "t.scope", "environment": "t.params->>'environment'"}
_CANCEL = command("observatory loadtest cancel {agent} --environment {environment}", **_PLACE)
_AGAIN = command(
    "observatory loadtest schedule {agent} --environment {environment} --per-second {rate} --for {length} --at-once {room}",
    rate="t.params->>'per_second'",
    length="t.params->>'for'",
    room="t.params->>'at_once'",
    **_PLACE,
)
_WAITING = WAITING.strip().replace("now()", "$__timeTo()::timestamptz")
_TESTS = f"""
SELECT coalesce(t.started_at, t.scheduled_at) AS "time", t.scope AS agent, t.params->>'environment' AS environment,
       (t.params->>'per_second') || ' a second for ' || (t.params->>'for') AS wanted,
       CASE WHEN t.state = 'done' AND EXISTS (
         SELECT FROM jsonb_array_elements(t.result->'service_levels') AS l (level) WHERE NOT (l.level->>'kept')::boolean
       ) THEN 'broken'
         WHEN t.state = 'done' AND jsonb_array_length(t.result->'service_levels') = 0 THEN 'unjudged'
         WHEN t.state IN ('scheduled', 'running') AND NOT {_WAITING} THEN 'lost'
         ELSE t.state END AS state,
       (t.result->>'requests')::float8 AS requests,
       (t.result->>'errors')::float8 / nullif((t.result->>'requests')::float8, 0) AS errors,
       (t.result->>'per_second')::float8 AS throughput, (t.result->>'p50')::float8 AS p50, (t.result->>'p95')::float8 AS p95,
       (t.result->>'p99')::float8 AS p99, (t.result->>'not_sent')::float8 AS not_sent,
       (SELECT coalesce(
          string_agg((l.level->>'name') || ' ' || round((l.level->>'good_percent')::numeric, 2)::float8 || ' %', ', ')
            FILTER (WHERE NOT (l.level->>'kept')::boolean),
          'all ' || count(*) || ' kept')
        FROM jsonb_array_elements(t.result->'service_levels') AS l (level) HAVING count(*) > 0) AS levels,
       CASE WHEN {_WAITING} THEN {{cancel}} ELSE {{again}} END AS command
FROM analytics.load_tests t
WHERE t.scheduled_at >= $__timeFrom() AND {{chosen}}
ORDER BY t.id DESC LIMIT 50
""".strip()


def tests(settings: Settings) -> Panel:
    with acting(_OTHERS):  # tests are done where nobody works: hardly ever in the environment that is looked at
        text = _TESTS.format(cancel=_CANCEL, again=_AGAIN, chosen=chosen_all(agent="t.scope"))
    headings = {
        "time": "When", "agent": "Agent", "environment": "Environment", "state": "State", "wanted": "Asked for",
        "requests": "Sent", "not_sent": "Unsent", "throughput": "A second", "errors": "Errors", "p50": "p50", "p95": "p95",
        "p99": "p99", "levels": "Service levels", "command": "Command",
    }  # fmt: skip
    state = {
        "scheduled": Word("waits", colours.DEGRADED), "running": Word("runs", colours.DEGRADED),
        "done": Word("kept", colours.OK), "broken": Word("not kept", colours.DOWN), "cancelled": Word("ended", colours.UNKNOWN),
        "unjudged": Word("done", colours.UNKNOWN), "lost": Word("lost", colours.UNKNOWN),
        "failed": Word("failed", colours.DOWN),
    }  # fmt: skip
    known = ", ".join(target.environment for target in settings.load_tests.targets)
    return Table(
        name="load_tests",
        title="Load tests",
        description=(
            "Tests of 90 days in all environments, scheduled with `observatory loadtest schedule` and done by `loadtest run`, "
            f"against the targets of the configuration only ({known or 'there is none'}). Times are counted from when a "
            "request was due. Not kept: a service level of the agent did not hold, and is named with the share of requests "
            "that were good; an incident is open until a test keeps it. "
            "Unsent: too many waited for an answer. Lost: nobody ran it in time, or its runner was ended. "
            "The last column cancels a test, or asks for it once more."
        ),
        targets=(SqlQuery(sql=text),),
        always_last="90d",
        no_value="no load test was scheduled",
        transformations=columns(headings),
        overrides=(
            NARROW,
            moment("When"),
            named("Agent", custom_width=92),
            named("Environment", custom_width=98),
            named("State", custom_width=68, custom_cellOptions=COLOURED_TEXT, mappings=words(state)),
            named("Asked for", custom_minWidth=60, custom_wrapText=True),
            named("A second", unit="none", decimals=1, custom_width=62),
            *(named(name, unit="locale", decimals=0, custom_width=56) for name in ("Sent", "Unsent")),
            named("Errors", unit="percentunit", decimals=1, custom_width=60),
            *(named(name, unit="s", custom_width=58) for name in ("p50", "p95", "p99")),
            named("Service levels", custom_minWidth=60, custom_wrapText=True),
        ),
        paged=True,
    )
