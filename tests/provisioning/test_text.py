"""Text that is the same on every run."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provisioning.text import as_json, as_yaml, decimal, rounded

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.1 + 0.2, "0.3"), (1e-05, "0.00001"), (5.0, "5"), (1e17, "100000000000000000"), (12.5, "12.5"), (-0.25, "-0.25")],
)
def test_numbers_are_decimals(number: float, text: str) -> None:
    assert decimal(number) == text
    assert as_json({"n": number}).decode() == f'{{\n  "n": {text}\n}}\n'
    assert as_yaml({"n": number}, "h").decode() == f"# h\nn: {text}\n"


def test_people_read_no_exponents() -> None:
    shown = [rounded(number) for number in (0, 0.00001234, 12.345, 99.96, 1766.2, -1234.5, 1e9)]
    assert shown == ["0", "0.0000123", "12.3", "100", "1,766", "-1,234", "1,000,000,000"]


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_what_is_no_decimal_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="decimal"):
        as_json([number])


@given(DOCUMENTS)
def test_json_reads_back_and_looks_as_the_standard_library_writes_it(document: Any) -> None:
    assert as_json(document).decode() == json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@given(DOCUMENTS)
def test_yaml_reads_back(document: Any) -> None:
    assert yaml.safe_load(as_yaml(document, "heading")) == document


def test_long_expressions_are_blocks_and_order_is_kept() -> None:
    expression = "sum by (environment) (rate(agent_queries_total[5m])) / " * 3
    body = as_yaml({"record": "z", "expr": expression.strip(), "also": ["x", "y"]}, "h").decode()
    assert body.splitlines()[1:3] == ["record: z", "expr: |-"]
    assert f"\n  {expression.strip()}\n" in body
