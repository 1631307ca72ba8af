"""What a dashboard and a group of rules have at least, so that whatever reads them finds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provisioning.findings import Finding, error


def of_dashboard(place: str, board: Any) -> Iterator[Finding]:
    """What keeps this from being a dashboard of Grafana."""
    if not isinstance(board, dict):
        yield error(place, "is no object", "the JSON of a dashboard")
        return
    if not isinstance(board.get("title"), str) or not board["title"]:
        yield error(place, "has no title, and Grafana refuses it", "a title")
    kinds = [board[kind] for kind in ("panels", "rows") if kind in board]
    if not kinds or not all(isinstance(kind, list) and all(isinstance(item, dict) for item in kind) for kind in kinds):
        yield error(place, "has neither a list of panels nor one of rows", "the JSON of a dashboard")
    for name, wanted in (("templating", dict), ("annotations", dict), ("tags", list)):
        if not isinstance(board.get(name) or wanted(), wanted):
            yield error(
                place, f"{name} is {str(board[name])[:40]!r}", f"{'an object' if wanted is dict else 'a list'}, or leave it out"
            )


def of_groups(place: str, groups: Any) -> Iterator[Finding]:
    """What keeps these from being groups of rules that Prometheus takes, apart from their PromQL."""
    if not isinstance(groups, list):
        yield error(place, "has no list of groups", "{ groups: [{ name: …, rules: [ … ] }] }")
        return
    names: set[str] = set()
    for number, group in enumerate(groups, start=1):
        name = group.get("name") if isinstance(group, dict) else None
        if not isinstance(name, str) or not name or not isinstance(group.get("rules"), list):
            yield error(f"{place}, group {number}", "a group has a name and a list of rules, and this one does not")
            continue
        if name in names:
            yield error(
                f"{place}, group {name}", "two groups of a file have this name, and Prometheus refuses it", "another name"
            )
        names.add(name)
        for rule in group["rules"]:
            yield from _of_rule(f"{place}, group {name}", rule)


def _of_rule(place: str, rule: Any) -> Iterator[Finding]:
    kinds = [kind for kind in ("record", "alert") if isinstance(rule, dict) and isinstance(rule.get(kind), str)]
    if len(kinds) != 1 or not isinstance(rule.get("expr"), str):
        yield error(place, f"{str(rule)[:60]!r} is no rule", "either record or alert, and an expr, all of them texts")
        return
    for name in ("labels", "annotations"):
        values = rule.get(name) or {}
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            yield error(f"{place}, {kinds[0]} {rule[kinds[0]]}", f"{name} are not texts by name", "{ severity: 'warning' }")
