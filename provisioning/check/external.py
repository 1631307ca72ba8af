"""What Prometheus' and Alertmanager's own tools say of the built files, where they are installed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from contract.catalogue import of_source
from contract.metrics import Metric, MetricType, Source
from provisioning import tools
from provisioning.check.programs import Program, laid_out
from provisioning.check.scenarios import TESTS
from provisioning.findings import Finding, error, warning

_KEEP_FIRING = re.compile(rb"^\s*keep_firing_for:", re.M)
_KEEP_FIRING_SINCE = (2, 42)
TOO_OLD, METRICS = "tools/too-old", "tools/metrics"
_RIGHT = {
    "platform_kb_searches_total": "kb is a knowledge base, not a kilobyte",
    "platform_kb_search_duration_seconds": "the same",
    "langfuse_score_sum": "the sum of scores of a window, which falls as well, and is divided by langfuse_scores",
}
"""Names that are objected to, and why they stay."""
_READ = ("prometheus/", "alertmanager/")


def external_findings(artefacts: Mapping[str, bytes]) -> Iterator[Finding]:
    """Findings of promtool and amtool; none from a tool that is not there. Scenarios are proved in `scenarios`."""
    promtool, amtool = Program.found("promtool"), Program.found("amtool")
    with tempfile.TemporaryDirectory(prefix="observatory-check-") as name:
        folder = Path(name)
        read = {path: body for path, body in artefacts.items() if path.startswith(_READ) and not path.startswith(TESTS)}
        laid_out(read, folder)
        if promtool:
            yield from _too_old(artefacts, promtool)
            if "prometheus/prometheus.yml" in artefacts:
                lint = ["check", "config", "--lint=all", "--lint-fatal", "prometheus/prometheus.yml"]
                yield from promtool.findings(lint, folder)
            yield from _metric_names(promtool, folder)
        if amtool and "alertmanager/alertmanager.yml" in artefacts:
            yield from amtool.findings(["check-config", "alertmanager/alertmanager.yml"], folder)


def missing_tools() -> list[str]:
    """What was not run, and how to get it."""
    return [tools.how_to_get(name) for name in ("promtool", "amtool") if Program.found(name) is None]


def _too_old(artefacts: Mapping[str, bytes], promtool: Program) -> Iterator[Finding]:
    """`keep_firing_for` came with Prometheus 2.42; an older one refuses the whole file."""
    if (0, 0) < promtool.release < _KEEP_FIRING_SINCE:
        here = ".".join(map(str, promtool.release))
        for path, body in artefacts.items():
            if path.startswith("prometheus/rules/") and _KEEP_FIRING.search(body):
                yield error(path, f"keep_firing_for needs Prometheus 2.42, and this is {here}", "a newer Prometheus", TOO_OLD)


def _metric_names(promtool: Program, folder: Path) -> Iterator[Finding]:
    """What is said of each metric, but where a name is right that only looks like an abbreviation."""
    for found in promtool.findings(["check", "metrics"], folder, _exposition()):
        for line in found.message.splitlines():
            name, _, said = line.partition(" ")
            if name not in _RIGHT:
                yield warning(f"metric {name}", said, "base units; _total for counters and _sum for histograms only", METRICS)


def _exposition() -> bytes:
    """A page with one sample of each metric of our own exporter, named as the contract names it."""
    return "".join(_sample(metric) for metric in of_source(Source.POSTGRES, Source.LANGFUSE, Source.EXPORTER)).encode()


def _sample(metric: Metric) -> str:
    head = f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.type}\n"
    if metric.type is not MetricType.HISTOGRAM:
        return f"{head}{metric.name} 1\n"
    return f'{head}{metric.name}_bucket{{le="+Inf"}} 1\n{metric.name}_sum 1\n{metric.name}_count 1\n'
