"""What an apply remembers beside the files that it wrote: a hidden file in the folder of the server.

While files are exchanged the ledger knows both what was applied last and what is being applied, so that whatever an
interruption leaves behind is recognised as ours, and can be gone back from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from provisioning.plan.target import Refused


@dataclass(frozen=True)
class Ledger:
    """Digests of documents by path of their file, relative to the folder.

    `applied` were in force after the last apply. While one is under way, `applying` are those that are to be in force, and
    `written` the revisions of what it puts into each file, none where it takes the file away. `said` is a sentence about the
    last apply that ended well.
    """

    applied: Mapping[str, str] = field(default_factory=dict)
    applying: Mapping[str, str] | None = None
    written: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    said: str = ""

    @property
    def interrupted(self) -> bool:
        return self.applying is not None

    @property
    def names(self) -> frozenset[str]:
        """Every file that was or was to be ours."""
        return frozenset((*self.applied, *(self.applying or {})))

    def digest_of(self, name: str, now: str) -> str | None:
        """What we last wrote to a file that holds `now`; None when it is none of ours."""
        if self.applying is not None and self.applying.get(name) == now:
            return now
        return self.applied.get(name)

    def as_bytes(self) -> bytes:
        document: dict[str, Any] = {"said": self.said, "applied": dict(self.applied)}
        if self.applying is not None:
            document |= {
                "applying": dict(self.applying),
                "written": {name: list(found) for name, found in self.written.items()},
            }
        return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()

    @classmethod
    def read(cls, place: Path) -> Ledger:
        """The ledger in a file, an empty one where there is none. Raises Refused for a file that is no ledger."""
        try:
            document = json.loads(place.read_bytes())
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as problem:
            raise Refused(_unusable(place, problem)) from None
        try:
            applying = document.get("applying")
            return cls(
                _digests(document["applied"]),
                None if applying is None else _digests(applying),
                {_inside(name): tuple(map(str, found)) for name, found in document.get("written", {}).items()},
                str(document.get("said", "")),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as problem:
            raise Refused(_unusable(place, problem)) from None

    @property
    def revision(self) -> str:
        """Names this state of the ledger."""
        return hashlib.sha256(self.as_bytes()).hexdigest()[:16]


def _digests(found: Mapping[str, str]) -> dict[str, str]:
    return {_inside(name): str(digest) for name, digest in found.items()}


def _inside(name: str) -> str:
    """A path that stays within the folder, whoever wrote the ledger."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or len(path.parts) not in (1, 2):
        raise ValueError(f"{name!r} is not a file of the folder")
    return name


def _unusable(place: Path, problem: Exception) -> str:
    return f"{place} is not what apply wrote there: {problem}; restore it, or remove it and adopt the files beside it"
