"""The rules of a build, read from its files as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml

from contract.values import duration_seconds
from provisioning.findings import InputError

Labels = tuple[tuple[str, str], ...]
"""Sorted pairs of name and value."""

_DEFAULT_INTERVAL = "1m"


def labels_of(pairs: Mapping[str, str]) -> Labels:
    """Labels without the name of the series."""
    return tuple(sorted((name, str(value)) for name, value in pairs.items() if name != "__name__"))


@dataclass(frozen=True)
class RecordingRule:
    """A recorded series. `interval` is that of its group, in seconds; `labels` are those that the rule gives."""

    group: str
    interval: float
    record: str
    expression: str
    labels: Labels

    @property
    def name(self) -> str:
        return self.record


@dataclass(frozen=True)
class AlertingRule:
    """An alert. `interval`, `hold` (`for`) and `keep` (`keep_firing_for`) are in seconds."""

    group: str
    interval: float
    alert: str
    expression: str
    labels: Labels
    hold: float
    keep: float

    @property
    def name(self) -> str:
        return self.alert


Rule = RecordingRule | AlertingRule


@dataclass(frozen=True)
class Build:
    """All rules of a build, in the order of its files. `place` is its folder, for people."""

    place: str
    recording: tuple[RecordingRule, ...]
    alerting: tuple[AlertingRule, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (*self.recording, *self.alerting)

    def only(self, alerts: tuple[str, ...]) -> Build:
        """The same with the alerts of these names alone; with all when none is named."""
        chosen = tuple(rule for rule in self.alerting if not alerts or rule.alert in alerts)
        return replace(self, alerting=chosen)


def read(folder: Path) -> Build:
    """The rules in `folder`/prometheus/rules. Raises InputError when there are none, or when they cannot be read."""
    rules = folder / "prometheus" / "rules"
    files = sorted(rules.glob("*.yml"))
    if not files:
        raise InputError(f"error: {rules} holds no rules; `observatory build --out {folder}` writes them")
    interval = _evaluation_interval(folder / "prometheus" / "prometheus.yml")
    return from_groups(str(folder), [group for file in files for group in _groups(file)], interval)


def from_groups(place: str, groups: Sequence[Mapping[str, Any]], interval: str = _DEFAULT_INTERVAL) -> Build:
    """The rules of rule groups; `interval` is for groups without one. Raises InputError for what is no rule."""
    found = [rule for group in groups for rule in _rules(group, interval, place)]
    return Build(
        place,
        tuple(rule for rule in found if isinstance(rule, RecordingRule)),
        tuple(rule for rule in found if isinstance(rule, AlertingRule)),
    )


def _rules(group: Mapping[str, Any], default: str, place: str) -> Iterator[Rule]:
    try:
        name, interval = str(group["name"]), duration_seconds(str(group.get("interval", default)))
        for rule in group["rules"]:
            expression, labels = str(rule["expr"]), labels_of(rule.get("labels") or {})
            promql.parse(expression)
            if "record" in rule:
                yield RecordingRule(name, interval, str(rule["record"]), expression, labels)
            else:
                hold, keep = (duration_seconds(str(rule.get(key, "0s"))) for key in ("for", "keep_firing_for"))
                yield AlertingRule(name, interval, str(rule["alert"]), expression, labels, hold, keep)
    except KeyError as missing:
        raise InputError(f"error: {place}: a rule or a group lacks {missing}") from None
    except (ValueError, TypeError, AttributeError) as problem:
        raise InputError(f"error: {place}: group {group!s:.60}: {problem}") from None


def _groups(file: Path) -> list[Mapping[str, Any]]:
    document = _document(file)
    groups = document.get("groups") if isinstance(document, dict) else None
    if not isinstance(groups, list):
        raise InputError(f"error: {file}: no rule file; one begins with `groups:`")
    return groups


def _evaluation_interval(file: Path) -> str:
    document = _document(file) if file.exists() else {}
    given = document.get("global") if isinstance(document, dict) else None
    return str((given or {}).get("evaluation_interval", _DEFAULT_INTERVAL))


def _document(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise InputError(f"error: {file}: not YAML: {' '.join(str(problem).split())}") from None
