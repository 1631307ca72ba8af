"""Which labels alerts carry when they reach Alertmanager: those of their rules, and those that their expressions leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alert_rules.matching import Matcher
from provisioning.check.known import known_series
from provisioning.check.labels import surviving
from provisioning.check.series import Labels
from provisioning.check.tree import parsed


@dataclass(frozen=True)
class Carried:
    """One alert. `fixed` are labels with one value, `free` labels with any value or none; None stands for any label."""

    name: str
    fixed: Mapping[str, str]
    free: Labels
    annotations: frozenset[str]

    def has(self, label: str) -> bool:
        return label in self.fixed or self.free is None or label in self.free

    def may_match(self, matchers: Iterable[Matcher]) -> bool:
        """Whether matchers can hold for this alert, each for itself."""
        return all(
            matcher.accepts(self.fixed.get(matcher.label, ""))
            for matcher in matchers
            if matcher.label in self.fixed or not self.has(matcher.label)
        )


def carried(groups: Iterable[Mapping[str, Any]]) -> list[Carried]:
    """The alerts of rule groups. An expression that cannot be read may leave any label; that is said elsewhere."""
    groups = tuple(groups)
    known = known_series(groups)
    return [
        Carried(rule["alert"], fixed, free, frozenset(rule.get("annotations", {})))
        for rule, fixed, templated in _alerts(groups)
        for free in [_with(_left(rule["expr"], known), templated)]
    ]


def _alerts(groups: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], dict[str, str], frozenset[str]]]:
    """Rules, their labels with one value, and the names of those that a template fills."""
    for rule in (rule for group in groups for rule in group.get("rules", []) if "alert" in rule):
        labels = {"alertname": rule["alert"], **{name: str(text) for name, text in rule.get("labels", {}).items()}}
        templated = frozenset(name for name, text in labels.items() if "{{" in text)
        yield rule, {name: text for name, text in labels.items() if name not in templated}, templated


def _left(expression: str, known: Mapping[str, Any]) -> Labels:
    try:
        return surviving(parsed(expression), known, certain=False)
    except ValueError:
        return None


def _with(left: Labels, more: frozenset[str]) -> Labels:
    return None if left is None else left | more
