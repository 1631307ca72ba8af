"""What changes between two builds: which alerts fire anew, no longer, earlier, later, shorter or longer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from provisioning.rules.built import Labels
from provisioning.rules.states import Firing


class Change(StrEnum):
    NEW = "fires only now"
    GONE = "fires no longer"
    EARLIER = "fires earlier"
    LATER = "fires later"
    SHORTER = "ends earlier"
    LONGER = "ends later"


@dataclass(frozen=True)
class Difference:
    """A firing of one build and what the other build makes of it; None where there is none."""

    change: Change
    before: Firing | None
    after: Firing | None

    @property
    def shown(self) -> Firing:
        found = self.after or self.before
        assert found is not None
        return found


def differences(before: Sequence[Firing], after: Sequence[Firing]) -> list[Difference]:
    """Firings of the same alert about the same thing belong together when they overlap, the first with the first."""
    found: list[Difference] = []
    old, new = _by_subject(before), _by_subject(after)
    for subject in sorted(old.keys() | new.keys()):
        found += _of_one(old.get(subject, []), new.get(subject, []))
    return sorted(found, key=lambda one: (one.shown.since, one.shown.alert, one.shown.labels))


def _by_subject(firings: Sequence[Firing]) -> dict[tuple[str, Labels], list[Firing]]:
    found: defaultdict[tuple[str, Labels], list[Firing]] = defaultdict(list)
    for firing in firings:
        found[firing.alert, firing.labels].append(firing)
    return found


def _of_one(before: Sequence[Firing], after: Sequence[Firing]) -> Iterator[Difference]:
    left = list(before)
    for firing in after:
        partner = next((one for one in left if one.overlaps(firing)), None)
        if partner is None:
            yield Difference(Change.NEW, None, firing)
            continue
        left.remove(partner)
        if firing.since != partner.since:
            yield Difference(Change.EARLIER if firing.since < partner.since else Change.LATER, partner, firing)
        elif firing.until != partner.until:
            longer = firing.until is None or (partner.until is not None and firing.until > partner.until)
            yield Difference(Change.LONGER if longer else Change.SHORTER, partner, firing)
    yield from (Difference(Change.GONE, one, None) for one in left)
