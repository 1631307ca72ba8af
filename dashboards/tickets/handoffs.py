"""What agents hand over to people, and what they solve alone."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from dashboards.lib import colours
from dashboards.lib.field import named, narrowing_link, painted
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery, in_range
from dashboards.lib.tables import BAR_CELL, NARROW, Table, columns

OF_OUTCOMES = {
    "solved by the agent": colours.GREEN, "handed over": colours.AMBER, "abandoned": colours.PURPLE, "failed": colours.RED,
}  # fmt: skip


def ratio() -> Panel:
    sql = f"""
SELECT d.day AS "time", sum(d.solved)::float8 / nullif(sum(d.ended), 0) AS "solved by the agent",
       sum(d.handed_over)::float8 / nullif(sum(d.ended), 0) AS "handed over",
       sum(d.abandoned)::float8 / nullif(sum(d.ended), 0) AS abandoned,
       sum(d.failed)::float8 / nullif(sum(d.ended), 0) AS failed
FROM analytics.conversation_daily d
WHERE {in_range("d.day")} AND {chosen_all(environment="d.environment", agent="d.agent")}
GROUP BY d.day
ORDER BY d.day
""".strip()
    return TimeSeries(
        name="outcomes_by_day",
        title="How conversations end, by day",
        description=(
            "Share of the conversations that ended on a day (UTC), by how. Handed over climbs after a release: the agent "
            "lost a tool or a document. It climbs for all agents: a model, or a search that finds nothing; see the tab "
            "Knowledge base."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="percentunit",
        minimum=0,
        maximum=1,
        no_value="no conversation ended in range",
        calculations=("mean", "max"),
        overrides=painted(OF_OUTCOMES),
    )


def reasons() -> Panel:
    sql = f"""
SELECT d.day AS "time", replace(d.reason, '_', ' ') AS metric, sum(d.handoffs)::float8 AS value
FROM analytics.handoff_daily d
WHERE {in_range("d.day")} AND {chosen_all(environment="d.environment", agent="d.agent")}
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT 5000
""".strip()
    return TimeSeries(
        name="handoff_reasons",
        title="Handoffs per day by reason",
        description=(
            "Conversations handed over to a person, by the day (UTC) and the reason. Low confidence grows: documents are "
            "missing. Repeated failure grows: a tool fails. User request grows: people no longer trust the agent."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no handoff in range",
        style="bars",
        stacked=True,
        calculations=("sum",),
        legend_placement="right",
    )


def taken() -> Panel:
    sql = f"""
SELECT a.name AS agent, replace(h.reason, '_', ' ') AS reason, count(*)::float8 AS handoffs,
       count(h.ticket_id)::float8 / count(*) AS with_ticket,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM h.accepted_at - h.at)) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM h.accepted_at - h.at)) AS p90,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM h.resolved_at - h.at)) AS resolved
FROM analytics.handoffs h CROSS JOIN LATERAL (
  SELECT t.agent_id, t.environment, t.created_at FROM analytics.conversations t WHERE t.id = h.conversation_id OFFSET 0
) c
JOIN analytics.agents a ON a.id = c.agent_id
WHERE $__timeFilter(h.at) AND $__timeFilter(c.created_at) AND {chosen_all(environment="c.environment", agent="a.name")}
GROUP BY 1, 2
ORDER BY 3 DESC, 1, 2
LIMIT 200
""".strip()
    headings = {
        "agent": "Agent", "reason": "Reason", "handoffs": "Handoffs", "with_ticket": "With ticket", "median": "Median wait",
        "p90": "p90 wait", "resolved": "To the end",
    }  # fmt: skip
    return Table(
        name="handoffs_taken",
        title="How soon does a person take over?",
        description=(
            "Handoffs in the range, of conversations that began in it, by agent and reason: how long users waited until a "
            "person took over, and until the end. A long wait for one agent: nobody is on duty for its subject."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value="no handoff in range",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Handoffs", unit="locale", decimals=0, min=0, fieldMinMax=True, custom_cellOptions=BAR_CELL),
            named("With ticket", unit="percentunit", decimals=0),
            *(named(name, unit="s") for name in tuple(headings.values())[4:]),
        ),
        paged=True,
    )


def contained() -> Panel:
    sql = f"""
SELECT d.agent, d.environment, sum(d.ended)::float8 AS ended, sum(d.solved)::float8 / nullif(sum(d.ended), 0) AS solved,
       sum(d.handed_over)::float8 / nullif(sum(d.ended), 0) AS handed_over,
       sum(d.abandoned)::float8 / nullif(sum(d.ended), 0) AS abandoned,
       sum(d.failed)::float8 / nullif(sum(d.ended), 0) AS failed
FROM analytics.conversation_daily d
WHERE {in_range("d.day")} AND {chosen_all(environment="d.environment", agent="d.agent")}
GROUP BY 1, 2
ORDER BY 4, 1
LIMIT 200
""".strip()
    headings = {
        "agent": "Agent", "environment": "Environment", "ended": "Ended", "solved": "Solved by the agent",
        "handed_over": "Handed over", "abandoned": "Abandoned", "failed": "Failed",
    }  # fmt: skip
    share = DEFINITIONS["handoff_ratio"]
    return Table(
        name="contained",
        title="What do agents solve alone?",
        description=(
            "Conversations that ended on the whole days of the range, by how: solved by the agent alone (automated "
            f"resolution), handed over ({share.formula}, by their outcome), abandoned by the user, or failed; the least "
            "solved first. Few solved: see the reasons of handoffs. Many abandoned: answers come too late or do not help."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value="no conversation ended in range",
        transformations=columns(headings),
        overrides=(
            named(
                "Agent",
                links=[
                    narrowing_link("Only this agent", "tickets", "agent", "${__value.text}", ("environment",)).to_json_data()
                ],
            ),
            named("Environment", custom_width=130),
            named("Ended", unit="locale", decimals=0, custom_width=90),
            named("Solved by the agent", unit="percentunit", decimals=1, min=0, max=1, custom_cellOptions=BAR_CELL),
            *(named(name, unit="percentunit", decimals=1, custom_width=130) for name in ("Handed over", "Abandoned", "Failed")),
        ),
        paged=True,
    )
