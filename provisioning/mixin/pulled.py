"""Mixins of others as artefacts of a build: their dashboards in a folder of their name, their rules in files of their name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from contract.mixins import Mixin
from contract.settings import Settings
from provisioning.configuration import jsonnet
from provisioning.findings import ConfigError, Finding, error
from provisioning.mixin import shapes
from provisioning.text import as_json, as_yaml

_HEADING = "Written by `observatory build` from a mixin. Change the mixin, or its entry in observatory.yaml, instead."
_RULES = "prometheus/rules/mixin-"
_DASHBOARDS = "grafana/dashboards/"
_UID = re.compile(r"[^A-Za-z0-9_-]+")
_MOST_OF_UID = 40
_KINDS = {"prometheusRules": "rules", "prometheusAlerts": "alerts"}


def dashboards(settings: Settings) -> dict[str, bytes]:
    """The dashboards of all mixins by path in the build. Raises ConfigError when one cannot be evaluated, or is none."""
    found: dict[str, bytes] = {}
    wrong: list[Finding] = []
    for mixin in settings.mixins:
        for name, board in _evaluated(mixin, ("grafanaDashboards",))["grafanaDashboards"].items():
            place, path = f"{_place(mixin)}, dashboard {name}", f"{_DASHBOARDS}{mixin.name}/{_file_of(name)}.json"
            wrong += shapes.of_dashboard(place, board)
            if path in found:
                wrong.append(error(place, f"another one has the file {path} already", "other letters or digits"))
            if not wrong:
                found[path] = as_json(_identified(mixin, name, board))
    if wrong:
        raise ConfigError(wrong)
    return found


def rules(settings: Settings) -> dict[str, bytes]:
    """The rule files of all mixins by path in the build. Raises ConfigError when one cannot be evaluated, or is none."""
    found: dict[str, bytes] = {}
    wrong: list[Finding] = []
    for mixin in settings.mixins:
        for field, document in _evaluated(mixin, tuple(_KINDS)).items():
            groups = document.get("groups", []) if isinstance(document, dict) else None
            wrong += shapes.of_groups(f"{_place(mixin)}, {field}", groups)
            if groups and not wrong:
                found[f"{_RULES}{mixin.name}-{_KINDS[field]}.yml"] = as_yaml({"groups": groups}, _HEADING)
    if wrong:
        raise ConfigError(wrong)
    return found


def of(path: str, settings: Settings) -> str:
    """The mixin that a file of a build comes from; empty for our own."""
    for mixin in settings.mixins:
        rule_files = {f"{_RULES}{mixin.name}-{kind}.yml" for kind in _KINDS.values()}
        if path in rule_files or path.startswith(f"{_DASHBOARDS}{mixin.name}/"):
            return mixin.name
    return ""


def without(artefacts: Mapping[str, bytes], settings: Settings) -> dict[str, bytes]:
    """The files of a build that are our own."""
    return {path: body for path, body in artefacts.items() if not of(path, settings)}


def _evaluated(mixin: Mixin, fields: tuple[str, ...]) -> dict[str, Any]:
    """Fields of the library; those that it does not have are empty."""
    library = Path(mixin.library)
    if not library.is_file():
        raise ConfigError([error(_place(mixin, "library"), f"there is no file {library}", "name the .libsonnet of the mixin")])
    for folder in mixin.vendor:
        if not Path(folder).is_dir():
            raise ConfigError(
                [error(_place(mixin, "vendor"), f"there is no folder {folder}", "name the folders it imports from")]
            )
    wanted = ", ".join(f"{field}: if std.objectHasAll(mixin, '{field}') then mixin.{field} else {{}}" for field in fields)
    text = (
        f"local library = import {json.dumps(str(library.absolute()))};\n"
        f"local mixin = if std.isObject(library) then library + {{ _config+:: {_laid_over(mixin.config)} }}"
        " else error 'the library is no object';\n"
        f"{{ {wanted} }}\n"
    )
    vendor = [Path(folder) for folder in mixin.vendor]
    within = [library.parent, *vendor]
    found = jsonnet.evaluate(_place(mixin), text, within=within, vendor=vendor, bounds=jsonnet.MIXIN).value
    if not isinstance(found.get("grafanaDashboards", {}), dict):
        raise ConfigError([error(_place(mixin), "grafanaDashboards holds no dashboards by name", "{ 'name.json': { … } }")])
    return dict(found)


def _laid_over(config: Mapping[str, Any]) -> str:
    """Overrides as Jsonnet: sections are laid over those of the library key by key, everything else replaces."""
    parts = [
        f"{json.dumps(key)}+: {_laid_over(value)}" if isinstance(value, dict) else f"{json.dumps(key)}: {json.dumps(value)}"
        for key, value in config.items()
    ]
    return "{ " + ", ".join(parts) + " }"


def _identified(mixin: Mixin, name: str, board: Mapping[str, Any]) -> dict[str, Any]:
    """A dashboard with a uid for life: its own, or one made of its name; and without the number of some other Grafana."""
    uid = str(board.get("uid") or _UID.sub("-", f"{mixin.name}-{PurePosixPath(name).stem}"))
    if not board.get("uid") and len(uid) > _MOST_OF_UID:
        uid = f"{uid[: _MOST_OF_UID - 9]}-{hashlib.sha256(uid.encode()).hexdigest()[:8]}"
    return {**{key: value for key, value in board.items() if key not in ("id", "version")}, "uid": uid}


def _file_of(name: str) -> str:
    """A dashboard's file without its ending; folders within a name become part of it."""
    return _UID.sub("-", name.removesuffix(".json")).strip("-") or "dashboard"


def _place(mixin: Mixin, key: str = "") -> str:
    return f"mixins.{mixin.name}" + (f".{key}" if key else "")
