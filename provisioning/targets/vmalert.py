"""Rule files for vmalert, the ruler of VictoriaMetrics.

It evaluates the rules of a group one after the other, but what they record is written later. So a rule never stands in the same
group as one that it reads: such a group becomes several, in the order in which they build on each other. A rule then sees the
last value of what it reads, at most one interval old, as it does in Prometheus across groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioning.rules.selectors import selected
from provisioning.targets.rules_built import HEADING, Group, rule_files
from provisioning.text import as_yaml

Rule = Mapping[str, Any]


def files(built: Mapping[str, bytes]) -> dict[str, bytes]:
    """By path in the folder of a build, of what `build` wrote for Prometheus."""
    return {
        f"vmalert/rules/{name}.yml": as_yaml({"groups": [part for group in groups for part in unchained(group)]}, HEADING)
        for name, groups in rule_files(built)
    }


def unchained(group: Group) -> Iterator[Group]:
    """The group, or several of which none reads what it records; the first keeps the name."""
    for number, level in enumerate(_levels(group["rules"]), start=1):
        yield {**group, "name": group["name"] if number == 1 else f"{group['name']}_{number}", "rules": level}


def _levels(rules: list[Rule]) -> list[list[Rule]]:
    """Rules in their order, each on a level above all that it reads."""
    levels: list[list[Rule]] = []
    recorded: dict[str, int] = {}
    for rule in rules:
        level = max((recorded[one.name] + 1 for one in selected(str(rule["expr"])) if one.name in recorded), default=0)
        if level == len(levels):
            levels.append([])
        levels[level].append(rule)
        if "record" in rule:
            recorded[rule["record"]] = max(level, recorded.get(rule["record"], 0))
    return levels
