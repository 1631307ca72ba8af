"""What promtool has proved once is not proved again: the same rules, scenarios and program give the same answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "var" / "proofs"


@dataclass(frozen=True)
class Proofs:
    """Remembers what passed, never what failed: one empty file for each proof.

    A folder that cannot be written remembers nothing.
    """

    program: Path
    folder: Path = FOLDER

    def of(self, read: Mapping[str, bytes]) -> Path:
        """Where it is remembered that a promtool test passes: by the program, and the files that it reads."""
        digest = hashlib.sha256(f"{self.program}:{self.program.stat().st_size}:{self.program.stat().st_mtime_ns}".encode())
        for name, body in sorted(read.items()):
            digest.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(body).digest())
        return self.folder / digest.hexdigest()

    def keep(self, proof: Path) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            proof.touch()
        except OSError:
            return
