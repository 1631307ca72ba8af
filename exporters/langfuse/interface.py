"""What the exporter tells about its own asking: requests, what the plan leaves, when it asks next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from contract.labels import LABELS
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.request_budget import GENERAL, METRICS
from exporters.snapshot import Sample, sample

INTERFACE_YIELDS = (
    "exporter_api_requests_total",
    "exporter_api_budget_limit",
    "exporter_api_budget_remaining",
    "exporter_api_next_poll_timestamp_seconds",
)


def interface_samples(client: LangfuseClient, next_polls: Mapping[str, float]) -> Iterator[Sample]:
    """`next_polls`: when the kinds of endpoints that are asked regularly will be asked next, in seconds since the epoch."""
    for api in (METRICS, GENERAL):
        for code in LABELS["code"].values:
            yield sample("exporter_api_requests_total", api, code, value=client.requests_by_code[api, code])
        if (limit := client.budget.limit(api)) is not None:
            yield sample("exporter_api_budget_limit", api, value=limit)
        if (remaining := client.budget.remaining(api)) is not None:
            yield sample("exporter_api_budget_remaining", api, value=remaining)
    for api, at in next_polls.items():
        yield sample("exporter_api_next_poll_timestamp_seconds", api, value=at)
