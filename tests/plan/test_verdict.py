"""Every cell of the table of what is to be done with one object."""

from __future__ import annotations

from itertools import product

import pytest

from provisioning.plan.verdict import Verdict, verdict

A, B, C = "a" * 16, "b" * 16, "c" * 16
ME, ANOTHER, NOBODY = "agent-observatory", "another", ""


@pytest.mark.parametrize(
    ("want", "live", "last", "owner", "expected"),
    [
        (A, None, None, NOBODY, Verdict.CREATE),
        (A, None, A, NOBODY, Verdict.RECREATE),
        (A, None, B, NOBODY, Verdict.RECREATE),
        (None, None, None, NOBODY, Verdict.GONE),
        (None, None, A, NOBODY, Verdict.GONE),
        (A, A, A, ME, Verdict.SAME),
        (A, A, B, ME, Verdict.SAME),
        (A, A, None, ME, Verdict.SAME),
        (A, B, B, ME, Verdict.UPDATE),
        (A, B, A, ME, Verdict.DRIFT),
        (A, B, C, ME, Verdict.CONFLICT),
        (A, B, None, ME, Verdict.CONFLICT),
        (None, A, A, ME, Verdict.PRUNE),
        (None, A, B, ME, Verdict.EDITED),
        (None, A, None, ME, Verdict.EDITED),
        (A, A, None, NOBODY, Verdict.ADOPT),
        (A, A, A, ANOTHER, Verdict.ADOPT),
        (A, B, A, NOBODY, Verdict.ADOPT),
        (None, A, None, NOBODY, Verdict.FOREIGN),
        (None, A, A, ANOTHER, Verdict.FOREIGN),
    ],
)
def test_the_table(want: str | None, live: str | None, last: str | None, owner: str, expected: Verdict) -> None:
    assert verdict(want, live, last, owner, ME) is expected


def test_what_is_not_ours_is_never_written_or_removed() -> None:
    harmless = {Verdict.ADOPT, Verdict.FOREIGN}
    for want, live, last, owner in product((None, A, B), (A, B), (None, A, B), (NOBODY, ANOTHER)):
        assert verdict(want, live, last, owner, ME) in harmless


def test_only_what_is_as_we_left_it_is_removed_or_replaced_unasked() -> None:
    for want, live, last in product((None, A, B), (A, B), (None, A, B)):
        if verdict(want, live, last, ME, ME) in (Verdict.PRUNE, Verdict.UPDATE):
            assert live == last
