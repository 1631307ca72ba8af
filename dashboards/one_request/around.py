"""What belongs to the request, its model calls, and what stands beside it: others that were slow or failed."""

from __future__ import annotations

from contract.settings import Settings
from contract.status import FAILED
from dashboards.lib.field import named, narrowing_link
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.requests import FILTERS, REQUESTS, STATUS, chosen_requests, status_column
from dashboards.lib.tables import NARROW, Table, columns, moment, shortened
from dashboards.one_request.shown import shown


def model_calls() -> Panel:
    headings = {
        "time": "Began", "model": "Model", "type": "Type", "prompt": "Prompt", "seconds": "Took", "first": "First token",
        "input": "Tokens in", "cached": "Cached", "output": "Tokens out", "cost": "Cost", "status": "Ended",
    }  # fmt: skip
    text = f"""
WITH {shown()}
SELECT c.started_at AS "time", c.model, lower(c.type) AS type,
       c.prompt_name || coalesce(' v' || c.prompt_version, '') AS prompt, c.latency_ms / 1000 AS seconds,
       c.ttft_ms / 1000 AS first,
       c.input_tokens::float8 AS input, c.cache_read_tokens::float8 AS cached, c.output_tokens::float8 AS output,
       c.total_cost_usd::float8 AS cost, c.status
FROM requests r JOIN analytics.llm_calls c ON c.trace_id = r.trace_id
ORDER BY c.started_at, c.observation_id LIMIT 100
""".strip()
    return Table(
        name="model_calls",
        title="Its model calls",
        description=(
            "Calls that Langfuse has for the request. Many tokens in and a late first token: the context is too long; many "
            "tokens out: the answer is; neither, and slow all the same: the provider is."
        ),
        targets=(SqlQuery(sql=text),),
        no_value="Langfuse has no call of it, or it is older than the ledger",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("Began", unit="time: HH:mm:ss.SSS", custom_width=104),
            named("Model", custom_width=178),
            named("Prompt", custom_minWidth=80, custom_wrapText=True),
            named("Type", custom_width=84),
            *(named(name, unit="s", custom_width=70) for name in ("Took", "First token")),
            *(named(name, unit="locale", decimals=0, custom_width=68) for name in ("Tokens in", "Cached", "Tokens out")),
            named("Cost", unit="currencyUSD", decimals=5, custom_width=78),
            status_column("Ended", 80),
        ),
    )


def others(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    failed = ", ".join(f"'{status}'" for status in FAILED)
    headings = {
        "time": "Began", "agent": "Agent", "version": "Version", "environment": "Environment", "intent": "Intent",
        "seconds": "Took", "status": "Ended", "error_type": "Kind of error", "trace": "Request",
    }  # fmt: skip
    text = f"""
SELECT t.started_at AS "time", a.name AS agent, t.version, t.environment, t.intent, t.latency_ms / 1000 AS seconds,
       {STATUS} AS status, t.error_type, t.trace_id AS trace
FROM {REQUESTS}
WHERE {chosen_requests()}
ORDER BY ({STATUS} IN ({failed}) OR t.latency_ms > {1000 * limit:g}) DESC, t.started_at DESC, t.trace_id LIMIT 100
""".strip()
    return Table(
        name="others",
        title="Other requests to look at",
        description=(
            f"Requests of the range that were kept as traces and that all filters let through: first those that failed or took "
            f"more than {limit:g} s, the newest first. A click on a request shows it here."
        ),
        targets=(SqlQuery(sql=text),),
        no_value="no request of the range was kept as a trace",
        transformations=columns(headings),
        overrides=(
            moment("Began"),
            *(named(name, custom_width=width) for name, width in _WIDTHS.items()),
            named("Took", unit="s", custom_width=85),
            status_column("Ended", 80),
            shortened("Request", links=[_SHOW.to_json_data()]),
        ),
        paged=True,
    )


_WIDTHS = {"Agent": 100, "Version": 85, "Environment": 120, "Intent": 130, "Kind of error": 120}
_SHOW = narrowing_link("Show this request", "one-request", "trace", "${__value.raw}", FILTERS)
