"""What commonly stands in the way, each with its cause and its remedy: a step before asking what a panel has.

An error keeps something from working; a warning says what is done without. One module a kind of trouble; packages and paths are
`provisioning.installed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contract.settings import Settings
from provisioning.doctor.answers import SourceHealth
from provisioning.doctor.asker import Asker
from provisioning.doctor.troubles import connections, dashboards, endpoints, environment, logs, tables
from provisioning.findings import Finding
from provisioning.installed import troubles as of_packages


def found(settings: Settings, asker: Asker, sources: Sequence[SourceHealth], log_folder: Path | None) -> tuple[Finding, ...]:
    """All troubles, in the order in which they are best mended. `log_folder` is where the services of a local stack write."""
    return (
        *of_packages(),
        *environment.troubles(settings),
        *connections.troubles(sources),
        *tables.troubles(settings, asker),
        *endpoints.troubles(settings),
        *dashboards.troubles(settings),
        *logs.troubles(asker, log_folder),
    )
