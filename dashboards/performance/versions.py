"""Versions beside each other: may the newest one stay, and how did each do over time?"""

from __future__ import annotations

from statistics import NormalDist

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.field import Word, named, words
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery, in_range
from dashboards.lib.tables import COLOURED_TEXT, NARROW, Table, columns, moment
from dashboards.performance.environments import MERGED_P95
from dashboards.performance.fleet import NO_TRAFFIC
from dashboards.performance.places import one_agent

MOST = 8
GATES = """
WITH deployed AS (
  SELECT a.name AS agent, d.environment, d.version, min(d.deployed_at) AS since
  FROM analytics.deployments d JOIN analytics.agents a ON a.id = d.agent_id
  WHERE d.deployed_at <= $__timeTo() AND {chosen_deployed} GROUP BY 1, 2, 3
), ranked AS (
  SELECT d.*, row_number() OVER (PARTITION BY d.agent, d.environment ORDER BY d.since DESC, d.version DESC) AS rank
  FROM deployed d
), pair AS (
  SELECT n.agent, n.environment, n.since, n.version, p.version AS previous
  FROM ranked n JOIN ranked p ON p.agent = n.agent AND p.environment = n.environment AND p.rank = 2 WHERE n.rank = 1
  ORDER BY n.since DESC LIMIT 50
), figures AS (
  SELECT p.agent, p.environment, l.version, sum(l.n)::float8 AS n,
    sum(l.failed)::float8 / nullif(sum(l.n), 0)::float8 AS errors,
    {p95} AS p95
  FROM pair p JOIN analytics.latency_hourly l
    ON l.agent = p.agent AND l.environment = p.environment AND l.version IN (p.version, p.previous)
  WHERE l.hour >= $__timeTo()::timestamptz - interval '30 days' AND l.hour < $__timeTo()
    AND l.hour BETWEEN p.since - interval '7 days' AND p.since + interval '7 days'
  GROUP BY 1, 2, 3
)
SELECT p.agent, p.environment, p.version, p.previous, p.since, n.n, o.n AS n_before, n.p95, o.p95 AS p95_before,
  n.p95 / nullif(o.p95, 0) AS p95_times, n.errors, o.errors AS errors_before,
  CASE WHEN worse.agent IS NOT NULL THEN 'fail: recorded as worse'
    WHEN n.n IS NULL OR o.n IS NULL OR least(n.n, o.n) < {enough} THEN 'too few to tell'
    WHEN n.p95 > {times} * o.p95 THEN 'fail: slower'
    WHEN n.errors > {times} * o.errors AND n.errors - o.errors > {sure} * sqrt(
      whole.errors * (1 - whole.errors) * (1 / n.n + 1 / o.n)) THEN 'fail: more errors'
    ELSE 'pass' END AS verdict
FROM pair p
LEFT JOIN figures n ON n.agent = p.agent AND n.environment = p.environment AND n.version = p.version
LEFT JOIN figures o ON o.agent = p.agent AND o.environment = p.environment AND o.version = p.previous
LEFT JOIN (SELECT DISTINCT r.agent, r.environment, r.version FROM analytics.regressions r WHERE r.state <> 'dismissed') worse
  ON worse.agent = p.agent AND worse.environment = p.environment AND worse.version = p.version
CROSS JOIN LATERAL (SELECT (n.n * n.errors + o.n * o.errors) / (n.n + o.n) AS errors) AS whole
ORDER BY p.since DESC, p.agent, p.environment
""".strip()
VERDICTS = {
    "pass": Word("pass", colours.OK),
    "too few to tell": Word("too few to tell", colours.UNKNOWN),
    "fail: slower": Word("fail: slower", colours.DOWN),
    "fail: more errors": Word("fail: more errors", colours.DOWN),
    "fail: recorded as worse": Word("fail: recorded as worse", colours.DOWN),
}


def gates(settings: Settings) -> Panel:
    limits = settings.thresholds
    text = GATES.format(
        chosen_deployed=chosen_all(environment="d.environment", agent="a.name"),
        p95=MERGED_P95,
        enough=limits.regression_minimum,
        times=f"{limits.regression_ratio:g}",
        sure=f"{NormalDist().inv_cdf(1 - limits.regression_p_value):.4f}",
    )
    headings = {
        "agent": "Agent", "environment": "Environment", "version": "New", "previous": "Before", "verdict": "Gate",
        "p95": "p95", "p95_before": "was", "p95_times": "Times", "errors": "Errors",
        "errors_before": "were", "n": "Runs", "n_before": "before", "since": "Deployed",
    }  # fmt: skip
    seconds, shares, counts = (
        {"p95": 58, "was": 58},
        {"Errors": 66, "were": 58},
        {"Runs": 58, "before": 66},
    )
    return Table(
        name="version_gates",
        title="May the newest version stay?",
        description=(
            "The newest version of each agent and environment beside the one before, each within the week around the "
            f"deployment. It fails with a p95 or an error share of more than {limits.regression_ratio:g} times the one before "
            f"(errors: and more than chance explains, at {limits.regression_p_value:.0%}), from {limits.regression_minimum} "
            "executions of both, or when the exporter has recorded it as worse. Was, were, before: the same of the version "
            "before. A failed gate: roll back, or read what changed in the version."
        ),
        targets=(SqlQuery(sql=text),),
        no_value="no agent has two versions",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Agent", custom_minWidth=92, links=[one_agent("${__value.raw}")]),
            named("Environment", custom_minWidth=96),
            *(named(name, custom_width=72) for name in ("New", "Before")),
            named("Gate", custom_minWidth=90, custom_wrapText=True, custom_cellOptions=COLOURED_TEXT, mappings=words(VERDICTS)),
            *(named(name, unit="s", custom_width=width) for name, width in seconds.items()),
            named("Times", unit="none", decimals=2, custom_width=64),
            *(named(name, unit="percentunit", decimals=2, custom_width=width) for name, width in shares.items()),
            *(named(name, unit="locale", decimals=0, custom_width=width) for name, width in counts.items()),
            moment("Deployed"),
        ),
        paged=True,
    )


HISTORY = """
WITH x AS (
  SELECT l.hour, l.agent || ' ' || l.version AS version, l.n, l.failed, l.histogram FROM analytics.latency_hourly l
  WHERE {range} AND {chosen}
), busiest AS (
  SELECT x.version FROM x GROUP BY 1 ORDER BY sum(x.n) DESC, 1 LIMIT {most}
)
SELECT {bucket} AS "time", l.version AS metric, {figure} AS value
FROM x l JOIN busiest USING (version)
GROUP BY 1, 2 ORDER BY 1, 2
""".strip()
_WIDTH = "greatest(3600, 3600 * ceil(($__unixEpochTo() - $__unixEpochFrom()) / 48.0 / 3600))"
_BUCKET = f"date_bin(make_interval(secs => {_WIDTH}), l.hour, 'epoch'::timestamptz)"


def _history(name: str, title: str, description: str, figure: str, unit: str) -> Panel:
    chosen = chosen_all(environment="l.environment", agent="l.agent", version="l.version")
    sql = HISTORY.format(range=in_range("l.hour"), chosen=chosen, most=MOST, bucket=_BUCKET, figure=figure)
    return TimeSeries(
        name=name,
        title=title,
        description=(
            f"{description} The {MOST} versions with most executions, by whole hours; deployments and versions that were "
            "found to be worse are marked."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit=unit,
        minimum=0,
        no_value=NO_TRAFFIC,
        bridged=6 * 3600 * 1000,
        calculations=("mean", "max"),
    )


def latency() -> Panel:
    text = "95th percentile of executions by agent and version. One line leaves the others at a mark: that version is slower."
    return _history("version_latency", "p95 by version", text, MERGED_P95, "s")


def errors() -> Panel:
    text = f"{DEFINITIONS['error_ratio'].formula}, of executions, by agent and version."
    share = "sum(l.failed)::float8 / nullif(sum(l.n), 0)::float8"
    return _history("version_errors", "Error share by version", text, share, "percentunit")


def throughput() -> Panel:
    text = "Executions per hour by agent and version: when one took over from the other, and how fast."
    return _history("version_executions", "Executions per hour by version", text, f"sum(l.n) * 3600.0 / {_WIDTH}", "none")
