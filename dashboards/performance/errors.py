"""What goes wrong: by kind, against the error budgets, and at whom."""

from __future__ import annotations

from contract.labels import ERROR_TYPES
from contract.settings import Settings
from contract.signals.agents import AGENT_ERRORS, AGENT_QUERIES
from contract.signals.model import like
from dashboards.lib import colours
from dashboards.lib.executions import ALL_FILTERS, HAS_FAILED, ended
from dashboards.lib.field import fixed, lines, named
from dashboards.lib.filters import acting, chosen
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask
from dashboards.lib.requests import trace_links
from dashboards.lib.tables import Table, columns, moment, shortened
from dashboards.lib.variables import ListVariable
from dashboards.performance.fleet import HOUR, NO_TRAFFIC
from dashboards.performance.places import around, one_agent

KIND = ListVariable(
    name="error_type",
    label="Kind of error",
    values={kind: kind.replace("_", " ") for kind in ERROR_TYPES},
    description="Acts on what shows errors by kind.",
)
KIND_SQL = "coalesce(e.error_type, 'other')"
_COLOURS = (colours.PURPLE, colours.AMBER, colours.BLUE, colours.SKY, colours.YELLOW, colours.GREEN, colours.RED, colours.GREY)


def by_kind(settings: Settings) -> Panel:
    limits = settings.thresholds
    with acting(("environment", "agent")):
        errors = ask(AGENT_ERRORS, ("error_type",), HOUR, (like("error_type", "$error_type"),))
        queries = ask(AGENT_QUERIES, (), HOUR)
    painted = (named(kind, color=fixed(colour)) for kind, colour in zip(ERROR_TYPES, _COLOURS, strict=True))
    return TimeSeries(
        name="errors_by_kind",
        title=f"Errors per query by kind (alert above {limits.error_ratio:.0%})",
        description=(
            "Errors of each kind / queries, over one hour, one upon the other. The lines are where the alerts on failed "
            "queries begin. One kind leads: `llm` and `rate limit` are the model provider, `tool` a tool, `timeout` "
            "something slow, `validation` and `auth` the caller. Deployments are marked. A click asks who failed then."
        ),
        targets=(
            PromQuery(expr=f"{errors} / on () group_left () ({queries} > 0)", legend="{{error_type}}", step="1m"),
        ),
        unit="percentunit",
        minimum=0,
        stacked=True,
        fill=75,
        no_value=NO_TRAFFIC,
        limits=lines((limits.error_ratio, colours.DEGRADED), (limits.error_ratio_critical, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limits.error_ratio * 1.2,
        calculations=("mean", "max"),
        overrides=tuple(painted),
        data_links=(around("Who failed in this hour", "failing"),),
    )  # fmt: skip


FAILING = """
WITH x AS (
  {executions}
)
SELECT x.agent, x.version, x.environment, x.kind, count(*)::float8 AS failed,
  (count(*) / sum(count(*)) OVER ())::float8 AS share, min(x.at) AS "first", max(x.at) AS "last", max(x.trace) AS trace
FROM x
GROUP BY 1, 2, 3, 4
ORDER BY failed DESC, 1, 2, 3, 4
LIMIT 100
""".strip()


def failing(settings: Settings) -> Panel:
    executions = ended(
        "e.agent_name AS agent",
        "coalesce(e.version, '') AS version",
        "e.environment",
        f"{KIND_SQL} AS kind",
        "e.start_time AS at",
        "e.trace_id AS trace",
        where=f"{HAS_FAILED} AND {chosen(KIND_SQL, 'error_type')}",
    )
    headings = {
        "agent": "Agent", "version": "Version", "environment": "Environment", "kind": "Kind of error", "failed": "Failed",
        "share": "Share", "first": "First", "last": "Last", "trace": "Trace",
    }  # fmt: skip
    widths = {"Agent": 110, "Version": 90, "Environment": 120, "Kind of error": 126, "Failed": 70}
    return Table(
        name="failing",
        title="Who fails, and how",
        description=(
            "Failed executions of the range by agent, version and kind of error, the most frequent first; of each a trace to "
            "look at. One agent and one version: roll that version back. One kind at many agents: a provider or a tool. "
            f"{ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=FAILING.format(executions=executions)),),
        no_value="no failed execution in range",
        transformations=columns(headings),
        overrides=(
            *(named(column, custom_width=width) for column, width in widths.items()),
            moment("First"),
            moment("Last"),
            named("Failed", decimals=0),
            named("Share", unit="percentunit", decimals=0, custom_width=60),
            named("Agent", links=[one_agent("${__value.raw}")]),
            shortened("Trace", links=list(trace_links(settings, "${__value.raw}"))),
        ),
        sorted_by="Failed",
        paged=True,
    )
