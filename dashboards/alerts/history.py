"""What Alertmanager told before: which alerts come most, how long they last, and which of them are noise."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.alerts import known
from dashboards.lib.commands import command
from dashboards.lib.field import PLAIN, named
from dashboards.lib.filters import chosen
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, NARROW, Table, ago, columns, moment, shortened

BRIEF = "5 minutes"
"""An alert that was over so soon was most likely nothing that anybody could have helped with."""

_EPISODES = """
SELECT e.fingerprint, e.starts_at, e.alertname, e.severity, e.environment, e.agent{more}, max(e.ends_at) AS ends_at
FROM analytics.alert_events e
WHERE {when} AND e.alertname <> 'Watchdog' AND (e.environment = '' OR {chosen})
GROUP BY e.fingerprint, e.starts_at, e.alertname, e.severity, e.environment, e.agent{more}
""".strip()
"""An alert is told when it begins, when it ends, and again in between: one row each time it fired. Still firing has no end."""

_WORD_RANKS = "CASE e.severity WHEN 'critical' THEN '1' WHEN 'warning' THEN '2' ELSE '3' END AS severity"

FREQUENT = f"""
WITH episodes AS (
{_EPISODES.format(chosen=chosen("e.environment", "environment"), when="e.received_at >= now() - interval '30 days'", more="")}
)
SELECT e.alertname, {_WORD_RANKS}, e.alertname AS what, e.alertname AS tab, e.alertname AS panel,
       count(*) FILTER (WHERE e.starts_at >= now() - interval '7 days') AS week,
       count(*) AS month,
       avg(extract(epoch FROM e.ends_at - e.starts_at)) AS mean_seconds,
       sum(extract(epoch FROM coalesce(e.ends_at, now()) - e.starts_at)) AS total_seconds,
       avg((e.ends_at - e.starts_at < interval '{BRIEF}')::int) AS brief,
       max(e.starts_at) AS last
FROM episodes e
GROUP BY e.alertname, e.severity
ORDER BY month DESC, e.alertname
LIMIT 200
""".strip()

def latest_told(settings: Settings) -> str:
    """The newest episodes of the range. The command mutes this alert alone: one of another source or budget is told still."""
    label = command(" --where {label}", label="l.key || '=' || l.value")
    return f"""
WITH episodes AS (
{_EPISODES.format(chosen=chosen("e.environment", "environment"), when="$__timeFilter(e.received_at)", more=", e.labels")}
)
SELECT e.starts_at AS "time", e.alertname, {_WORD_RANKS}, e.alertname AS what, e.alertname AS tab, e.alertname AS panel,
       e.environment, e.agent, extract(epoch FROM e.ends_at - e.starts_at) AS seconds,
       CASE WHEN e.ends_at IS NULL THEN {command("observatory alert mute {name}", name="e.alertname")} || coalesce((
         SELECT string_agg({label}, '' ORDER BY l.key)
         FROM jsonb_each_text(e.labels) l WHERE l.key IN ({known.labels(settings)}) AND l.value <> ''
       ), '') || ' --for 2h --reason known' END AS command
FROM episodes e
ORDER BY e.starts_at DESC
LIMIT 200
""".strip()


def frequent(settings: Settings) -> Panel:
    headings = {
        "severity": "Severity", "alertname": "Alert", "week": "7 days", "month": "30 days", "mean_seconds": "Mean time",
        "total_seconds": "Fired in all", "brief": "Brief", "last": "Last", "tab": "tab", "panel": "panel",
    }  # fmt: skip
    return Table(
        name="frequent",
        title="Most frequent alerts of 30 days, and their noise",
        description="How often each alert fired in the last 7 and 30 days whatever range is chosen, how long it took to end, "
        f"and the share that was over within {BRIEF}. Many and brief is noise: a longer hold, another limit, or no alert. Many "
        "and long is work that nobody has done yet.",
        targets=(SqlQuery(sql=FREQUENT),),
        no_value="Alertmanager told nothing in 30 days, or nobody keeps what it tells",
        limits=PLAIN,
        transformations=columns(headings),
        sorted_by="30 days",
        paged=True,
        overrides=(
            *(
                named(column, custom_width=width, unit="short", decimals=0)
                for column, width in (("7 days", 80), ("30 days", 95))
            ),
            *(named(column, unit="s", decimals=0, custom_width=130) for column in ("Mean time", "Fired in all")),
            named("Brief", unit="percentunit", decimals=0, min=0, max=1, custom_cellOptions=BAR_CELL, custom_width=130),
            ago("Last"),
            named("Severity", custom_width=90, custom_cellOptions=COLOURED_TEXT, mappings=known.severity_words()),
            *known.overrides(settings),
        ),
    )


def latest(settings: Settings) -> Panel:
    headings = {
        "time": "Began", "severity": "Severity", "alertname": "Alert", "what": "What", "environment": "Environment",
        "agent": "Agent", "seconds": "Lasted", "command": "To mute it", "tab": "tab", "panel": "panel",
    }  # fmt: skip
    widths = {"Alert": 190, "Environment": 98, "Agent": 88}
    return Table(
        name="latest",
        title="Latest alerts in range",
        description="What Alertmanager told in the chosen range, the newest first. One that still fires has not lasted yet, "
        "and the last column mutes it for two hours: say why. The list is kept when Prometheus has long forgotten; without a "
        "webhook that keeps it there is nothing to show.",
        targets=(SqlQuery(sql=latest_told(settings)),),
        no_value="Alertmanager told nothing in range, or nobody keeps what it tells",
        limits=PLAIN,
        transformations=columns(headings),
        paged=True,
        two_lines=True,
        overrides=(
            NARROW,
            moment("Began"),
            *(named(column, custom_width=width) for column, width in widths.items()),
            named("What", custom_minWidth=150, custom_wrapText=True),
            named("Lasted", unit="s", decimals=0, custom_width=70),
            shortened("To mute it", custom_width=90),
            named("Severity", custom_width=72, custom_cellOptions=COLOURED_TEXT, mappings=known.severity_words()),
            *known.overrides(settings),
        ),
    )
