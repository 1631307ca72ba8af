"""Message templates: each that is used is defined, each that is defined is used, and they ask for what alerts have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from alert_rules import wording
from alert_rules.catalogue import ALERTS
from provisioning.check.carried import Carried
from provisioning.findings import Finding, closest, error

_DEFINED = re.compile(r'\{\{-?\s*define\s+"([^"]+)"')
_USED = re.compile(r'\{\{-?\s*template\s+"([^"]+)"')
_ASKED = re.compile(r"\.(Annotations|CommonAnnotations|Labels|CommonLabels|GroupLabels)\.([A-Za-z_]\w*)")
_METHODS = frozenset({"Names", "Remove", "SortedPairs", "Values"})


def message_findings(
    configuration: Mapping[str, Any], templates: Mapping[str, str], alerts: Iterable[Carried], grouped: Iterable[str]
) -> Iterator[Finding]:
    """`templates` are the built template files by path relative to alertmanager.yml, `grouped` the labels of all groupings."""
    yield from _files(configuration, templates)
    yield from _names({**templates, "alertmanager.yml": str(configuration)})
    yield from _asked(templates, list(alerts), set(grouped))


def _files(configuration: Mapping[str, Any], templates: Mapping[str, str]) -> Iterator[Finding]:
    patterns = configuration.get("templates", [])
    for pattern in patterns:
        if not any(fnmatch(path, pattern) for path in templates):
            yield error("templates", f"no built file matches {pattern}", closest(pattern, templates))
    for path in templates:
        if not any(fnmatch(path, pattern) for pattern in patterns):
            yield error(f"template file {path}", "alertmanager.yml does not read it")


def _names(texts: Mapping[str, str]) -> Iterator[Finding]:
    defined = {name: path for path, text in texts.items() for name in _DEFINED.findall(text)}
    used = {name for text in texts.values() for name in _USED.findall(text)}
    for path, text in texts.items():
        for name in sorted(set(_USED.findall(text)) - set(defined)):
            if not name.startswith("__") and ".default." not in name:  # Alertmanager brings those
                yield error(path, f"template {name} is not defined", closest(name, defined))
    for name in sorted(set(defined) - used):
        yield error(defined[name], f"template {name} is used by nobody", "remove it, or use it")


def _asked(templates: Mapping[str, str], alerts: list[Carried], grouped: set[str]) -> Iterator[Finding]:
    """The templates are the same for all sites, so they may ask for labels that only other sites' alerts have."""
    annotations = {name for alert in alerts for name in alert.annotations}
    own = {label for alert in ALERTS for label in (*wording.rule_labels(alert), *alert.by)}
    for path, text in templates.items():
        for kind, name in sorted(set(_ASKED.findall(text))):
            if name in _METHODS:
                continue
            if kind.endswith("Annotations"):
                if name not in annotations:
                    yield error(path, f"asks for annotation {name}, which no alert has", closest(name, annotations))
            elif kind == "GroupLabels":
                if name not in grouped:
                    yield error(path, f"asks for group label {name}, by which no route groups", closest(name, grouped))
            elif name not in own and not any(alert.has(name) for alert in alerts):
                yield error(path, f"asks for label {name}, which no alert has", closest(name, own))
