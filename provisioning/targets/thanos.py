"""Rule files for Thanos Ruler: those of Prometheus, and in each group what happens while a store does not answer.

Prometheus and its promtool refuse the field, so these are files of their own: `thanos rule --rule-file='thanos/rules/*.yml'`.
"""

from __future__ import annotations

from collections.abc import Mapping

from contract.settings import Settings
from provisioning.targets.rules_built import HEADING, Group, rule_files
from provisioning.text import as_yaml


def files(settings: Settings, built: Mapping[str, bytes]) -> dict[str, bytes]:
    """By path in the folder of a build, of what `build` wrote for Prometheus."""
    strategy = settings.targets.thanos.partial_response
    return {
        f"thanos/rules/{name}.yml": as_yaml({"groups": [_stated(group, strategy) for group in groups]}, HEADING)
        for name, groups in rule_files(built)
    }


def _stated(group: Group, strategy: str) -> Group:
    head = {key: value for key, value in group.items() if key != "rules"}
    return {**head, "partial_response_strategy": strategy, "rules": group["rules"]}
