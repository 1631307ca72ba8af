"""What is said of a check: what it finds, why that is bad, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check. `name` stands behind its findings for good; `like` is the rule of another linter that finds the same."""

    name: str
    finds: str
    why: str
    remedy: str = ""
    like: str = ""

    @property
    def family(self) -> str:
        return self.name.partition("/")[0]
