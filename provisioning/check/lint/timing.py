"""When rules are evaluated: order within a group, delays between groups, holds against intervals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import promql_parser as promql

from contract.metrics import Source
from contract.values import duration_seconds
from provisioning.check.lint.model import Fault, Rule, RuleBook, shown
from provisioning.check.series import series_of
from provisioning.check.tree import every, names_read

_ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^"})
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


def partial_start(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """A server that has just started scrapes its targets one by one: one side is whole before the other is."""
    for alert in book.alerts:
        if alert.node is None or _hold(alert) >= book.house.scrape:
            continue
        for node in every(alert.node):
            if isinstance(node, promql.BinaryExpr) and str(node.op) in _ARITHMETIC:
                left, right = _sources(node.lhs, book), _sources(node.rhs, book)
                if left and right and not left & right:
                    found = f"holds figures of {_named(left)} against those of {_named(right)} from the first scrape on"
                    yield alert.place, Fault(found, f"for: {shown(book.house.scrape)} or more", "warning")
                    break


def _sources(node: promql.Expr, book: RuleBook) -> set[Source]:
    """Who exposes what an expression reads, through recorded series as well."""
    found: set[Source] = set()
    for part in every(node):
        series = series_of(part, book.house.known) if isinstance(part, promql.VectorSelector) else None
        if series is not None:
            found |= {series.metric.source} if series.metric else set()
            found = found.union(*(_sources(made, book) for made in series.made))
    return found


def _named(sources: set[Source]) -> str:
    return " and ".join(sorted(sources))


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
