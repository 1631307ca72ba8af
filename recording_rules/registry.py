"""Answers questions from recorded series where they fit, and from the scraped ones otherwise.

`query(signal, by, window, where)` is what panels and alerts call. A recorded rate fits when it is of the same series, over the
same window, and keeps every label that the question groups or filters by. Among several that fit, the one with the fewest
labels is read, for it has the fewest series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from contract.settings import Settings
from contract.signals.model import Change, Leaf, Matches, Signal, aggregate, selector
from recording_rules import (
    adapters,
    agents,
    anomaly,
    conversations,
    executions,
    forecast,
    http,
    knowledge,
    models,
    reconciliation,
    retention,
    slo,
    stores,
    tools,
    users,
    versions,
)
from recording_rules.model import Formula, Group, RecordedRate, RecordedSignal, Rule, where_labels

_FIXED = (http, agents, tools, models, conversations, executions, knowledge, stores, users, versions)
"""Modules whose GROUPS every site has."""
_CONFIGURED: tuple[Callable[[Settings], tuple[Group, ...]], ...] = (adapters.groups, forecast.groups, retention.groups)
"""Groups that follow from the configuration. Their series are read by name, never found by a question."""


@cache
def fixed_groups() -> tuple[Group, ...]:
    """The groups that every site has, each after those that it reads from."""
    return _ordered(group for module in _FIXED for group in module.GROUPS)


def groups(settings: Settings) -> tuple[Group, ...]:
    """All groups of a site, each after those that it reads from."""
    configured = (group for made in _CONFIGURED for group in made(settings))
    asked = (group for made in (slo, anomaly, reconciliation) for group in made.groups(settings, query))
    return _ordered([*fixed_groups(), *configured, *asked])


def _ordered(found: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(sorted(found, key=lambda group: group.level))


@cache
def _rates() -> dict[tuple[str, str], tuple[RecordedRate, ...]]:
    """Recorded rates by the series that they read and their window, those with the fewest labels first."""
    found: dict[tuple[str, str], tuple[RecordedRate, ...]] = {}
    rates = (rule for group in fixed_groups() for rule in group.rules if isinstance(rule, RecordedRate))
    for rate in sorted(rates, key=lambda rate: (len(rate.all_labels), rate.record)):
        found[rate.leaf.series, rate.window] = (*found.get((rate.leaf.series, rate.window), ()), rate)
    return found


@cache
def _figures() -> dict[str, RecordedSignal]:
    """Finished figures by what they ask of the scraped series, whatever words they are described in."""
    rules = (rule for group in fixed_groups() for rule in group.rules if isinstance(rule, RecordedSignal))
    return {_question(rule.signal, rule.all_labels, rule.window): rule for rule in rules}


def _question(signal: Signal, by: tuple[str, ...], window: str) -> str:
    return signal.expression(tuple(sorted(by)), window)


@cache
def recorded_series() -> dict[str, frozenset[str]]:
    """Labels of every recorded series that every site has, by its name."""
    return {rule.record: frozenset(rule.all_labels) for group in fixed_groups() for rule in group.rules}


def resolve(leaf: Leaf, by: tuple[str, ...], window: str, where: Matches) -> str:
    """The rate of `leaf`, from a recorded series when one fits."""
    for rate in _rates().get((leaf.series, window), ()):
        if not set(rate.leaf.matches) <= set(leaf.matches):
            continue
        rest = tuple(match for match in leaf.matches if match not in rate.leaf.matches)
        if set(by) | where_labels(where) | where_labels(rest) <= set(rate.all_labels):
            return aggregate("sum", by, selector(rate.record, rest + where) + leaf.past)
    return leaf.raw(by, window, where)


def query(signal: Signal, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), ago: str = "") -> str:
    """PromQL of a signal for a panel or an alert, one series per combination of `by`, as it was `ago` (a duration) before."""

    def tell(asked: Signal, ago: str) -> str:
        rule = _figures().get(_question(asked, by, window))
        if rule and where_labels(where) <= set(rule.all_labels):
            return selector(rule.record, where) + (f" offset {ago}" if ago else "")
        return (asked.shifted(ago) if ago else asked).expression(by, window, where, resolve)

    return signal.compared(window, tell) if isinstance(signal, Change) and not ago else tell(signal, ago)


def rule_expression(rule: Rule) -> str:
    """What the rule's file says. A finished figure reads the recorded rates, never the scraped series again."""
    if isinstance(rule, RecordedSignal):
        return rule.signal.expression(rule.all_labels, rule.window, (), resolve)
    return rule.expression


def rule_groups(settings: Settings) -> list[dict[str, object]]:
    """The groups as Prometheus rule groups."""
    return [
        {"name": group.name, "interval": group.interval, "rules": [_rule(rule) for rule in group.rules]}
        for group in groups(settings)
    ]


def added(rule: Rule) -> dict[str, str]:
    """The labels that the rule itself gives to its series."""
    return dict(rule.added) if isinstance(rule, Formula) else {}


def _rule(rule: Rule) -> dict[str, object]:
    labels = {"labels": added(rule)} if added(rule) else {}
    return {"record": rule.record, "expr": rule_expression(rule), **labels}
