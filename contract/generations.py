"""The generations of names that are known, and how each makes metrics of the contract.

Facts about names are those of the OpenTelemetry conventions and of the documentation of OpenLIT and LiteLLM.
"""

from __future__ import annotations

from dataclasses import dataclass

Fixed = tuple[tuple[str, str], ...]
"""Labels of the contract that a source stands for as a whole."""
Suffixes = tuple[tuple[str, str], ...]
"""Suffixes of the contract's series, each with that of the source's."""

WHOLE: Suffixes = (("_bucket", "_bucket"), ("_sum", "_sum"), ("_count", "_count"))
"""A histogram from a histogram."""
PLAIN: Suffixes = (("", ""),)
COUNTED: Suffixes = (("", "_count"),)
"""A counter of events from the count of a histogram."""
SUMMED: Suffixes = (("", "_sum"),)
AS_SUM: Suffixes = (("_sum", ""),)
"""Only the sum of a histogram, from a counter: its distribution and its count cannot be had."""


@dataclass(frozen=True)
class Relabel:
    """A label of the contract out of a label of the source.

    Without `words` the value is kept. `words` are pairs of a regular expression for the whole value and the contract's word;
    the last that matches wins.
    """

    label: str
    source: str
    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Origin:
    """A metric of the contract as a generation names it.

    `sources` are families of Prometheus, with the labels that each stands for. `scale` is what a unit of the source is in units
    of the contract; `bounds` are then the source's bucket bounds. `but` leaves out what does not belong to the metric: a label
    and a regular expression for its values.
    """

    canonical: str
    sources: tuple[tuple[str, Fixed], ...]
    suffixes: Suffixes
    labels: tuple[Relabel, ...] = ()
    scale: float = 1.0
    bounds: tuple[float, ...] = ()
    but: tuple[str, str] | None = None

    @property
    def series(self) -> tuple[tuple[str, tuple[tuple[str, Fixed], ...]], ...]:
        """The series of the contract, each with the series that it is made of."""
        return tuple(
            (self.canonical + ours, tuple((source + theirs, fixed) for source, fixed in self.sources))
            for ours, theirs in self.suffixes
        )


@dataclass(frozen=True)
class Generation:
    """A set of names. `title` says whose."""

    name: str
    title: str
    origins: tuple[Origin, ...]


def _from(
    canonical: str,
    source: str,
    suffixes: Suffixes,
    *labels: Relabel,
    scale: float = 1.0,
    bounds: tuple[float, ...] = (),
    but: tuple[str, str] | None = None,
) -> Origin:
    return Origin(canonical, ((source, ()),), suffixes, labels, scale, bounds, but)


def _by_side(name: str, *labels: Relabel) -> Origin:
    """Tokens from two counters, one for each side of the call."""
    sides = tuple((name.format(side), (("gen_ai_token_type", side),)) for side in ("input", "output"))
    return Origin("gen_ai_client_token_usage", sides, AS_SUM, labels)


_TIMEOUTS = "(?i).*(time_?out|deadline_?exceeded).*|408|504"
_CANCELLED = "(?i).*cancel.*"
_STATUS = Relabel("status", "error_type", ((".+", "error"), (_TIMEOUTS, "timeout"), (_CANCELLED, "cancelled"), ("", "success")))
_ENDED = Relabel("status", "error_type", ((".+", "failed"), ("", "success")))
_AGENT, _VERSION = Relabel("agent", "gen_ai_agent_name"), Relabel("version", "gen_ai_agent_version")
_TOOL = Relabel("tool", "gen_ai_tool_name")
_WORKFLOW = Relabel("workflow_type", "gen_ai_workflow_name")
_PROVIDER = Relabel("gen_ai_provider_name", "gen_ai_system")
"""What the provider was called before version 1.37 of the conventions. Where it is missing, the newer label stays."""

_AGENTS = Generation(
    "otel-agents",
    "OpenTelemetry's durations of agents, tools and workflows",
    (
        _from(
            "agent_query_duration_seconds", "gen_ai_invoke_agent_duration_seconds", WHOLE, _AGENT, _VERSION, _ENDED,
            but=("error_type", _CANCELLED),
        ),
        _from("agent_queries_total", "gen_ai_invoke_agent_duration_seconds", COUNTED, _AGENT, _VERSION, _STATUS),
        _from("agent_tool_call_duration_seconds", "gen_ai_execute_tool_duration_seconds", WHOLE, _TOOL),
        _from("agent_tool_calls_total", "gen_ai_execute_tool_duration_seconds", COUNTED, _TOOL, _AGENT, _STATUS),
        _from("agent_workflow_duration_seconds", "gen_ai_workflow_duration_seconds", WHOLE, _WORKFLOW),
        _from("agent_workflow_runs_total", "gen_ai_workflow_duration_seconds", COUNTED, _WORKFLOW, _STATUS),
    ),
)  # fmt: skip

_USAGE = Generation(
    "otel-usage",
    "OpenTelemetry's counters of tokens, which replace the histogram of tokens",
    (_by_side("gen_ai_client_inference_usage_{}_tokens_total"),),
)

_FIRST, _CHUNK = "gen_ai_client_operation_time_to_first_chunk_seconds", "gen_ai_client_operation_time_per_output_chunk_seconds"
_STREAM = Generation(
    "otel-server",
    "OpenTelemetry's times of a streamed answer as model servers say them",
    (
        _from(_FIRST, "gen_ai_server_time_to_first_token_seconds", WHOLE, _PROVIDER),
        _from(_CHUNK, "gen_ai_server_time_per_output_token_seconds", WHOLE, _PROVIDER),
    ),
)
_STREAM_DRAFT = Generation(
    "otel-client-draft",
    "an older name of the time to the first chunk",
    (_from(_FIRST, "gen_ai_client_time_to_first_token_seconds", WHOLE, _PROVIDER),),
)

_COST = Generation(
    "openlit",
    "cost as OpenLIT names it",
    (_from("gen_ai_usage_cost_usd_total", "gen_ai_usage_cost_USD", SUMMED, _PROVIDER, _AGENT),),
)

_MODEL = Relabel("gen_ai_request_model", "model")
_LITELLM = Generation(
    "litellm",
    "model calls as the LiteLLM proxy counts them",
    (
        _from("gen_ai_usage_cost_usd_total", "litellm_spend_metric_total", PLAIN, _MODEL),
        _by_side("litellm_{}_tokens_metric_total", _MODEL),
        _from("gen_ai_client_operation_duration_seconds", "litellm_llm_api_latency_metric", WHOLE, _MODEL),
        _from(_FIRST, "litellm_llm_api_time_to_first_token_metric", WHOLE, _MODEL),
    ),
)

_METHOD, _HANDLER = Relabel("method", "http_request_method"), Relabel("handler", "http_route")
_HTTP = Generation(
    "otel-http",
    "OpenTelemetry's HTTP server",
    (
        _from("http_request_duration_seconds", "http_server_request_duration_seconds", WHOLE, _METHOD, _HANDLER),
        _from(
            "http_requests_total", "http_server_request_duration_seconds", COUNTED, _METHOD, _HANDLER,
            Relabel("status", "http_response_status_code"),
        ),
        _from("http_requests_in_progress", "http_server_active_requests", PLAIN, _METHOD, _HANDLER),
    ),
)  # fmt: skip

_OLD_METHOD = Relabel("method", "http_method")
_MILLISECONDS = (0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0)
"""The bounds of OpenTelemetry's histograms where nobody chose others."""
_OLD_HTTP = Generation(
    "otel-http-milliseconds",
    "OpenTelemetry's HTTP server before version 1.23 of the conventions",
    (
        _from(
            "http_request_duration_seconds", "http_server_duration_milliseconds", WHOLE, _OLD_METHOD, _HANDLER,
            scale=0.001, bounds=_MILLISECONDS,
        ),
        _from(
            "http_requests_total", "http_server_duration_milliseconds", COUNTED, _OLD_METHOD, _HANDLER,
            Relabel("status", "http_status_code"),
        ),
    ),
)  # fmt: skip

_USED = (("used", "active"), ("idle", "idle"))
_POOL = Relabel("pool", "db_client_connection_pool_name")
_DB = Generation(
    "otel-db",
    "OpenTelemetry's database client",
    (
        _from(
            "db_query_duration_seconds", "db_client_operation_duration_seconds", WHOLE,
            Relabel("operation", "db_operation_name"),
        ),
        _from(
            "db_pool_connections", "db_client_connection_count", PLAIN, _POOL,
            Relabel("state", "db_client_connection_state", _USED),
        ),
        _from("db_pool_connections_max", "db_client_connection_max", PLAIN, _POOL),
        _from("db_pool_pending_requests", "db_client_connection_pending_requests", PLAIN, _POOL),
    ),
)  # fmt: skip

_OLD_POOL = Relabel("pool", "pool_name")
_OLD_DB = Generation(
    "otel-db-pool-name",
    "OpenTelemetry's connection pools before version 1.26 of the conventions",
    (
        _from("db_pool_connections", "db_client_connections_usage", PLAIN, _OLD_POOL, Relabel("state", "state", _USED)),
        _from("db_pool_connections_max", "db_client_connections_max", PLAIN, _OLD_POOL),
        _from("db_pool_pending_requests", "db_client_connections_pending_requests", PLAIN, _OLD_POOL),
    ),
)

GENERATIONS = (_AGENTS, _USAGE, _STREAM, _STREAM_DRAFT, _COST, _LITELLM, _HTTP, _OLD_HTTP, _DB, _OLD_DB)
