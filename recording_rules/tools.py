"""Recorded rates of what agents call: tools, external interfaces, workflows. Alerts look at a quarter of an hour of them."""

from __future__ import annotations

from contract.signals.tools import (
    API_ERROR_RATIO,
    API_LATENCY,
    API_REQUESTS,
    TOOL_CALLS,
    TOOL_ERROR_RATIO,
    TOOL_LATENCY,
    WORKFLOW_ERROR_RATIO,
    WORKFLOW_LATENCY,
    WORKFLOW_RUNS,
)
from recording_rules.model import Group, RecordedRate, RecordedSignal

_TOOL, _API, _WORKFLOW = "call_duration_seconds", "external_api_duration_seconds", "workflow_duration_seconds"

GROUPS = (
    Group(
        "tool_rates", "15s",
        (
            RecordedRate(TOOL_CALLS.leaf, "calls", ("tool",), "5m"),
            RecordedRate(TOOL_CALLS.leaf, "calls", ("tool", "status"), "5m"),
        ),
        level=0,
    ),
    Group("tool_figures", "30s", (RecordedSignal(TOOL_ERROR_RATIO, "errors", ("tool",), "5m"),), level=1),
    Group(
        "tool_quarter_rates", "1m",
        (
            RecordedRate(TOOL_CALLS.leaf, "calls", ("tool", "status"), "15m"),
            RecordedRate(TOOL_LATENCY.leaf, f"{_TOOL}_bucket", ("tool", "le"), "15m"),
            RecordedRate(API_REQUESTS.leaf, "external_api_requests", ("api", "status"), "15m"),
            RecordedRate(API_LATENCY.leaf, f"{_API}_bucket", ("api", "le"), "15m"),
        ),
        level=0,
    ),
    Group(
        "tool_quarter_figures", "1m",
        (
            RecordedSignal(TOOL_ERROR_RATIO, "errors", ("tool",), "15m"),
            RecordedSignal(TOOL_LATENCY, _TOOL, ("tool",), "15m"),
            RecordedSignal(API_ERROR_RATIO, "external_api_errors", ("api",), "15m"),
            RecordedSignal(API_LATENCY, _API, ("api",), "15m"),
        ),
        level=1,
    ),
    Group(
        "workflow_rates", "1m",
        (
            RecordedRate(WORKFLOW_RUNS.leaf, "workflows", ("workflow_type", "status"), "1h"),
            RecordedRate(WORKFLOW_LATENCY.leaf, f"{_WORKFLOW}_bucket", ("workflow_type", "le"), "1h"),
        ),
        level=0,
    ),
    Group(
        "workflow_figures", "1m",
        (
            RecordedSignal(WORKFLOW_ERROR_RATIO, "workflow_errors", ("workflow_type",), "1h"),
            RecordedSignal(WORKFLOW_LATENCY, _WORKFLOW, ("workflow_type",), "1h"),
        ),
        level=1,
    ),
)  # fmt: skip
