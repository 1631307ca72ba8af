"""What the exporter says of its own process is what prometheus-client says of it."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from exporters import own_process


def test_names_and_values_are_those_of_prometheus_client() -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    theirs = {item.name: item.value for family in registry.collect() for item in family.samples}
    ours = {item.metric.name: item.value for item in own_process.samples()}
    assert ours.keys() == theirs.keys()
    for name in ("process_start_time_seconds", "process_max_fds"):
        assert ours[name] == pytest.approx(theirs[name])
    for name in ("process_resident_memory_bytes", "process_virtual_memory_bytes", "process_cpu_seconds_total"):
        assert ours[name] == pytest.approx(theirs[name], rel=0.2)
    assert abs(ours["process_open_fds"] - theirs["process_open_fds"]) <= 2
