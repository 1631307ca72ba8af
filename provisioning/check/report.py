"""What a check has to say as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.findings import Finding, has_errors


@dataclass(frozen=True)
class Report:
    """What was found, what was looked at, and what was not.

    `notes` are sentences about what was left out, `unchanged` how many findings stand in what a revision has as well.
    """

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def ok(self) -> bool:
        return not has_errors(self.findings)

    @property
    def summary(self) -> str:
        """What was looked at and how many findings of each kind there are, in one line."""
        looked_at = ", ".join(
            f"{count} {name if count != 1 else name.removesuffix('s')}" for name, count in self.counts.items()
        )
        counted = {kind: sum(finding.severity == kind for finding in self.findings) for kind in ("error", "warning", "note")}
        shown = [kind for kind in counted if counted[kind] or kind != "note"]
        said = ", ".join(f"{counted[kind]} {kind}{'' if counted[kind] == 1 else 's'}" for kind in shown)
        return f"{looked_at}: {said}" if looked_at else said

    @property
    def left_out(self) -> tuple[str, ...]:
        """The notes, and how many findings are as old as the revision that changes are counted from."""
        if not self.unchanged:
            return self.notes
        return (*self.notes, f"{self.unchanged} more in what has not changed")
