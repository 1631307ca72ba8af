"""What a target would refuse is refused before it is written, and what just fits is not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from provisioning.check import limits
from provisioning.findings import Finding


def _said(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.place, finding.check) for finding in findings]


@pytest.mark.parametrize("limit", limits.LIMITS, ids=lambda limit: limit.what)
def test_a_limit_takes_what_just_fits_and_says_whose_it_is_and_what_to_do(limit: limits.Limit) -> None:
    assert list(limit.exceeded("x", limit.most)) == []
    (found,) = limit.exceeded("x", limit.most + 1)
    assert found.check == "targets/too-large" and found.place == "x" and found.severity == limit.severity
    assert limit.target in found.message and f"{limit.most + 1:,}" in found.message and found.remedy == limit.remedy


@pytest.mark.parametrize(
    ("find", "good", "bad"),
    [
        (limits.object_name, ["observatory-rules-1", "a.b"], ["Rules", "-a", "a_b", "", "a/b"]),
        (limits.label_value, ["agent-observatory", "", "A.b_c"], ["-a", "a b", "a/b"]),
        (limits.dashboard_uid, ["observatory-overview", "A_1"], ["", "a b", "ä", "a/b"]),
    ],
)
def test_names_that_a_target_does_not_take(find: object, good: list[str], bad: list[str]) -> None:
    assert callable(find)
    assert [name for name in good if list(find("x", name))] == []
    assert [_said(find("x", name)) for name in bad] == [[("x", "targets/name")]] * len(bad)


def test_long_names_are_too_large() -> None:
    assert _said(limits.object_name("x", "a" * 254)) == [("x", "targets/too-large")]
    assert _said(limits.label_value("x", "a" * 64)) == [("x", "targets/too-large")]
    assert _said(limits.dashboard_uid("x", "a" * 41)) == [("x", "targets/too-large")]


def test_the_limits_of_a_tenant_are_those_that_its_operator_has_set() -> None:
    groups = [(f"group_{number}", number) for number in range(30)]
    assert len(_said(limits.mimir_groups(groups))) == 9
    assert _said(limits.mimir_groups(groups, rules=29, groups=29)) == [("rule groups", "targets/too-large")]
    assert _said(limits.mimir_groups(groups, rules=0, groups=0)) == [], "0 takes any number"
