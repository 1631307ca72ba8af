"""The platform's memory between two runs: `var`/platform.json."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from demo.platform.metrics import CHECKPOINT_VERSION

NAME = "platform.json"


def read(var: Path) -> dict[str, Any] | None:
    """The checkpoint; None when there is none that this version can go on from."""
    try:
        found = json.loads((var / NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("version") == CHECKPOINT_VERSION else None


def write(var: Path, checkpoint: dict[str, Any]) -> None:
    """Replace the checkpoint as a whole."""
    part = var / f"{NAME}.{os.getpid()}.part"
    part.write_text(json.dumps(checkpoint, separators=(",", ":")), encoding="utf-8")
    part.replace(var / NAME)
