"""What every Kubernetes object of ours has in common: names, labels, and the text of its file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from contract.settings import Settings
from provisioning.text import as_yaml

Object = dict[str, Any]
PRODUCT = "agent-observatory"
MANAGED_BY = "app.kubernetes.io/managed-by"
NAME, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
HEADING = "Written by Agent Observatory. Change the code or observatory.yaml instead."


@dataclass(frozen=True)
class Maker:
    """Makes objects that carry the owner's mark, in the namespace of the settings."""

    settings: Settings

    @property
    def owner(self) -> str:
        return self.settings.plan.owner

    def name(self, *words: str) -> str:
        """The name of an object of ours: the owner first, so that those of two owners never meet."""
        return "-".join((self.owner, *map(slug, words)))

    def make(
        self,
        api: str,
        kind: str,
        name: str,
        body: Object,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
    ) -> Object:
        metadata: Object = {
            "name": name,
            "namespace": self.settings.targets.kubernetes.namespace,
            "labels": {NAME: PRODUCT, MANAGED_BY: self.owner, **(labels or {})},
        }
        if annotations:
            metadata["annotations"] = annotations
        return {"apiVersion": api, "kind": kind, "metadata": metadata, **body}


def slug(text: str) -> str:
    """A text as part of an object's name.

    >>> slug("agent_hour_rates"), slug("Observatory.Overview")
    ('agent-hour-rates', 'observatory.overview')
    """
    return re.sub(r"[^a-z0-9.-]+", "-", text.lower()).strip("-.")


def text(document: Object) -> bytes:
    """The contents of the object's file."""
    return as_yaml(document, HEADING)


def file_name(document: Object) -> str:
    """`prometheusrule-agent-observatory-agent-rates.yaml`."""
    return f"{document['kind'].lower()}-{document['metadata']['name']}.yaml"
