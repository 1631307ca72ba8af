"""Folders, permissions, data sources and dashboards of one Grafana, over its HTTP interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from alert_rules import rules
from contract.settings import Settings
from provisioning import build, servers
from provisioning.findings import InputError
from provisioning.plan.objects import Wanted
from provisioning.targets.grafana import alert_groups, dashboards, data_sources, folders, permissions
from provisioning.targets.grafana.client import connected
from provisioning.targets.grafana.kind import Json
from provisioning.targets.grafana.target import KINDS, GrafanaTarget

__all__ = ["GrafanaTarget", "target"]

_HOME = "Administration"
_PERSONAL = "Personal"


def target(settings: Settings) -> GrafanaTarget:
    """The Grafana of the settings, and what they want there. Raises InputError when there is no token."""
    contents, owner = settings.grafana, settings.plan.owner
    if contents.alerts and (settings.targets.prometheus.folder or settings.targets.mimir.url):
        other = "targets.prometheus.folder" if settings.targets.prometheus.folder else "targets.mimir.url"
        raise InputError(f"error: grafana.alerts: the alerts go to {other} as well, and people would be told twice")
    home = folders.uid(owner, _HOME)
    chosen = {
        data_sources.KIND: contents.data_sources,
        permissions.KIND: contents.permissions,
        alert_groups.KIND: contents.alerts,
    }
    kinds = [kind for kind in KINDS if chosen.get(kind, True)]
    wanted, unverified = tuple(_wanted(settings)), tuple(_unverified(settings))
    return GrafanaTarget(connected(settings), owner, wanted, home, kinds, unverified)


def _wanted(settings: Settings) -> Iterator[Wanted]:
    owner, access = settings.plan.owner, settings.grafana.folders
    built = {path: json.loads(body) for path, body in build.dashboards(settings).items()}
    boards = {path: board for path, board in built.items() if _folder(path) != _PERSONAL}
    titles = sorted({_HOME, *map(_folder, boards)})
    yield from (folders.wanted(owner, title) for title in titles)
    rights = {"Business": access.business, _HOME: access.administration}
    yield from (permissions.wanted(owner, title, rights.get(title, access.mixins)) for title in titles)
    yield from map(data_sources.wanted, _sources(settings))
    for path, board in boards.items():
        yield dashboards.wanted(board, folders.uid(owner, _folder(path)), owner, settings.grafana.editable)
    if settings.grafana.alerts:
        for group in rules.rule_groups(settings):
            yield alert_groups.wanted(group, folders.uid(owner, _HOME), settings.sources.prometheus.uid, owner)


def _sources(settings: Settings) -> Iterator[Json]:
    """The data sources that are everybody's, as the files define them."""
    for definition in servers.datasources(settings)["datasources"]:
        if definition["uid"] == servers.ALERTMANAGER_UID:
            options = {**definition["jsonData"], "handleGrafanaManagedAlerts": settings.grafana.alerts}
            yield {**definition, "jsonData": options}
        elif "orgId" not in definition:
            yield definition


def _folder(path: str) -> str:
    return PurePosixPath(path).parts[2]


def _unverified(settings: Settings) -> Iterator[str]:
    if settings.grafana.data_sources:
        for definition in _sources(settings):
            if definition.get("secureJsonData"):
                yield f"the password of data source {definition['name']}: Grafana does not give it back, so it is not compared"
    if not settings.grafana.permissions:
        yield "who may see the folders: Grafana shows a new one to everybody, the folder Administration too"
    if settings.grafana.alerts:
        yield "where Grafana sends its alerts: choose our Alertmanager there, under Alerting, Settings"
    if settings.my_usage:
        yield (
            f"the dashboards of {len(settings.my_usage)} persons: each has an organisation of its own, and a token is of one; "
            "they come from the files of `observatory build`"
        )
