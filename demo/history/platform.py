"""The past of the platform's own series: the living platform, run through the days at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from demo.history.samples import Column, Table
from demo.platform.expected import BUSINESS_ENVIRONMENT, QUERY_HANDLER
from demo.platform.metrics import PlatformMetrics
from demo.platform.registry import Number, Registry, Series
from demo.platform.traffic import FLOWS

JOB = "platform"
MOST_SERIES = 1000
"""Series in the past at one time; the others are there in its last hour, so that no panel waits for the platform to live."""
LAST_SECONDS = 3600

EVERYWHERE = frozenset({
    "http_requests_total", "http_requests_in_progress", "agent_queries_total", "agent_queries_in_progress",
    "agent_conversations_active", "agent_sessions_active", "agent_build_info", "agent_deployment_timestamp_seconds",
})  # fmt: skip
"""Metrics that have a past in every environment."""

PRODUCTION = EVERYWHERE | {
    "http_request_duration_seconds", "agent_query_duration_seconds", "agent_errors_total", "gen_ai_usage_cost_usd_total",
    "agent_phase_duration_seconds", "agent_dependency_duration_seconds",
    "gen_ai_client_inference_usage_input_tokens_total", "gen_ai_client_inference_usage_output_tokens_total",
    "tickets_created_total", "tickets_resolved_total", "kb_searches_total", "kb_search_duration_seconds", "kb_search_results",
    "kb_document_uploads_total",
    "auth_login_attempts_total", "auth_sessions_active",
}  # fmt: skip

_SUMMED = frozenset({"agent_phase_duration_seconds", "agent_dependency_duration_seconds"})
"""Histograms of which the past has the sums and counts alone: means over time need no more."""
_BUSY_SHARE = 0.05
_BUSY_HANDLERS = {flow.labels[1] for flow in FLOWS if flow.gauge and flow.weight >= _BUSY_SHARE} | {QUERY_HANDLER}


def has_past(environment: str, name: str, series: Series) -> bool:
    """Whether a series of the metric `name` is written into the past: see MOST_SERIES."""
    if name not in (PRODUCTION if environment == BUSINESS_ENVIRONMENT else EVERYWHERE):
        return False
    if name in _SUMMED:
        return not series.name.endswith("_bucket")
    return name != "http_request_duration_seconds" or dict(series.labels)["handler"] in _BUSY_HANDLERS


class Recorder:
    """Advances the platform through a span of time and keeps what its scrapes would have shown."""

    def __init__(self, metrics: PlatformMetrics, instance: str, whole_from: float, keeps: Callable[[str], bool]) -> None:
        """From `whole_from` on (seconds since the epoch) every series is kept, before only those that have a past.

        `keeps` is asked with the name of each, whether it is wanted at all.
        """
        self.metrics = metrics
        self._instance = instance
        self._whole_from = whole_from
        self._keeps = keeps

    def table(self, times: Sequence[int]) -> Table:
        """The samples at `times`, which must rise; the platform is at the last of them afterwards."""
        rows: dict[str, list[list[Number]]] = {environment: [] for environment in self.metrics.registries}
        for at in times:
            self.metrics.advance(at)
            for environment, held in rows.items():
                held.append(self.metrics.values(environment))
        columns: list[Column] = []
        for environment, registry in self.metrics.registries.items():
            columns += self._columns(environment, registry, rows[environment], sum(at < self._whole_from for at in times))
        return Table(times, columns)

    def _columns(self, environment: str, registry: Registry, rows: list[list[Number]], partial: int) -> list[Column]:
        """The series of one environment; in the first `partial` rows only those that have a past."""
        target = (("environment", environment), ("instance", self._instance), ("job", JOB))
        lengths = [len(row) for row in rows]
        found = []
        for (name, _), first, end in registry.spans():
            for place in range(first, end):
                series = registry.series[place]
                if not self._keeps(series.name):
                    continue
                # Rows only grow: a series that is new within the block is missing from the earlier ones.
                born = 0 if lengths[0] > place else next(n for n, length in enumerate(lengths) if length > place)
                if not has_past(environment, name, series):
                    born = max(born, partial)
                if born < len(rows):
                    found.append(Column(series.name, (*series.labels, *target), [row[place] for row in rows[born:]]))
        return found
