"""What services complain of: the logs of a local stack, and what the exporter says of its own queries."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from provisioning.doctor.asker import Asker
from provisioning.doctor.prometheus import QueryError
from provisioning.findings import Finding, Unreachable, warning

_CHECK = "doctor/logs"
_TAIL_BYTES = 1 << 18
_LONGEST = 300
_COMPLAINT = re.compile(r"level=error|\bERROR\b|\bCRITICAL\b|\bFATAL\b|^Traceback ")


def troubles(asker: Asker, folder: Path | None) -> Iterator[Finding]:
    """Warnings only: an error in a log may long be over."""
    if folder is not None:
        for file in sorted(folder.glob("*.log")):
            yield from _of_file(file)
    if "Prometheus" not in asker.down:
        yield from _of_queries(asker)


def _of_file(file: Path) -> Iterator[Finding]:
    with file.open("rb") as text:
        text.seek(max(0, file.stat().st_size - _TAIL_BYTES))
        lines = text.read().decode(errors="replace").splitlines()
    complaints = [line.strip() for line in lines if _COMPLAINT.search(line)]
    if complaints:
        yield warning(
            str(file),
            f"{len(complaints)} errors among its last {len(lines)} lines, the last: {complaints[-1][:_LONGEST]}",
            f"read what came before: less +G {file}",
            _CHECK,
        )


def _of_queries(asker: Asker) -> Iterator[Finding]:
    try:
        failing = asker.prometheus.instant("max by (source, query) (exporter_query_success) == 0", time.time())
    except (Unreachable, QueryError):
        return
    for series in failing:
        labels = series["metric"]
        yield warning(
            f"exporter, source {labels.get('source', '')}",
            f"its query {labels.get('query', '')} failed the last time",
            "the exporter's log says why: lines with level=error",
            _CHECK,
        )
