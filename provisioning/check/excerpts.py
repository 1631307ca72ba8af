"""What a promtool test asks of the rules: it names whole groups, of whose rules it looks at a few."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import yaml

RULES = PurePosixPath("prometheus/rules")
_ALERT = re.compile(r"^\s*(?:- )?alertname: (.+)$", re.MULTILINE)
_RECORDED = re.compile(r"[a-zA-Z_]\w*:\w+:\w+")


def excerpt(path: str, artefacts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The test file `path` of a build, and of the rule files that it names what it asks for: its alerts and all that they read.

    The groups and their order stay. A rule file that is not there is left for promtool to miss.
    """
    test = artefacts[path].decode()
    head = yaml.safe_load(test.partition("\ntests:")[0])
    names = [str(RULES / PurePosixPath(name).name) for name in head["rule_files"]]
    files = {name: groups(artefacts[name]) for name in names if name in artefacts}
    rules = [rule for found in files.values() for group in found for rule in group["rules"]]
    kept = _asked(rules, set(_ALERT.findall(test)))
    short = {name: [_narrowed(group, kept) for group in found] for name, found in files.items()}
    return {path: artefacts[path]} | {
        name: json.dumps({"groups": found}, ensure_ascii=False).encode() for name, found in short.items()
    }


@lru_cache(maxsize=512)
def groups(rule_file: bytes) -> tuple[dict[str, Any], ...]:
    """The groups of a rule file, which many tests name."""
    return tuple(yaml.safe_load(rule_file)["groups"])


def _asked(rules: list[dict[str, Any]], alerts: set[str]) -> set[str]:
    """Names of these alerts and of the recorded series that they read, however far down."""
    found, waiting = set(alerts), [str(rule["expr"]) for rule in rules if rule.get("alert") in alerts]
    while waiting:
        read = set(_RECORDED.findall(waiting.pop())) - found
        found |= read
        waiting += (str(rule["expr"]) for rule in rules if rule.get("record") in read)
    return found


def _narrowed(group: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {**group, "rules": [rule for rule in group["rules"] if {rule.get("record"), rule.get("alert")} & names]}
