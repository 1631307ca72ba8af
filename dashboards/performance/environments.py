"""Environments side by side: where others differ from the one that users see, and which errors only that one has."""

from __future__ import annotations

from psycopg import sql

from contract.buckets import AGENT
from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.executions import FAILED_ROW, SECONDS, ended, percentile
from dashboards.lib.field import Override, Thresholds, Word, named, painted, special, words
from dashboards.lib.filters import acting, chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery, in_range
from dashboards.lib.requests import FILTERS, trace_links
from dashboards.lib.shares import BarChart
from dashboards.lib.tables import COLOURED_CELL, COLOURED_TEXT, Table, columns, moment, shortened
from dashboards.performance.errors import KIND_SQL
from dashboards.performance.fleet import NO_TRAFFIC

GAP = 0.2
"""How much an environment may differ before the gap is worth a colour: a fifth."""
_OTHERS = tuple(name for name in FILTERS if name != "environment")
_BOUNDS = f"ARRAY[{', '.join(f'{bound:g}' for bound in AGENT)}]::float8[]"
_SUMS = ", ".join(f"sum(l.histogram[{n}])" for n in range(1, len(AGENT) + 2))
MERGED_P95 = f"analytics.quantile(0.95, ARRAY[{_SUMS}]::bigint[], {_BOUNDS})"
"""SQL: the 95th percentile of rows `l` of a roll-up together."""


def reference(settings: Settings) -> str:
    """The environment that the others are held against: the first that may wake people, or the first of all."""
    return (*settings.notifications.paging_environments, *settings.environments)[0]


def _literal(text: str) -> str:
    return sql.Literal(text).as_string()


PARITY = """
WITH times AS (
  SELECT l.environment, {p95} AS p95, sum(l.n)::float8 AS executions, sum(l.failed) / nullif(sum(l.n), 0)::float8 AS errors
  FROM analytics.latency_hourly l
  WHERE {times_in_range} AND {chosen_times} GROUP BY 1
), costs AS (
  SELECT m.environment, sum(m.cost_usd) / nullif(sum(m.executions), 0)::float8 AS cost
  FROM analytics.trace_metrics_hourly m
  WHERE {costs_in_range} AND {chosen_costs} GROUP BY 1
), found AS (
  SELECT t.environment, t.p95::float8 AS p95, t.errors::float8 AS errors, t.executions, c.cost::float8 AS cost
  FROM times t LEFT JOIN costs c USING (environment) WHERE t.executions > 0
)
SELECT f.environment, f.p95, CASE WHEN f.environment <> {reference} THEN f.p95 / nullif(r.p95, 0) - 1 END AS p95_gap,
  f.errors, CASE WHEN f.environment <> {reference} THEN f.errors - r.errors END AS errors_gap,
  f.cost, CASE WHEN f.environment <> {reference} THEN f.cost / nullif(r.cost, 0) - 1 END AS cost_gap,
  f.executions,
  CASE WHEN f.environment = {reference} THEN 'reference'
    WHEN r.environment IS NULL THEN 'nothing to compare with'
    WHEN f.executions < {enough} THEN 'too few to tell'
    WHEN abs(f.p95 / nullif(r.p95, 0) - 1) > {gap} OR abs(f.errors - r.errors) > {errors}
      OR abs(f.cost / nullif(r.cost, 0) - 1) > {gap}
      THEN 'differs' ELSE 'alike' END AS verdict
FROM found f LEFT JOIN found r ON r.environment = {reference}
ORDER BY f.environment <> {reference}, f.environment
LIMIT 20
""".strip()


def parity_query(settings: Settings, name: str) -> str:
    """Figures of every environment beside those of the one called `name`, for the chosen agents and versions."""
    limits = settings.thresholds
    with acting(_OTHERS):
        return PARITY.format(
            p95=MERGED_P95,
            times_in_range=in_range("l.hour"),
            costs_in_range=in_range("m.hour"),
            chosen_times=chosen_all(agent="l.agent", version="l.version"),
            chosen_costs=chosen_all(agent="m.agent", version="m.version"),
            reference=_literal(name),
            enough=limits.regression_minimum,
            gap=GAP,
            errors=limits.error_ratio,
        )


def parity(settings: Settings) -> Panel:
    limits, name = settings.thresholds, reference(settings)
    headings = {
        "environment": "Environment", "verdict": f"Beside {name}", "p95": "p95", "p95_gap": "p95 gap", "errors": "Errors",
        "errors_gap": "Errors gap", "cost": "Cost each", "cost_gap": "Cost gap", "executions": "Executions",
    }  # fmt: skip
    verdicts = words(
        {"alike": Word("alike", colours.OK), "differs": Word("differs", colours.DEGRADED), "reference": Word("reference")}
    )
    return Table(
        name="parity",
        title="Do the environments behave alike?",
        description=(
            f"All environments of the range, whichever is chosen above, held against {name}: p95, failed executions, and cost "
            f"of an execution. A gap of more than {GAP:.0%} (errors: {limits.error_ratio:.0%} of all executions) is coloured; "
            f"below {limits.regression_minimum} executions nothing is said. Staging is quicker than production: it has less "
            "data or less load, and tests there prove little. It fails more: a release that should not go on. Of the hours "
            "that began in the range, by when executions ended: a few more or fewer than where single ones are counted."
        ),
        targets=(SqlQuery(sql=parity_query(settings, name)),),
        no_value=NO_TRAFFIC,
        transformations=columns(headings),
        overrides=(
            named("Environment", custom_minWidth=118),
            named(f"Beside {name}", custom_width=150, custom_cellOptions=COLOURED_TEXT, mappings=verdicts),
            named("p95", unit="s", custom_width=80),
            _gap("p95 gap", GAP, 0),
            named("Errors", unit="percentunit", decimals=2, custom_width=90),
            _gap("Errors gap", limits.error_ratio, 1),
            named("Cost each", unit="currencyUSD", decimals=4, custom_width=105),
            _gap("Cost gap", GAP, 0),
            named("Executions", unit="locale", decimals=0, custom_width=115),
        ),
    )


def _gap(name: str, bearable: float, decimals: int) -> Override:
    """A column of differences, coloured on both sides of what is bearable."""
    sides = Thresholds(colours.DEGRADED, ((-bearable, colours.NONE), (bearable, colours.DEGRADED)))
    return named(
        name,
        unit="percentunit",
        decimals=decimals,
        custom_width=100,
        thresholds=sides.to_json_data(),
        custom_cellOptions=COLOURED_CELL,
        mappings=special("null", Word("–", colours.NONE)),
    )


BARS = """
WITH x AS (
  {executions}
)
SELECT x.environment, {p50} AS p50, {p95} AS p95, {p99} AS p99
FROM x GROUP BY 1 ORDER BY x.environment <> {reference}, 1 LIMIT 20
""".strip()


def bars(settings: Settings) -> Panel:
    marks = {f"p{share * 100:g}": percentile(share) for share in (0.5, 0.95, 0.99)}
    with acting(_OTHERS):
        executions = ended("e.environment", SECONDS)
    return BarChart(
        name="parity_latency",
        title="Percentiles by environment",
        description=(
            "Exact percentiles of all environments, whichever is chosen above. Only p99 differs: rare requests, or too few "
            "of them; p50 differs: another model, another machine or other data."
        ),
        targets=(SqlQuery(sql=BARS.format(executions=executions, reference=_literal(reference(settings)), **marks)),),
        width=9,
        unit="s",
        no_value=NO_TRAFFIC,
        x="environment",
        overrides=painted({"p50": colours.LOW, "p95": colours.MIDDLE, "p99": colours.HIGH}),
    )


ONLY = """
WITH x AS (
  {executions}
), sizes AS (
  SELECT count(*) FILTER (WHERE environment <> {reference}) AS elsewhere FROM x
)
SELECT x.agent, x.kind, count(*)::float8 AS failed, max(x.at) AS "last", max(x.trace) AS trace,
  max(sizes.elsewhere)::float8 AS elsewhere
FROM x CROSS JOIN sizes WHERE x.failed
GROUP BY 1, 2
HAVING bool_and(x.environment = {reference})
ORDER BY 3 DESC, 1, 2
LIMIT 50
""".strip()


def only_there(settings: Settings) -> Panel:
    name = reference(settings)
    with acting(_OTHERS):
        executions = ended(
            "e.agent_name AS agent",
            "e.environment",
            f"{KIND_SQL} AS kind",
            FAILED_ROW,
            "e.start_time AS at",
            "e.trace_id AS trace",
        )
    headings = {
        "agent": "Agent", "kind": "Kind of error", "failed": "Failed", "last": "Last",
        "elsewhere": "Elsewhere", "trace": "Trace",
    }  # fmt: skip
    return Table(
        name="only_in_production",
        title=f"Errors that only {name} has",
        description=(
            f"Kinds of error that an agent had in {name} and in no other environment of the range, and how many executions "
            "the others had in which it might have shown. Few there: test more. Many: it is the data, the load or the "
            f"configuration of {name}."
        ),
        targets=(SqlQuery(sql=ONLY.format(executions=executions, reference=_literal(name))),),
        no_value=f"no error that only {name} has",
        transformations=columns(headings),
        overrides=(
            named("Agent", custom_width=100),
            named("Kind of error", custom_width=115),
            named("Failed", decimals=0, custom_width=60),
            named("Elsewhere", unit="locale", decimals=0, custom_width=92),
            moment("Last"),
            shortened("Trace", links=list(trace_links(settings, "${__value.raw}"))),
        ),
        paged=True,
    )
