"""What a plan needs of a kind of server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from provisioning.findings import Finding
from provisioning.plan.objects import Key, Live, State, Wanted


class Moved(Exception):
    """The server's object is no longer the one that the plan was made from. Nothing was written; plan again."""


class Refused(Exception):
    """The server does not take it: a right is missing, or the object is not sound. The text says what and the remedy."""


class Target(Protocol):
    """A server, or a folder that a server reads.

    Reading raises Unreachable when there is no answer in time, and Refused when a right is missing. Temporary failures (rate
    limits, 5xx, slow answers) are tried again with growing pauses before that, within a bound.
    """

    name: str
    """Such as `grafana`; the first word of every line about it."""
    kinds: tuple[str, ...]
    """Kinds of objects in the order in which they are written; they are removed in the reverse order."""
    as_a_whole: bool
    """Whether nothing is written before `finish`, so that an apply which ends early has changed nothing."""

    def wanted(self) -> tuple[Wanted, ...]:
        """Every object that the configuration wants there."""

    def live(self) -> State:
        """Every object there, ours and others', as far as the kinds go; and what we remember of our last apply."""

    def begin(self, state: State) -> None:
        """Nobody else applies from here on. Raises Moved when somebody does, or did since `state` was read."""

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        """Create the object, or replace `live`; what the server then returns. Raises Moved when it is no longer `live`."""

    def remove(self, live: Live) -> None:
        """Take the object away. Raises Moved when it is no longer `live`. One that is already gone is fine."""

    def mark(self, live: Live, owner: str) -> Live:
        """Put the owner's mark on the object, or take ours away when `owner` is empty; all else of it stays as it is.

        For `adopt` and `release`. Returns what the server then has. Raises Moved when it is no longer `live`. A kind that is
        known by the ledger alone has nothing to write here.
        """

    def remember(self, ledger: Mapping[Key, str]) -> None:
        """Keep these digests for the next plan. Called after every change, so that an interrupted apply is taken up again."""

    def finish(self, said: str) -> list[Finding]:
        """All changes are made: bring them into force, and verify that what is in force is what was wanted.

        `said` is a sentence about the apply, for annotations. A target that can only change as a whole does so here, and goes
        back to what was in force when the server refuses it; an error among the findings says so, and that all was taken back.
        """

    def abandon(self) -> None:
        """The apply ends early: let others apply. What is written stays, and is remembered."""
