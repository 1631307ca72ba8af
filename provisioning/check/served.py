"""What the configuration of servers means for checks, and whether what is built fits into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.boards import Board
from provisioning.check import limits
from provisioning.check.lint.model import shown
from provisioning.findings import Finding, error
from provisioning.text import from_yaml

_PROVIDERS = "grafana/provisioning/dashboards/"
_LONGEST_SCRAPE = timedelta(minutes=5)
"""As long as Prometheus takes a sample for current."""


def external_labels(artefacts: Mapping[str, bytes]) -> frozenset[str]:
    """The labels that Prometheus adds to everything it sends elsewhere."""
    configuration = from_yaml(artefacts.get("prometheus/prometheus.yml", b"")) or {}
    return frozenset(configuration.get("global", {}).get("external_labels") or ())


def saved_in_browser(artefacts: Mapping[str, bytes]) -> bool:
    """Whether Grafana saves what a person has changed of a provisioned dashboard."""
    files = (from_yaml(body) for path, body in artefacts.items() if path.startswith(_PROVIDERS))
    return any(provider.get("allowUiUpdates") for file in files for provider in file.get("providers", []))


def size_findings(
    artefacts: Mapping[str, bytes], boards: Iterable[Board], groups: Iterable[Mapping[str, Any]], settings: Settings
) -> Iterator[Finding]:
    """What Grafana, Prometheus and, where the site has one, Mimir would not take."""
    scrape = timedelta(seconds=duration_seconds(settings.sources.prometheus.scrape_interval))
    if scrape > _LONGEST_SCRAPE:
        found = f"{shown(scrape)}, and a sample counts for {shown(_LONGEST_SCRAPE)}"
        yield error("sources.prometheus.scrape_interval", found, "2m or less", "settings/scrape-interval")
    for board in boards:
        yield from limits.DASHBOARD_TITLE.exceeded(board.place, len(str(board.model.get("title", ""))))
        yield from limits.DASHBOARD_BODY.exceeded(board.place, len(artefacts[board.path]))
    if settings.targets.mimir.url:
        sizes = [(str(group.get("name")), len(group.get("rules", []))) for group in groups]
        yield from limits.mimir_groups(sizes, settings.targets.mimir.rules_per_group, settings.targets.mimir.groups)
