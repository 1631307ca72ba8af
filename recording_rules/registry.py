"""Answers questions from recorded series where they fit, and from the scraped ones otherwise.

`query(signal, by, window, where)` is what panels and alerts call. A recorded rate fits when it is of the same series, over the
same window, and keeps every label that the question groups or filters by. Among several that fit, the one with the fewest
labels is read, for it has the fewest series.
"""

from __future__ import annotations

from functools import cache

from contract.signals import Leaf, Matches, Signal, aggregate, selector
from recording_rules import agents, conversations, http
from recording_rules.model import Group, RecordedRate, RecordedSignal, where_labels


@cache
def groups() -> tuple[Group, ...]:
    """All groups, each after those that it reads from."""
    return tuple(sorted((*http.GROUPS, *agents.GROUPS, *conversations.GROUPS), key=lambda group: group.level))


@cache
def _rates() -> tuple[RecordedRate, ...]:
    rates = (rule for group in groups() for rule in group.rules if isinstance(rule, RecordedRate))
    return tuple(sorted(rates, key=lambda rate: (len(rate.all_labels), rate.record)))


@cache
def recorded_series() -> dict[str, frozenset[str]]:
    """Labels of every recorded series, by its name."""
    return {rule.record: frozenset(rule.all_labels) for group in groups() for rule in group.rules}


def resolve(leaf: Leaf, by: tuple[str, ...], window: str, where: Matches) -> str:
    """The rate of `leaf`, from a recorded series when one fits."""
    for rate in _rates():
        if rate.leaf.series != leaf.series or rate.window != window or not set(rate.leaf.matches) <= set(leaf.matches):
            continue
        rest = tuple(match for match in leaf.matches if match not in rate.leaf.matches)
        if set(by) | where_labels(where) | where_labels(rest) <= set(rate.all_labels):
            return aggregate("sum", by, selector(rate.record, rest + where))
    return leaf.raw(by, window, where)


def query(signal: Signal, by: tuple[str, ...] = (), window: str = "5m", where: Matches = ()) -> str:
    """PromQL of a signal for a panel or an alert, one series per combination of `by`."""
    for group in groups():
        for rule in group.rules:
            if (
                isinstance(rule, RecordedSignal)
                and (rule.signal, rule.window) == (signal, window)
                and set(rule.all_labels) == set(by)
                and where_labels(where) <= set(rule.all_labels)
            ):
                return selector(rule.record, where)
    return signal.expression(by, window, where, resolve)


def rule_expression(rule: RecordedRate | RecordedSignal) -> str:
    """What the rule's file says. A finished figure reads the recorded rates, never the scraped series again."""
    if isinstance(rule, RecordedRate):
        return rule.expression
    return rule.signal.expression(rule.all_labels, rule.window, (), resolve)


def rule_groups() -> list[dict[str, object]]:
    """The groups as Prometheus rule groups."""
    return [
        {
            "name": group.name,
            "interval": group.interval,
            "rules": [{"record": rule.record, "expr": rule_expression(rule)} for rule in group.rules],
        }
        for group in groups()
    ]
