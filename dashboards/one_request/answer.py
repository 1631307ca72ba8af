"""What happened to the request: who answered, how long it took, why, and what to do."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.field import at_most, named, narrowing_link
from dashboards.lib.figures import Stat
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.requests import (
    CAUSE,
    FILTERS,
    PARTS,
    REQUESTS,
    RUNBOOK,
    command,
    known_causes,
    lasted,
    status_column,
    trace_links,
)
from dashboards.lib.tables import NARROW, Table, columns, moment, shortened
from dashboards.one_request.shown import NOT_KEPT, shown

USUAL = 500
"""Requests that say what is usual: the newest of the range, of the same agent and environment."""


def usual() -> str:
    """The table expression `others`: the newest requests of the range that the same agent answered in the same environment."""
    return f"""
others AS (
  SELECT t.trace_id, t.latency_ms FROM {REQUESTS} JOIN requests r ON r.agent = a.name AND r.environment = t.environment
  WHERE $__timeFilter(t.started_at) AND t.latency_ms IS NOT NULL AND {chosen_all(environment="t.environment")}
  ORDER BY t.started_at DESC, t.trace_id LIMIT {USUAL}
)""".strip()


def request(settings: Settings) -> Panel:
    headings = {
        "time": "Began", "agent": "Agent", "version": "Version", "environment": "Environment", "intent": "Intent",
        "status": "Ended", "error_type": "Kind of error", "trace": "Request",
    }  # fmt: skip
    text = f"""
WITH {shown()}
SELECT r.started_at AS "time", r.agent, r.version, r.environment, r.intent, r.status, r.error_type, r.trace_id AS trace
FROM requests r
""".strip()
    return Table(
        name="request",
        title="The request",
        description=(
            "The request that is named above, by a link or by hand; without a name the slowest of the range that all filters "
            "let through. A click on the agent shows how it does, one on the request its trace in Langfuse."
        ),
        targets=(SqlQuery(sql=text),),
        no_value=NOT_KEPT,
        transformations=columns(headings),
        overrides=(
            NARROW,
            moment("Began"),
            *(named(name, custom_width=width) for name, width in _WIDTHS.items()),
            status_column("Ended", 80),
            named("Agent", links=[_TO_AGENT.to_json_data()]),
            named("Request", links=[link.to_json_data() for link in trace_links(settings, "${__value.raw}")]),
        ),
    )


_WIDTHS = {"Agent": 92, "Version": 66, "Environment": 98, "Intent": 130, "Kind of error": 105}
_TO_AGENT = narrowing_link("How does this agent do?", "one-agent", "agent", "${__value.raw}", FILTERS)


def figures(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    text = f"""
WITH {shown()}, {usual()}, {PARTS}, calls AS (
  SELECT count(*) AS n, sum(c.total_tokens) AS tokens, sum(c.total_cost_usd) AS cost
  FROM requests r JOIN analytics.llm_calls c ON c.trace_id = r.trace_id
), middle AS (
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY o.latency_ms) AS ms FROM others o
)
SELECT (r.latency_ms / 1000)::float8 AS "Took", (r.latency_ms / nullif(middle.ms, 0))::float8 AS "Times the usual",
       (SELECT sum(p.ms) / 1000 FROM phases p WHERE p.phase = 'llm')::float8 AS "Model",
       (SELECT sum(p.ms) / 1000 FROM phases p WHERE p.phase = 'tool')::float8 AS "Tools",
       (SELECT sum(p.ms) / 1000 FROM phases p WHERE p.phase = 'retrieval')::float8 AS "Retrieval",
       calls.n::float8 AS "Model calls", calls.tokens::float8 AS "Tokens", calls.cost::float8 AS "Cost"
FROM requests r CROSS JOIN calls CROSS JOIN middle
""".strip()
    limits = at_most(limit).to_json_data()
    return Stat(
        name="figures",
        title=f"What it took (at most {limit:g} s)",
        description=(
            f"Time from query to answer, how many times the median of the newest {USUAL} requests of the same agent in the "
            "range, the time in its greatest parts, and the model calls that belong to it with their tokens and cost. Three "
            "times the usual and more: something waited; see what, below."
        ),
        targets=(SqlQuery(sql=text),),
        unit="s",
        minimum=0,
        no_value="–",
        shown="value_and_name",
        value_size=24,
        overrides=(
            named("Took", thresholds=limits),
            named("Times the usual", unit="suffix: ×", decimals=1, thresholds=at_most(3).to_json_data()),
            *(named(name, unit="locale", decimals=0) for name in ("Model calls", "Tokens")),
            named("Cost", unit="currencyUSD", decimals=4),
        ),
    )


def verdict(settings: Settings) -> Panel:
    headings = {
        "cause": "Likely cause", "share": "Share", "waited": "Waited most for", "advice": "What to try", "runbook": "Runbook",
        "command": "Command: all its steps",
    }  # fmt: skip
    text = f"""
WITH {shown()}, {PARTS}
SELECT known.words AS cause, (most.ms / nullif(r.latency_ms, 0))::float8 AS share,
       waits.dependency || ' ' || {lasted("waits.ms")} AS waited,
       known.advice, known.runbook, {command(settings, "r.trace_id")} AS command
FROM requests r
JOIN most ON most.trace_id = r.trace_id
LEFT JOIN waits ON waits.trace_id = r.trace_id
JOIN {known_causes(settings)} ON known.cause = {CAUSE}
""".strip()
    return Table(
        name="verdict",
        title="What made it take so long, and what to do?",
        description=(
            "The part of the request that took most of its time, with its share, what was waited for longest, what usually "
            "helps, and a command to copy that reads all steps of the request from Langfuse (its keys come from ~/.netrc). The "
            "cause comes from fixed rules, no model is asked."
        ),
        targets=(SqlQuery(sql=text),),
        no_value=NOT_KEPT,
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Likely cause", custom_width=150),
            named("Share", unit="percentunit", decimals=0, custom_width=80),
            named("Waited most for", custom_width=150),
            named("What to try", custom_minWidth=240, custom_wrapText=True),
            RUNBOOK,
            shortened("Command: all its steps", custom_width=110),
        ),
    )
