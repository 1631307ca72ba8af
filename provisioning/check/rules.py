"""Rules: their PromQL, their names and groups, their times, and what alerts say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import promql_parser as promql

from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.check.expressions import Inspector
from provisioning.check.lint.catalogue import RULE_CHECKS
from provisioning.check.lint.model import Rule, RuleBook
from provisioning.check.tree import parsed
from provisioning.findings import Finding

Groups = Iterable[Mapping[str, Any]]


def rule_findings(
    groups: Groups,
    inspector: Inspector,
    settings: Settings,
    read: Iterable[str] = (),
    kept: Iterable[str] = (),
    external: Iterable[str] = (),
) -> Iterator[Finding]:
    """What is wrong with recording rules and alerts.

    `read` are names of series that dashboards and runbooks read, `kept` recorded series that are there for people,
    `external` the labels that the server adds to everything it sends.
    """
    groups = tuple(groups)
    teams = tuple(team.name for team in settings.teams)
    rules = tuple(_rules(groups, inspector.house.scrape))
    for rule in rules:
        yield from inspector.findings(
            rule.place, str(rule.source["expr"]), interval=rule.interval, record=rule.record, alert=bool(rule.alert)
        )
    book = RuleBook(groups, rules, inspector.house, teams, frozenset(read), frozenset(kept), frozenset(external))
    for check in RULE_CHECKS:
        for place, fault in check.find(book):
            yield Finding(fault.severity, place, fault.message, fault.remedy, check.id)


def _rules(groups: Groups, default: timedelta) -> Iterator[Rule]:
    """Groups without an interval are evaluated as often as targets are scraped."""
    for group in groups:
        interval = timedelta(seconds=duration_seconds(group["interval"])) if "interval" in group else default
        for position, rule in enumerate(group.get("rules", [])):
            yield Rule(str(group.get("name")), position, interval, rule, _readable(str(rule["expr"])))


def _readable(text: str) -> promql.Expr | None:
    try:
        return parsed(text)
    except ValueError:
        return None  # what is wrong is said where expressions are looked at
