"""Which panels and alerts read a metric, through as many recorded series as there are in between."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache

from contract.catalogue import series_catalogue
from contract.settings import Settings
from provisioning.boards import Board

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def readers(settings: Settings) -> Mapping[str, tuple[str, ...]]:
    """By metric of the contract: `panel <key>` and `alert <name>`."""
    from recording_rules import registry

    made = {str(rule["record"]): str(rule["expr"]) for group in registry.rule_groups(settings) for rule in _rules(group)}

    def named(expression: str) -> set[str]:
        return {word for word in _NAME.findall(expression) if word in made or word in series_catalogue()}

    @cache
    def metrics(series: str) -> frozenset[str]:
        todo, seen = [series], {series}
        for name in todo:  # grows on the way; a series may be made of its own past
            if name not in series_catalogue():
                todo += named(made[name]) - seen
                seen.update(todo)
        return frozenset(declared.name for name in seen if (declared := series_catalogue().get(name)))

    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for reader, expression in _questions(settings):
        for series in named(expression):
            for metric in metrics(series):
                found[metric][reader] = None
    return {metric: tuple(who) for metric, who in found.items()}


def _rules(group: Mapping[str, object]) -> list[Mapping[str, object]]:
    rules = group["rules"]
    assert isinstance(rules, list)
    return rules


def _questions(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every reader with the PromQL that it asks."""
    from alert_rules import rules
    from contract.keys import panel_id
    from dashboards.catalogue import TABS

    for tab in TABS:
        board = Board("", tab.dashboard(settings))
        keys = {panel_id(key): key for key in tab.panel_keys(settings)}
        for panel in board.panels:
            for query in board.panel_queries(panel):
                if query.language == "promql":
                    yield f"panel {keys[panel['id']]}", query.text
    for group in rules.rule_groups(settings):
        for rule in _rules(group):
            if "alert" in rule:
                yield f"alert {rule['alert']}", str(rule["expr"])
