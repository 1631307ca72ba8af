"""Groups of rules for Mimir's ruler. All groups of ours stand in the namespace that is called as the owner is.

One group among them is no rule to anybody: `applied` holds, in the annotations of an alert that never fires, the digests of
what was written last and the sign of whoever writes at the moment. There is no other place in a tenant for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from provisioning.plan.objects import Key, Live, Wanted, digest
from provisioning.targets.rule_groups import normal
from provisioning.targets.rules_built import HEADING, Group, rule_files
from provisioning.text import as_yaml

RECORDING, ALERTS = "recording rules", "alert rules"
LEDGER = "applied"
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every value is a text, as Prometheus reads labels
_ALERT = "ObservatoryApplied"


def wanted(built: Mapping[str, bytes]) -> Iterator[Wanted]:
    """Every group of a build, with its text for Mimir."""
    for _, groups in rule_files(built):
        for group in groups:
            yield Wanted(key(group), group["name"], normal(group), text(group))


def text(group: Group) -> str:
    return as_yaml(group, HEADING).decode()


def key(group: Mapping[str, Any], namespace: str = "") -> Key:
    kind = ALERTS if any("alert" in rule for rule in group.get("rules") or ()) else RECORDING
    return Key(kind, f"{namespace}/{group['name']}" if namespace else str(group["name"]))


def live(group: Mapping[str, Any], owner: str, namespace: str = "") -> Live:
    """A group as Mimir has it: ours in our namespace, else of somebody in `namespace`."""
    document = normal(group)
    return Live(key(group, namespace), str(group["name"]), document, owner, digest(document), group)


def namespaces(answer: str) -> dict[str, list[dict[str, Any]]]:
    """Groups by namespace, from the list of all rules. Raises ValueError for what is none."""
    found = _read(answer) or {}
    if not isinstance(found, dict) or not all(isinstance(groups, list) for groups in found.values()):
        raise ValueError("no namespaces with groups")
    return {namespace: [_checked(group) for group in groups] for namespace, groups in found.items()}


def one_group(answer: str) -> dict[str, Any]:
    return _checked(_read(answer))


def _read(answer: str) -> Any:
    try:
        return yaml.load(answer, Loader=_Loader)  # noqa: S506  a base loader makes texts, lists and dictionaries only
    except yaml.YAMLError:
        raise ValueError("no YAML") from None


def _checked(group: Any) -> dict[str, Any]:
    if not isinstance(group, dict) or "name" not in group or not isinstance(group.get("rules") or [], list):
        raise ValueError("no group of rules")
    return group


@dataclass(frozen=True)
class Ledger:
    """What the group `applied` says: digests by object, and who writes."""

    digests: Mapping[Key, str] = field(default_factory=dict)
    writer: str = ""

    @classmethod
    def of(cls, group: Mapping[str, Any]) -> Ledger:
        """An empty one where the group says nothing that can be read."""
        try:
            said = group["rules"][0]["annotations"]
            entries = json.loads(said["digests"])
            return cls({Key(*name.split(" | ", 1)): str(last) for name, last in entries.items()}, said["writer"])
        except (KeyError, IndexError, ValueError, TypeError, AttributeError):
            return cls()

    def group(self) -> Group:
        entries = {f"{key.kind} | {key.name}": last for key, last in sorted(self.digests.items())}
        annotations = {
            "summary": "Never fires. What `observatory apply` wrote here last.",
            "digests": json.dumps(entries),
            "writer": self.writer,
        }
        rule = {"alert": _ALERT, "expr": "vector(1) < 0", "labels": {"severity": "info"}, "annotations": annotations}
        return {"name": LEDGER, "interval": "1h", "rules": [rule]}

    @property
    def revision(self) -> str:
        return digest([self.writer, {str(key): last for key, last in self.digests.items()}])
