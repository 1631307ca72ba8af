"""The rule files of a build, read back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from provisioning.text import from_yaml

FOLDER = "prometheus/rules/"


@lru_cache(maxsize=512)
def groups(rule_file: bytes) -> tuple[dict[str, Any], ...]:
    """The groups of a rule file. They are asked for again and again, and are the same ones each time: do not change them."""
    return tuple(from_yaml(rule_file)["groups"])


def rule_groups(artefacts: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """All groups among built files."""
    return [group for path, body in artefacts.items() if path.startswith(FOLDER) for group in groups(body)]
