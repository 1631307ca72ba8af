"""What promtool has proved once is not proved again: the same rules, scenarios and version give the same answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "var" / "proofs"


@dataclass(frozen=True)
class Proofs:
    """Remembers what passed, never what failed: one empty file for each proof, so a CI may keep the folder between its runs.

    `version` is what promtool says of itself. A folder that cannot be written remembers nothing.
    """

    version: str
    folder: Path = FOLDER

    def of(self, read: Mapping[str, bytes]) -> Path:
        """Where it is remembered that a promtool test passes: by the version, and the files that it reads."""
        digest = hashlib.sha256(self.version.encode())
        for name, body in sorted(read.items()):
            digest.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(body).digest())
        return self.folder / digest.hexdigest()

    def keep(self, proof: Path) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            proof.touch()
        except OSError:
            return
