"""Rules beside rules: names, duplicates, and recorded series that nobody reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from provisioning.check.labels import fixed
from provisioning.check.limits import GROUP_RULES
from provisioning.check.lint.model import Fault, Rule, RuleBook
from provisioning.check.tree import names_read
from provisioning.findings import closest


def group_name(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    for name, count in Counter(group.get("name") for group in book.groups).items():
        if count > 1:
            yield f"rule group {name}", Fault(f"{count} groups have this name", "give each its own")


def group_size(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    for group in book.groups:
        if (count := len(group.get("rules", []))) > GROUP_RULES.most:
            yield f"rule group {group.get('name')}", Fault(f"{count} rules", f"split it, {GROUP_RULES.most} is the most")


def same_name(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """Two rules of one name and equal labels would write the same series, unless a label of what they read differs for sure."""
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[Rule]] = {}
    for rule in book.rules:
        alike.setdefault((rule.place, _labels(rule)), []).append(rule)
    for (place, _), rules in alike.items():
        meeting = [rule for rule in rules if any(rule is not other and not _apart(rule, other, book) for other in rules)]
        if meeting:
            yield place, Fault(f"{len(meeting)} rules have this name and the same labels", "rename one of them")


def _apart(one: Rule, other: Rule, book: RuleBook) -> bool:
    """Whether two recording rules never give series of the same labels."""
    if one.node is None or other.node is None or one.alert:
        return False
    left, right = fixed(one.node, book.house.known), fixed(other.node, book.house.known)
    return any(left[label] != right[label] for label in left.keys() & right.keys())


def same_expression(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """One question that is evaluated twice. Numbers may be equal by chance."""
    first: dict[tuple[object, ...], Rule] = {}
    for rule in book.rules:
        if rule.node is None or not names_read(rule.node):
            continue
        asked = (bool(rule.alert), rule.node.prettify(), rule.source.get("for"), rule.labels.get("severity"))
        other = first.setdefault(asked, rule)
        if other.place != rule.place:
            yield rule.place, Fault(f"asks the same as {other.place}", "keep one of them", "warning")


def unused(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """Nobody reads it: no other rule, no alert, no dashboard, no runbook. Metrics of the contract need no reader."""
    metrics = {name for name, series in book.house.known.items() if series.metric}
    read = book.read | book.kept | metrics
    for rule in book.rules:
        if rule.node is not None:
            read |= names_read(rule.node) - {rule.record}
    for name in dict.fromkeys(rule.record for rule in book.recordings):
        if name not in read:
            remedy = "remove the rule, or say in the registry that people read it"
            yield f"recording rule {name}", Fault("nobody reads this series", remedy, "warning")


def kept_for_nothing(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    recorded = {rule.record for rule in book.recordings}
    for name in sorted(book.kept - recorded):
        yield f"recording rule {name}", Fault("is kept for people, but no rule records it", closest(name, recorded))


def _labels(rule: Rule) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), str(value)) for name, value in rule.labels.items()))
