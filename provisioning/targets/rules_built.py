"""Rules as `build` wrote them for Prometheus, for those who write them in another form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from provisioning.text import from_yaml

Group = dict[str, Any]
HEADING = "Written by `observatory build`. Change the code or observatory.yaml instead."
_RULES = "prometheus/rules/"


def rule_files(built: Mapping[str, bytes]) -> Iterator[tuple[str, list[Group]]]:
    """Each rule file: its path without folder and ending, as one word, and its groups; in order of the files."""
    for path, body in sorted(built.items()):
        if path.startswith(_RULES):
            name = "-".join(PurePosixPath(path.removeprefix(_RULES)).with_suffix("").parts)
            yield name, from_yaml(body)["groups"]
