"""When rules are evaluated: order within a group, delays between groups, holds against intervals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import promql_parser as promql

from contract.values import duration_seconds
from provisioning.check.lint.model import Fault, Rule, RuleBook, shown
from provisioning.check.tree import every, names_read

_PAGE_DELAY = timedelta(seconds=45)
"""A page may rest on figures that are this old, or as old as it holds before it fires."""


def order(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """Rules of a group are evaluated in order: what reads a later one gets its value of the time before."""
    for rule in book.rules:
        if rule.node is None:
            continue
        read = names_read(rule.node)
        for other in book.rules:
            if other.group == rule.group and other.position > rule.position and other.record in read - {rule.record}:
                found = f"reads {other.record}, which its group records after it"
                yield rule.place, Fault(found, f"put {other.record} first; else the answer is {shown(rule.interval)} late")


def delay(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """How old what an alert reads may be, where that is more than its own interval."""
    recorded: dict[str, list[Rule]] = {}
    for rule in book.recordings:
        recorded.setdefault(rule.record, []).append(rule)
    for alert in book.alerts:
        age, chain = _age(alert, recorded, ())
        slower = any(step.interval > alert.interval for step in chain)
        paging = alert.labels.get("paging") == "true" and age > max(_PAGE_DELAY, _hold(alert))
        if not slower and not paging:
            continue
        steps = ", ".join(f"{step.record} every {shown(step.interval)}" for step in chain)
        found = f"is evaluated every {shown(alert.interval)}, but reads what may be {shown(age)} old: {steps}"
        yield alert.place, Fault(found, "a shorter interval there" if paging else "", "warning" if paging else "note")


def absent_hold(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """A server that has just started has not scraped yet, so all is absent. A window looks back to before the start."""
    least = 2 * book.house.scrape
    for alert in book.alerts:
        calls = (node for node in every(alert.node) if isinstance(node, promql.Call)) if alert.node is not None else ()
        if _hold(alert) < least and any(call.func.name == "absent" for call in calls):
            yield alert.place, Fault(f"absent() without a hold of {shown(least)} or more", f"for: {shown(least)}", "warning")


def _hold(alert: Rule) -> timedelta:
    try:
        return timedelta(seconds=duration_seconds(str(alert.source.get("for", "0s"))))
    except ValueError:
        return timedelta()  # said by `holds`


def _age(rule: Rule, recorded: dict[str, list[Rule]], begun: tuple[str, ...]) -> tuple[timedelta, tuple[Rule, ...]]:
    """The longest time between an evaluation and its oldest input, and the rules on that way. Groups begin at moments of
    their own, so each step to another group may add a whole interval."""
    longest: tuple[timedelta, tuple[Rule, ...]] = (timedelta(), ())
    for name in sorted(names_read(rule.node) & recorded.keys() - set(begun)) if rule.node is not None else ():
        for source in recorded[name]:
            age, chain = _age(source, recorded, (*begun, name))
            if source.group != rule.group:
                age += source.interval
            longest = max(longest, (age, (source, *chain)), key=lambda found: found[0])
    return longest


def holds(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """`for` and `keep_firing_for` are looked at when the rule is evaluated, so they are multiples of that in effect."""
    for alert in book.alerts:
        for key in ("for", "keep_firing_for"):
            try:
                hold = timedelta(seconds=duration_seconds(str(alert.source.get(key, "0s"))))
            except ValueError as problem:
                yield alert.place, Fault(f"{key}: {problem}")
                continue
            if hold and hold < alert.interval:
                found = f"{key} {shown(hold)} is shorter than the interval of its group, {shown(alert.interval)}"
                yield alert.place, Fault(found, shown(alert.interval), "warning")
            elif hold % alert.interval:
                up = (hold // alert.interval + 1) * alert.interval
                found = f"{key} {shown(hold)} is no multiple of the interval of its group, {shown(alert.interval)}"
                yield alert.place, Fault(found, f"{shown(up)}, which is what it comes to", "warning")
