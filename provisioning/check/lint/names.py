"""What rules and alerts are called, and labels that they set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from contract.values import duration_seconds
from provisioning.check.labels import surviving
from provisioning.check.lint.model import Fault, Rule, RuleBook, shown

_ALERT = re.compile(r"([A-Z]+[a-z0-9]+)+")
_MOST_LETTERS = 40
_SEVERITIES = ("critical", "warning", "info")
_RECORD = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*:[a-z0-9_]+")
_SENTENCE = re.compile(r"[A-Z].*[.!?]", re.S)
_SLOWEST = timedelta(minutes=5)


def alert_name(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    for alert in book.alerts:
        if not _ALERT.fullmatch(alert.alert):
            yield alert.place, Fault("the name is not in CamelCase", "AgentErrorRatioHigh", "warning")
        if len(alert.alert) > _MOST_LETTERS:
            yield alert.place, Fault(f"{len(alert.alert)} characters", f"{_MOST_LETTERS} at most", "warning")


def severity(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    for alert in book.alerts:
        said = str(alert.labels.get("severity", ""))
        if said not in _SEVERITIES and "{{" not in said:
            found = f"severity {said}" if said else "has no severity"
            yield alert.place, Fault(found, f"one of {', '.join(_SEVERITIES)}")


def summary(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """A summary stands for a group of alerts of one name, so it is the same for all of them."""
    for alert in book.alerts:
        said = str(alert.annotations.get("summary", ""))
        if said and not _SENTENCE.fullmatch(said):
            yield alert.place, Fault(f"the summary is no sentence: {said}", "a capital and a full stop", "warning")
        if "$value" in said or ".Value" in said:
            yield alert.place, Fault("the summary has a value in it", "put it into the description", "warning")


def description(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """An alert that compares series says which one it is about, or how bad it is."""
    for alert in book.alerts:
        said = str(alert.annotations.get("description", ""))
        if said and "{{" not in said and _varies(alert, book):
            yield alert.place, Fault("the description is the same for every series", "{{ $labels.… }}, {{ $value }}", "warning")


def _varies(alert: Rule, book: RuleBook) -> bool:
    left = surviving(alert.node, book.house.known, certain=False) if alert.node is not None else frozenset()
    return left is None or bool(left)


def record_name(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """Metrics of the contract that are recorded from other names keep the contract's name."""
    for name in dict.fromkeys(rule.record for rule in book.recordings):
        series = book.house.known.get(name)
        if not _RECORD.fullmatch(name) and not (series and series.metric):
            yield (
                f"recording rule {name}",
                Fault("the name does not say that it is recorded", "level:metric:operation", "warning"),
            )


def interval(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """A sample counts for five minutes; an alert that is looked at more rarely ends in between, unless it is kept."""
    slow: dict[str, timedelta] = {}
    for rule in book.rules:
        if rule.interval > _SLOWEST and not (rule.alert and _kept(rule) >= rule.interval):
            slow[rule.group] = rule.interval
    for name, every_ in slow.items():
        found = f"is evaluated every {shown(every_)}, and a sample counts for {shown(_SLOWEST)}"
        yield f"rule group {name}", Fault(found, "5m, or keep_firing_for", "warning")


def _kept(rule: Rule) -> timedelta:
    try:
        return timedelta(seconds=duration_seconds(str(rule.source.get("keep_firing_for", "0s"))))
    except ValueError:
        return timedelta()  # said by `holds`


def external_label(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    for rule in book.rules:
        for label in sorted(book.external & rule.labels.keys()):
            yield rule.place, Fault(f"sets {label}, which is one of the server's external_labels", "another name", "warning")
