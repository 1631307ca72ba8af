"""Rules: names, groups, their PromQL, and what alerts say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import promql_parser as promql

from contract.settings import Settings
from provisioning.check.expressions import Inspector
from provisioning.check.labels import surviving
from provisioning.check.series import Known
from provisioning.findings import Finding, closest, error

Groups = Iterable[Mapping[str, Any]]

_MOST_RULES = 20
_LABEL = re.compile(r"\$labels\.(\w+)|\.Labels\.(\w+)")
_NEEDED = ("summary", "description", "runbook_url", "dashboard_url")


def rule_findings(groups: Groups, inspector: Inspector, settings: Settings) -> Iterator[Finding]:
    """What is wrong with recording rules and alerts."""
    groups = tuple(groups)
    for name, count in Counter(group.get("name") for group in groups).items():
        if count > 1:
            yield error(f"rule group {name}", f"{count} groups have this name", "give each its own")
    yield from _names(groups)
    for group in groups:
        rules = group.get("rules", [])
        if len(rules) > _MOST_RULES:
            yield error(f"rule group {group.get('name')}", f"{len(rules)} rules", f"split it, {_MOST_RULES} is the most")
        for rule in rules:
            yield from inspector.findings(rule_place(rule), rule["expr"])
            if "alert" in rule:
                yield from _alert(rule, inspector.known, settings)


def rule_place(rule: Mapping[str, Any]) -> str:
    return f"alert {rule['alert']}" if "alert" in rule else f"recording rule {rule.get('record')}"


def _names(groups: Groups) -> Iterator[Finding]:
    """Two rules of one name and equal labels would write the same series."""
    named = Counter(
        (rule_place(rule), tuple(sorted(rule.get("labels", {}).items()))) for group in groups for rule in group.get("rules", [])
    )
    for (place, _), count in named.items():
        if count > 1:
            yield error(place, f"{count} rules have this name and the same labels", "rename one of them")


def _alert(rule: Mapping[str, Any], known: Known, settings: Settings) -> Iterator[Finding]:
    place = rule_place(rule)
    annotations, labels = rule.get("annotations", {}), rule.get("labels", {})
    for key in _NEEDED:
        if not annotations.get(key):
            yield error(place, f"annotation {key} is missing", "the person who is told needs it")
    teams = [team.name for team in settings.teams]
    if labels.get("team") not in teams:
        yield error(place, f"team {labels.get('team')} is not in the settings", closest(str(labels.get("team")), teams))
    yield from _template_labels(rule, known)


def _template_labels(rule: Mapping[str, Any], known: Known) -> Iterator[Finding]:
    """A template may only use labels that every series of the expression has."""
    try:
        there = surviving(promql.parse(rule["expr"]), known, certain=True)
    except ValueError:
        return  # said where the expression is looked at
    if there is None:
        return
    for key, text in {**rule.get("annotations", {}), **rule.get("labels", {})}.items():
        for label in sorted({first or second for first, second in _LABEL.findall(str(text))} - there):
            yield error(f"{rule_place(rule)}, {key}", f"label {label} does not survive the expression", closest(label, there))
