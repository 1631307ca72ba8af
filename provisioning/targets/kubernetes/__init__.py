"""Kubernetes objects as files: rules and scraping for the Prometheus operator, dashboards for Grafana's sidecar or operator,
routes for Alertmanager, and the exporter itself.

`manifests` makes them of what `build` wrote for the servers, so that both always agree; `folder` keeps a folder of them as a
plan says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contract.settings import Settings
from provisioning.findings import InputError
from provisioning.plan.target import Target


def target(settings: Settings, built: Mapping[str, bytes]) -> Target:
    """The folder of the settings, for what `build` wrote. Raises InputError when the settings name none."""
    from provisioning.targets.kubernetes.folder import Folder

    folder = settings.targets.kubernetes.folder
    if folder is None:
        raise InputError("error: targets.kubernetes.folder names no folder for manifests")
    return Folder(settings, Path(folder), built)
