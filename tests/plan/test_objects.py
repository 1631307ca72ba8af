"""Digests are equal exactly when documents are."""

from __future__ import annotations

import json
import random
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from provisioning.plan.objects import digest

numbers = some.integers(-(10**20), 10**20) | some.floats(allow_nan=False, allow_infinity=False)
values = some.recursive(
    some.none() | some.booleans() | numbers | some.text(max_size=4),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def shuffled(value: Any) -> Any:
    """The same value with keys in another order and whole numbers in another form."""
    if isinstance(value, dict):
        keys = random.sample(sorted(value), len(value))
        return MappingProxyType({key: shuffled(value[key]) for key in keys})
    if isinstance(value, list):
        return tuple(shuffled(item) for item in value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@given(value=values)
def test_the_order_of_keys_and_the_form_of_numbers_do_not_matter(value: Any) -> None:
    assert digest(value) == digest(shuffled(value)) == digest(json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("one", "other"), [(1, "1"), (1, True), (0, None), ({}, []), ("", None), ({"a": None}, {}), (1.5, 1), ([1, 2], [2, 1])]
)
def test_what_is_not_equal_has_other_digests(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


def test_large_whole_numbers_are_the_same_in_both_forms() -> None:
    assert digest({"a": 1e16}) == digest({"a": 10**16})
    assert digest({"a": -0.0}) == digest({"a": 0})
