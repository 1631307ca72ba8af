"""What changed when: versions in service beside the figures that they bend, deployments with before and after, regressions."""

from __future__ import annotations

from contract.buckets import AGENT
from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY
from dashboards.lib import colours
from dashboards.lib.commands import command
from dashboards.lib.field import Word, at_most, fixed, lines, named, of_query, words
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask, in_range
from dashboards.lib.states import StateTimeline
from dashboards.lib.tables import COLOURED_TEXT, NARROW, Table, columns, moment, shortened
from dashboards.one_agent.asking import NO_TRAFFIC

_BY = ("environment", "agent", "version")
_DEPLOYED = "analytics.deployments d JOIN analytics.agents a ON a.id = d.agent_id"


def timeline(settings: Settings) -> Panel:
    limits = settings.thresholds
    return TimeSeries(
        name="regressions_timeline",
        title="p95 (lines) and error ratio (bars) of each version",
        description=(
            "95th percentile of the response time and share of failed queries, over five minutes, for each version. Marks: "
            "versions that went into service, regressions that were found by comparing a version with the one before, and "
            f"critical alerts. A line that begins above where the last one ended: roll back, then look for the cause. The line "
            f"across is the alert's limit of {limits.response_seconds:g} s."
        ),
        targets=(
            PromQuery(expr=f"{ask(AGENT_LATENCY, _BY, '5m')} >= 0", legend="p95 {{version}} · {{environment}}"),
            PromQuery(expr=f"{ask(AGENT_ERROR_RATIO, _BY, '5m')} >= 0", legend="errors {{version}} · {{environment}}"),
        ),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limits.response_seconds, colours.DEGRADED)),
        drawn="dashed",
        soft_maximum=limits.response_seconds * 1.2,
        calculations=("lastNotNull", "mean", "max"),
        legend_placement="right",
        overrides=(
            of_query(
                "B",
                color=fixed(colours.DOWN),
                unit="percentunit",
                max=1,
                custom_drawStyle="bars",
                custom_fillOpacity=25,
                custom_lineWidth=0,
                custom_axisPlacement="right",
                custom_thresholdsStyle={"mode": "off"},
            ),
        ),
    )


def _served(environments: tuple[str, ...]) -> str:
    per_environment = ",\n       ".join(
        f"max(s.version) FILTER (WHERE s.environment = '{name}') AS \"{name}\"" for name in environments
    )
    return f"""
WITH served AS (
  SELECT d.environment, d.version, greatest(d.deployed_at, $__timeFrom()) AS since,
         lead(d.deployed_at) OVER (PARTITION BY d.environment ORDER BY d.deployed_at) AS until
  FROM {_DEPLOYED}
  WHERE d.deployed_at <= $__timeTo() AND {chosen_all(agent="a.name")}
), moments AS (
  SELECT DISTINCT s.since FROM served s WHERE s.until IS NULL OR s.until > $__timeFrom()
)
SELECT m.since AS "time",
       {per_environment}
FROM moments m JOIN served s ON s.since <= m.since AND (s.until IS NULL OR s.until > m.since)
GROUP BY m.since ORDER BY m.since LIMIT 200
""".strip()


def in_service(settings: Settings) -> Panel:
    return StateTimeline(
        name="in_service",
        title="Which version was in service?",
        description=(
            "The version that ran in each environment. Staging long before production is careful; production alone with a new "
            "version was not tried before. Compare the moments of change with the graph above."
        ),
        targets=(SqlQuery(sql=_served(settings.environments)),),
        no_value="no deployment was recorded",
        colour=fixed(colours.BLUE),
        with_legend=False,
    )


_BOUNDS = f"'{{{','.join(f'{bound:g}' for bound in AGENT)}}}'"


def _deployments() -> str:
    return f"""
WITH deployed AS (
  SELECT d.id, a.name AS agent, d.version, d.environment, d.commit_ref, d.deployed_at,
         date_trunc('hour', d.deployed_at, 'UTC') AS hour
  FROM {_DEPLOYED}
  WHERE $__timeFilter(d.deployed_at) AND {chosen_all(environment="d.environment", agent="a.name", version="d.version")}
  ORDER BY d.deployed_at DESC LIMIT 50
), near AS (
  SELECT h.hour, h.agent, h.version, h.environment, h.n, h.failed, h.histogram FROM analytics.latency_hourly h
  WHERE h.hour >= $__timeFrom()::timestamptz - interval '25 hours' AND h.hour <= $__timeTo()::timestamptz + interval '24 hours'
    AND {chosen_all(environment="h.environment", agent="h.agent")}
), hours AS (
  SELECT d.id, h.hour >= d.hour AS after, h.n, h.failed, h.histogram
  FROM deployed d JOIN near h ON h.agent = d.agent AND h.environment = d.environment
   AND h.hour >= d.hour - interval '24 hours' AND h.hour < d.hour + interval '24 hours'
   AND (h.hour < d.hour OR h.version = d.version)
), counts AS (
  SELECT h.id, h.after, b.place, sum(b.count)::bigint AS count
  FROM hours h CROSS JOIN unnest(h.histogram) WITH ORDINALITY AS b (count, place) GROUP BY h.id, h.after, b.place
), quick AS (
  SELECT c.id, c.after, analytics.quantile(0.95, array_agg(c.count ORDER BY c.place), {_BOUNDS}) AS p95
  FROM counts c GROUP BY c.id, c.after
), sums AS (
  SELECT h.id, h.after, sum(h.n)::float8 AS n, sum(h.failed)::float8 AS failed FROM hours h GROUP BY h.id, h.after
)
SELECT d.deployed_at AS "time", d.environment, d.version, d.commit_ref AS commit,
       max(q.p95) FILTER (WHERE NOT q.after) AS p95_before, max(q.p95) FILTER (WHERE q.after) AS p95_after,
       max(s.failed / nullif(s.n, 0)) FILTER (WHERE NOT s.after) AS errors_before,
       max(s.failed / nullif(s.n, 0)) FILTER (WHERE s.after) AS errors_after,
       coalesce(max(s.n) FILTER (WHERE s.after), 0) AS answered
FROM deployed d LEFT JOIN sums s ON s.id = d.id LEFT JOIN quick q ON q.id = d.id AND q.after = s.after
GROUP BY d.id, d.deployed_at, d.environment, d.version, d.commit_ref
ORDER BY d.deployed_at DESC
""".strip()


def deployments() -> Panel:
    """Each deployment of the range with the day before and the day after it."""
    headings = {
        "time": "Deployed", "environment": "Environment", "version": "Version", "commit": "Commit",
        "p95_before": "p95 before", "p95_after": "p95 after", "errors_before": "Errors before", "errors_after": "Errors after",
        "answered": "Queries after",
    }  # fmt: skip
    return Table(
        name="deployments",
        title="What did each deployment change?",
        description=(
            "Versions that went into service in 30 days: 95th percentile of the response time and share of failed "
            "queries in the environment, in the 24 full hours before the hour of the deployment, and of the new version in the "
            "24 hours from that hour on. Few queries say little. Worse: roll back, then compare the commits."
        ),
        targets=(SqlQuery(sql=_deployments()),),
        always_last="30d",
        no_value="no deployment in 30 days",
        transformations=columns(headings),
        overrides=(
            moment("Deployed"),
            named("Version", custom_width=85),
            *(named(name, unit="s", custom_width=90) for name in ("p95 before", "p95 after")),
            *(named(name, unit="percentunit", decimals=1, custom_width=106) for name in ("Errors before", "Errors after")),
            named("Queries after", unit="locale", decimals=0, custom_width=108),
        ),
        paged=True,
    )


def _compared() -> str:
    chosen = chosen_all(environment="h.environment", agent="h.agent", version="h.version")
    return f"""
WITH hours AS (
  SELECT h.version, h.environment, h.hour, h.n, h.failed, h.histogram FROM analytics.latency_hourly h
  WHERE {in_range("h.hour")} AND {chosen}
), counts AS (
  SELECT h.version, h.environment, b.place, sum(b.count)::bigint AS count
  FROM hours h CROSS JOIN unnest(h.histogram) WITH ORDINALITY AS b (count, place) GROUP BY h.version, h.environment, b.place
), quick AS (
  SELECT c.version, c.environment, array_agg(c.count ORDER BY c.place) AS histogram
  FROM counts c GROUP BY c.version, c.environment
), sums AS (
  SELECT h.version, h.environment, sum(h.n)::float8 AS n, sum(h.failed)::float8 AS failed, min(h.hour) AS first,
         max(h.hour) AS last
  FROM hours h GROUP BY h.version, h.environment
)
SELECT s.version, s.environment, s.n AS queries, s.failed / nullif(s.n, 0) AS errors,
       analytics.quantile(0.5, q.histogram, {_BOUNDS}) AS p50, analytics.quantile(0.95, q.histogram, {_BOUNDS}) AS p95,
       analytics.quantile(0.99, q.histogram, {_BOUNDS}) AS p99, s.first, s.last
FROM sums s JOIN quick q ON q.version = s.version AND q.environment = s.environment
ORDER BY s.last DESC, s.n DESC LIMIT 100
""".strip()


def compared(settings: Settings) -> Panel:
    limits = settings.thresholds
    headings = {
        "version": "Version", "environment": "Environment", "queries": "Queries", "errors": "Error ratio", "p50": "p50",
        "p95": "p95", "p99": "p99", "first": "First hour", "last": "Last hour",
    }  # fmt: skip
    slow = at_most(limits.response_seconds).to_json_data()
    failing = at_most(limits.error_ratio, limits.error_ratio_critical).to_json_data()
    return Table(
        name="versions",
        title="Versions side by side",
        description=(
            "Executions that ended within the full hours of the range, by version: how many, share that failed, percentiles of "
            "the response time. Compare versions of one environment, and only with a few hundred queries each."
        ),
        targets=(SqlQuery(sql=_compared()),),
        no_value="no execution ended in range",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Environment", custom_minWidth=100),
            named("Queries", unit="locale", decimals=0),
            named("Error ratio", unit="percentunit", decimals=1, thresholds=failing, custom_cellOptions=COLOURED_TEXT),
            *(named(name, unit="s") for name in ("p50", "p99")),
            named("p95", unit="s", thresholds=slow, custom_cellOptions=COLOURED_TEXT),
            *(moment(name) for name in ("First hour", "Last hour")),
        ),
        paged=True,
    )


_JUDGED = {"agent": "r.agent", "version": "r.version", "environment": "r.environment", "metric": "r.metric"}
_DISMISS, _FLAG = (
    command(f"observatory regression {verb} {{agent}} {{version}} --environment {{environment}} --metric {{metric}}", **_JUDGED)
    for verb in ("dismiss", "flag")
)


def _flagged() -> str:
    chosen = chosen_all(environment="r.environment", agent="r.agent", version="r.version")
    return f"""
SELECT r.detected_at AS "time", r.environment, r.version, r.metric, r.before, r.after, r.after / nullif(r.before, 0) AS change,
       r.p_value, r.source, r.state, CASE WHEN r.state = 'dismissed' THEN {_FLAG} ELSE {_DISMISS} END AS command
FROM analytics.regressions r
WHERE $__timeFilter(r.detected_at) AND {chosen}
ORDER BY r.detected_at DESC LIMIT 100
""".strip()


def regressions() -> Panel:
    headings = {
        "time": "Found", "environment": "Environment", "version": "Version", "metric": "What", "before": "Before",
        "after": "After", "change": "Change", "p_value": "By chance", "source": "Found by", "state": "State",
        "command": "To say otherwise",
    }  # fmt: skip
    state = {
        "open": Word("open", colours.DEGRADED), "confirmed": Word("confirmed", colours.DOWN),
        "dismissed": Word("dismissed", colours.UNKNOWN),
    }  # fmt: skip
    return Table(
        name="regressions",
        title="Which versions were found to be worse?",
        description=(
            "Versions that were recorded in 90 days as worse than the one before: automatically, by comparing their "
            "executions, or by hand; before and after (seconds for latency, shares for errors), and how likely chance alone "
            "would do that. Roll back, or dismiss the finding when the change was wanted."
        ),
        targets=(SqlQuery(sql=_flagged()),),
        always_last="90d",
        no_value="no version was found to be worse",
        transformations=columns(headings),
        overrides=(
            NARROW,
            moment("Found"),
            named("Environment", custom_width=104),
            *(named(name, decimals=3) for name in ("Before", "After")),
            named("Change", unit="suffix:×", decimals=2),
            named("By chance", unit="percentunit", decimals=2),
            named("State", custom_minWidth=76, custom_cellOptions=COLOURED_TEXT, mappings=words(state)),
            shortened("To say otherwise", custom_width=124),
        ),
        paged=True,
    )
