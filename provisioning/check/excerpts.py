"""What a promtool test asks of the rules: it names whole groups, of whose rules it looks at a few."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from provisioning.rule_files import groups
from provisioning.text import from_yaml

RULES = PurePosixPath("prometheus/rules")
_ALERT = re.compile(r"^\s*(?:- )?alertname: (.+)$", re.MULTILINE)
_RECORDED = re.compile(r"[a-zA-Z_]\w*:\w+:\w+")


def excerpt(path: str, artefacts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The test file `path` of a build, and of the rule files that it names what it asks for: its alerts and all that they read.

    The groups and their order stay. A rule file that is not there is left for promtool to miss.
    """
    test = artefacts[path].decode()
    head = from_yaml(test.partition("\ntests:")[0])
    names = [str(RULES / PurePosixPath(name).name) for name in head["rule_files"]]
    files = {name: groups(artefacts[name]) for name in names if name in artefacts}
    rules = [rule for found in files.values() for group in found for rule in group["rules"]]
    alerts = set(_ALERT.findall(test))
    kept = alerts | _read(rules, [str(rule["expr"]) for rule in rules if rule.get("alert") in alerts])
    short = {name: [_narrowed(group, kept) for group in found] for name, found in files.items()}
    return {path: artefacts[path]} | {
        name: json.dumps({"groups": found}, ensure_ascii=False).encode() for name, found in short.items()
    }


def read_by(expression: str, rule_groups: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of these groups the rules that record what an expression reads, however far down; the groups and their order stay."""
    found = list(rule_groups)
    names = _read([rule for group in found for rule in group["rules"]], [expression])
    return [_narrowed(group, names) for group in found]


def _read(rules: list[dict[str, Any]], expressions: list[str]) -> set[str]:
    """Names of the recorded series that expressions read, however far down."""
    found, waiting = set[str](), list(expressions)
    while waiting:
        read = set(_RECORDED.findall(waiting.pop())) - found
        found |= read
        waiting += (str(rule["expr"]) for rule in rules if rule.get("record") in read)
    return found


def _narrowed(group: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {**group, "rules": [rule for rule in group["rules"] if {rule.get("record"), rule.get("alert")} & names]}
