"""Dashboards, folders and data sources, for Grafana's sidecar (ConfigMaps) or the Grafana operator (resources of its own).

The boards of single persons are left out: each belongs to an organisation of its own, which neither of the two knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from contract.settings import Settings
from provisioning import servers
from provisioning.secrets import ADMINISTRATION_PASSWORD_VARIABLE, PANEL_PASSWORD_VARIABLE
from provisioning.targets.grafana.folders import uid as folder_uid
from provisioning.targets.kubernetes.objects import HEADING, Maker, Object
from provisioning.text import as_yaml

_BOARDS = "grafana/dashboards/"
_OPERATOR = "grafana.integreatly.org/v1beta1"
_PASSWORD_KEY, _ADMINISTRATION_KEY = "postgres_password", "postgres_administration_password"


def objects(maker: Maker, built: Mapping[str, bytes]) -> Iterator[Object]:
    boards = list(_boards(built))
    if maker.settings.targets.kubernetes.grafana == "sidecar":
        yield from _for_sidecar(maker, boards)
    elif maker.settings.targets.kubernetes.grafana == "operator":
        yield from _for_operator(maker, boards)


def _boards(built: Mapping[str, bytes]) -> Iterator[tuple[str, str, str]]:
    """Folder, uid and text of every dashboard for everybody."""
    for path, body in sorted(built.items()):
        parts = PurePosixPath(path).relative_to(_BOARDS).parts if path.startswith(_BOARDS) else ()
        if len(parts) == 2:
            yield parts[0], PurePosixPath(parts[1]).stem, body.decode()


def _for_sidecar(maker: Maker, boards: list[tuple[str, str, str]]) -> Iterator[Object]:
    """Each board in a ConfigMap of its own. The sidecar puts all files into one folder, so their names carry the uid."""
    kubernetes = maker.settings.targets.kubernetes
    for folder, uid, text in boards:
        body = {"data": {f"{uid}.json": text}}
        labels = {kubernetes.dashboard_label: "1"}
        name = maker.name("dashboard", uid)
        yield maker.make("v1", "ConfigMap", name, body, labels, {kubernetes.folder_annotation: folder})
    sources = as_yaml({"apiVersion": 1, "datasources": _sources(maker.settings)}, HEADING).decode()
    body = {"data": {f"{maker.owner}.yaml": sources}}
    yield maker.make("v1", "ConfigMap", maker.name("datasources"), body, {kubernetes.datasource_label: "1"})


def _for_operator(maker: Maker, boards: list[tuple[str, str, str]]) -> Iterator[Object]:
    kubernetes = maker.settings.targets.kubernetes
    common: Object = {"instanceSelector": {"matchLabels": dict(kubernetes.instance_labels)}}
    for folder in sorted({folder for folder, _, _ in boards}):
        spec = {**common, "title": folder, "uid": folder_uid(maker.owner, folder)}
        yield maker.make(_OPERATOR, "GrafanaFolder", maker.name("folder", folder), {"spec": spec})
    for source in _sources(maker.settings):
        spec = {**common, "datasource": {key: value for key, value in source.items() if key != "secureJsonData"}}
        if "secureJsonData" in source:
            # the operator puts the value of the Secret's key where its name stands
            key = _ADMINISTRATION_KEY if _is_administrations(source, maker.settings) else _PASSWORD_KEY
            spec["datasource"]["secureJsonData"] = {"password": f"${{{key}}}"}
            reference = {"name": kubernetes.grafana_secret, "key": key}
            spec["valuesFrom"] = [{"targetPath": "secureJsonData.password", "valueFrom": {"secretKeyRef": reference}}]
        yield maker.make(_OPERATOR, "GrafanaDatasource", maker.name("datasource", source["uid"]), {"spec": spec})
    for folder, uid, text in boards:
        spec = {**common, "folderRef": maker.name("folder", folder), "json": text}
        yield maker.make(_OPERATOR, "GrafanaDashboard", maker.name("dashboard", uid), {"spec": spec})


def _sources(settings: Settings) -> list[dict[str, Any]]:
    """Everybody's data sources. In a cluster, Grafana has the passwords from its environment."""
    found = [dict(source) for source in servers.datasources(settings)["datasources"] if "orgId" not in source]
    for source in found:
        if "secureJsonData" in source:
            own = _is_administrations(source, settings)
            variable = ADMINISTRATION_PASSWORD_VARIABLE if own else PANEL_PASSWORD_VARIABLE
            source["secureJsonData"] = {"password": f"$__env{{{variable}}}"}
    return found


def _is_administrations(source: Mapping[str, Any], settings: Settings) -> bool:
    own = settings.sources.postgres.administration
    return own is not None and source["uid"] == own.uid
