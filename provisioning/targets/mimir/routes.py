"""The configuration of a tenant's Alertmanager: sent with its secrets, and compared without them.

Mimir refuses files in it, so what a file holds is put in its place when the configuration is sent, and never before. Mimir
keeps the text as it is sent; its first line says whose it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from exporters import credentials
from provisioning.plan.objects import Document, Key, Live, Wanted, digest
from provisioning.plan.target import Refused
from provisioning.text import as_yaml, from_yaml

KIND = "alertmanager configuration"
_ROUTES, _TEMPLATES = "alertmanager/alertmanager.yml", "alertmanager/templates/"
_HIDDEN = "(hidden)"
_SECRET = re.compile(r"(password|secret|token|credentials|_key|api_url|webhook_url)$")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def wanted(built: Mapping[str, bytes], tenant: str) -> Wanted:
    """The payload is the configuration that still names files, and the templates."""
    templates = {PurePosixPath(path).name: body.decode() for path, body in built.items() if path.startswith(_TEMPLATES)}
    configuration = from_yaml(built[_ROUTES])
    configuration["templates"] = sorted(templates)
    document = {"alertmanager_config": _masked(_renamed(configuration)), "template_files": templates}
    return Wanted(Key(KIND, tenant), f"Alertmanager of {tenant}", document, (configuration, templates))


def sent(wanted: Wanted, owner: str) -> tuple[str, tuple[str, ...]]:
    """The text that Mimir is sent, and the secrets in it. Raises Refused when one cannot be read."""
    secrets: list[str] = []

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key.removesuffix("_file") if key.endswith("_file") else key: (
                    read(value) if key.endswith("_file") else filled(value)
                )
                for key, value in node.items()
            }
        return [filled(item) for item in node] if isinstance(node, list) else node

    def read(path: str) -> str:
        try:
            secrets.append(credentials.secret_in(Path(path)))
        except credentials.CredentialError as problem:
            raise Refused(f"a secret of the configuration for Alertmanager cannot be read: {problem}") from None
        return secrets[-1]

    configuration, templates = wanted.payload
    body = {"template_files": templates, "alertmanager_config": as_yaml(filled(configuration), mark(owner)).decode()}
    return yaml.safe_dump(body, allow_unicode=True), tuple(secrets)


def live(answer: str, tenant: str) -> Live:
    """What Mimir has. Raises ValueError when that is no configuration."""
    found = _read(answer)
    if not isinstance(found, dict) or not isinstance(found.get("alertmanager_config"), str):
        raise ValueError("no configuration of an Alertmanager")
    text = found["alertmanager_config"]
    document = {"alertmanager_config": _masked(_read(text)), "template_files": found.get("template_files") or {}}
    owner = re.match(r"# Managed by (\S+)\.", text)
    key, title = Key(KIND, tenant), f"Alertmanager of {tenant}"
    return Live(key, title, document, owner[1] if owner else "", digest(found), found)


def _read(text: str) -> Any:
    """YAML as JSON has it: names and dates are texts. Raises ValueError for what is none."""
    try:
        return json.loads(json.dumps(yaml.load(text, Loader=_Loader), default=str))  # noqa: S506  a safe loader
    except (yaml.YAMLError, TypeError, RecursionError):
        raise ValueError("no YAML") from None


def marked(raw: Mapping[str, Any], owner: str) -> str:
    """The same configuration with the owner's first line, or without one."""
    text = re.sub(r"\A# Managed by .*\n", "", raw["alertmanager_config"])
    return yaml.safe_dump({**raw, "alertmanager_config": f"# {mark(owner)}\n{text}" if owner else text}, allow_unicode=True)


def mark(owner: str) -> str:
    return f"Managed by {owner}. Change the code or observatory.yaml instead."


def _renamed(node: Any) -> Any:
    """With the names of the keys as they are sent."""
    if isinstance(node, dict):
        return {key.removesuffix("_file"): _HIDDEN if key.endswith("_file") else _renamed(value) for key, value in node.items()}
    return [_renamed(item) for item in node] if isinstance(node, list) else node


def _masked(node: Any, inside: str = "") -> Document:
    """Without secrets; the address of a webhook may be one."""
    if isinstance(node, dict):
        return {
            key: _HIDDEN if _SECRET.search(key) or (key == "url" and inside == "webhook_configs") else _masked(value, key)
            for key, value in node.items()
        }
    return [_masked(item, inside) for item in node] if isinstance(node, list) else node
