"""What is to be done with one object: what is wanted, what is there, and what was there after our last apply."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """A cell of the table. The value is its name in reports."""

    CREATE = "create"
    RECREATE = "recreate"
    """We wrote it once, and it is gone: removed by hand, or its apply never came to an end."""
    SAME = "same"
    UPDATE = "update"
    DRIFT = "drift"
    """Edited there, and not here."""
    CONFLICT = "conflict"
    """Edited there and here."""
    PRUNE = "prune"
    EDITED = "edited"
    """No longer wanted, and edited there since we wrote it."""
    ADOPT = "adopt"
    """Wanted, but what is there is not ours."""
    FOREIGN = "foreign"
    """Neither wanted nor ours."""
    GONE = "gone"
    """Neither wanted nor there; at most remembered."""


def verdict(want: str | None, live: str | None, last: str | None, owner: str, me: str) -> Verdict:
    """The digests of an object's normalised documents, None where there is no object; `owner` is whose mark it carries.

    `last` is the digest of what the server gave back after our last apply, None when it was never ours.
    """
    if live is None:
        if want is None:
            return Verdict.GONE
        return Verdict.CREATE if last is None else Verdict.RECREATE
    if owner != me:
        return Verdict.FOREIGN if want is None else Verdict.ADOPT
    if want is None:
        return Verdict.PRUNE if live == last else Verdict.EDITED
    if want == live:
        return Verdict.SAME
    if live == last:
        return Verdict.UPDATE
    return Verdict.DRIFT if want == last else Verdict.CONFLICT
