"""What `observatory plan` and `observatory apply` regard as ours, and what they never touch."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from contract.values import Section

Owner = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Protected = Annotated[str, Field(pattern=r"^[a-z][a-z ]* \S.{0,199}$")]


class Plan(Section):
    """Whose objects these are, on every server.

    `owner` is the mark on each object that `apply` writes; what carries another mark, or none, is left alone. Two
    configurations that go to the same servers need two owners. `protected` are objects that `apply` creates but never replaces
    or removes: `kind name`, where `*` stands for anything, such as `dashboard observatory-home` or `folder *`.
    """

    owner: Owner = "agent-observatory"
    protected: tuple[Protected, ...] = ()

    def protects(self, kind: str, name: str) -> bool:
        """Whether an object is never replaced or removed."""
        return any(fnmatchcase(f"{kind} {name}", pattern) for pattern in self.protected)
