"""What the Prometheus operator reads: rules, and Alertmanager's configuration as a Secret.

One PrometheusRule holds one group of rules, as one rule file does, so none grows beyond what the operator takes. The Secret
holds no secrets: it names files, which Alertmanager reads from a Secret that the site mounts (`spec.secrets` of the
Alertmanager object, below /etc/alertmanager/secrets). Every other key of it lies beside the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from provisioning.targets.kubernetes.objects import HEADING, Maker, Object
from provisioning.targets.rules_built import rule_files
from provisioning.text import as_yaml, from_yaml

_ROUTES, _TEMPLATES = "alertmanager/alertmanager.yml", "alertmanager/templates/"
CONFIGURATION = "alertmanager.yaml"
_MOUNTED, _SECRETS = "/etc/alertmanager/config", "/etc/alertmanager/secrets"


def objects(maker: Maker, built: Mapping[str, bytes]) -> Iterator[Object]:
    kubernetes = maker.settings.targets.kubernetes
    for name, groups in rule_files(built):
        body = {"spec": {"groups": groups}}
        yield maker.make("monitoring.coreos.com/v1", "PrometheusRule", maker.name(name), body, kubernetes.labels)
    if kubernetes.alertmanager is not None:
        yield _routes(maker, kubernetes.alertmanager, built)


def _routes(maker: Maker, name: str, built: Mapping[str, bytes]) -> Object:
    configuration = _moved(from_yaml(built[_ROUTES]), f"{_SECRETS}/{maker.settings.targets.kubernetes.alertmanager_secret}")
    configuration["templates"] = [f"{_MOUNTED}/*.tmpl"]
    files = {CONFIGURATION: as_yaml(configuration, HEADING).decode()}
    for path, body in sorted(built.items()):
        if path.startswith(_TEMPLATES):
            files[PurePosixPath(path).name] = body.decode()
    return maker.make("v1", "Secret", name, {"type": "Opaque", "stringData": files})


def _moved(node: Any, folder: str) -> Any:
    """Every file that is named, in the folder where Alertmanager finds it."""
    if isinstance(node, dict):
        return {
            key: f"{folder}/{PurePosixPath(value).name}" if key.endswith("_file") else _moved(value, folder)
            for key, value in node.items()
        }
    return [_moved(item, folder) for item in node] if isinstance(node, list) else node
