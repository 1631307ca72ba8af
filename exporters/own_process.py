"""What the exporter's process takes of its machine, under the names that all of Prometheus's clients use."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from contract.metrics import Metric, MetricType, Source
from exporters.snapshot import Sample

_PROC = Path("/proc")


def _declared(name: str, help_: str, unit: str = "") -> Metric:
    type_ = MetricType.COUNTER if name.endswith("_total") else MetricType.GAUGE
    return Metric(name, type_, (), help_, Source.EXPORTER, unit)


_CPU = _declared("process_cpu_seconds_total", "Processor time of the exporter, user and system")
_STARTED = _declared("process_start_time_seconds", "When the exporter started, in seconds since the epoch", "seconds")
_VIRTUAL = _declared("process_virtual_memory_bytes", "Address space of the exporter", "bytes")
_RESIDENT = _declared("process_resident_memory_bytes", "Memory that the exporter has in use", "bytes")
_OPEN = _declared("process_open_fds", "File descriptors that the exporter has open")
_MOST = _declared("process_max_fds", "File descriptors that the exporter may have open at most")


def samples() -> Iterator[Sample]:
    """Nothing on systems that do not tell it as Linux does."""
    try:
        fields = (_PROC / "self" / "stat").read_text().rpartition(")")[2].split()  # the name before may hold anything
        booted = float((_PROC / "stat").read_text().partition("\nbtime ")[2].split(maxsplit=1)[0])
        descriptors = len(list((_PROC / "self" / "fd").iterdir()))
    except (OSError, IndexError):
        return
    ticks = os.sysconf("SC_CLK_TCK")
    yield Sample(_CPU, (), (int(fields[11]) + int(fields[12])) / ticks)
    yield Sample(_STARTED, (), booted + int(fields[19]) / ticks)
    yield Sample(_VIRTUAL, (), float(fields[20]))
    yield Sample(_RESIDENT, (), float(int(fields[21]) * resource.getpagesize()))
    yield Sample(_OPEN, (), float(descriptors))
    yield Sample(_MOST, (), float(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
