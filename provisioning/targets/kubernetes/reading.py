"""Objects as files hold them, by anybody: what each is called, whose it is, and what is compared of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from provisioning.plan.objects import Document, Key, Live
from provisioning.targets.kubernetes.objects import MANAGED_BY, Object
from provisioning.targets.kubernetes.watching import CONFIGURATION

PROMETHEUS_RULE, ALERTMANAGER_SECRET = "prometheus rule", "alertmanager secret"
KINDS = {
    "GrafanaFolder": "grafana folder",
    "GrafanaDatasource": "grafana data source",
    "ConfigMap": "config map",
    "GrafanaDashboard": "grafana dashboard",
    "PrometheusRule": PROMETHEUS_RULE,
    "Secret": ALERTMANAGER_SECRET,
    "Deployment": "deployment",
    "Service": "service",
    "ServiceMonitor": "service monitor",
    "NetworkPolicy": "network policy",
    "PodDisruptionBudget": "pod disruption budget",
}
"""What a plan calls each kind, in the order of writing. Of Secrets, only Alertmanager's configuration is read."""
_PARTS = ("data", "stringData")
_HIDDEN = "(hidden)"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Held:
    """One object of a file. `alone`: nothing else is in that file."""

    path: Path
    object: Object
    alone: bool


def key(document: Object, namespace: str) -> Key:
    """Names of objects in another namespace than ours carry it, so that they are told apart."""
    metadata = document["metadata"]
    elsewhere = metadata.get("namespace") or namespace
    name = metadata["name"] if elsewhere == namespace else f"{elsewhere}/{metadata['name']}"
    return Key(KINDS[document["kind"]], name)


def owner(document: Object) -> str:
    return str((document["metadata"].get("labels") or {}).get(MANAGED_BY, ""))


def applied(owner: str) -> str:
    """The annotation with the digest of what we wrote last."""
    return f"{owner}/applied"


def compared(document: Object, me: str) -> Document:
    """The object without the digest that we note in it; texts that hold JSON or YAML as what they say.

    Ours hold no secrets. What stands in a Secret of somebody else, or in a part of one that we never write, is not shown.
    """
    metadata = {key: value for key, value in document["metadata"].items() if key != "annotations"}
    annotations = {k: v for k, v in (document["metadata"].get("annotations") or {}).items() if k != applied(me)}
    if annotations:
        metadata["annotations"] = annotations
    found = {**document, "metadata": metadata}
    shown = document["kind"] != "Secret" or owner(document) == me
    for part in _PARTS:
        if isinstance(found.get(part), Mapping):
            plain = shown and (part == "stringData" or document["kind"] != "Secret")
            found[part] = {name: _said(name, value) if plain else _HIDDEN for name, value in found[part].items()}
    if isinstance(found.get("spec"), Mapping) and isinstance(found["spec"].get("json"), str):
        found["spec"] = {**found["spec"], "json": _said(".json", found["spec"]["json"])}
    return found


def _said(name: str, value: Any) -> Any:
    try:
        if isinstance(value, str) and name.endswith(".json"):
            return json.loads(value)
        if isinstance(value, str) and name.endswith((".yaml", ".yml")):
            return _as_json(yaml.load(value, Loader=_LOADER))  # noqa: S506  a safe loader
    except (ValueError, TypeError, RecursionError, yaml.YAMLError):
        return value
    return value


def _as_json(document: Any) -> Any:
    """What YAML says, as Kubernetes takes it: names are texts, and so are dates. Raises ValueError, TypeError or RecursionError
    for what is nothing there, such as a list within itself."""
    return json.loads(json.dumps(document, default=str))


def state_of(path: Path) -> str:
    """What a file's contents are called; empty when there is none."""
    try:
        return sha256(path.read_bytes()).hexdigest()[:16]
    except FileNotFoundError:
        return ""


def in_folder(folder: Path) -> tuple[list[Held], list[str]]:
    """Every object of the kinds above in the files of a folder, and a sentence about each file that cannot be read."""
    found: list[Held] = []
    unread = []
    for path in sorted(folder.glob("*")):
        if path.suffix in (".yaml", ".yml", ".json") and path.is_file():
            try:
                found += _objects(path)
            except (OSError, yaml.YAMLError, ValueError, TypeError, RecursionError) as problem:
                why = problem.strerror if isinstance(problem, OSError) else "it is no YAML"
                unread.append(f"{path.name} was not looked into: {why}")
    return found, unread


def _objects(path: Path) -> Iterator[Held]:
    documents = [_as_json(one) for one in yaml.load_all(path.read_bytes(), Loader=_LOADER) if one is not None]
    for one in filter(_is_object, documents):
        if one["kind"] != "Secret" or any(CONFIGURATION in (one.get(part) or {}) for part in _PARTS):
            yield Held(path, one, len(documents) == 1)


def _is_object(document: Any) -> bool:
    """Whether this is an object of the kinds above, in the form that Kubernetes takes."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return False
    named = [*(metadata.get(part) for part in ("labels", "annotations")), *(document.get(part) for part in _PARTS)]
    return str(document.get("kind")) in KINDS and all(isinstance(part, dict | None) for part in named)


def live(held: Held, namespace: str, me: str) -> Live:
    name = str(held.object["metadata"]["name"])
    document = compared(held.object, me)
    return Live(key(held.object, namespace), name, document, owner(held.object), state_of(held.path), held)
