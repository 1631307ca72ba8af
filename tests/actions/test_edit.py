"""A text is changed where it has to be, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provisioning.actions.edit import Unfit, with_item, without_item

TEXT = """\
# Our site.
sources:
  prometheus: {url: "http://prometheus:9090"}   # in the cluster

slo:
  # What we have promised.
  - name: answers          # the main one
    sli: latency
    objective: 99
    agents: [billing,
             support]

  # For the team of models.
  - {name: models, sli: first_token, objective: 95}

# Money.
budgets: [{scope: all, monthly_usd: 100}]
teams:
"""
NEW = {"name": "new", "sli": "errors", "objective": 99.5}


def test_an_item_is_added_at_the_end_of_its_list() -> None:
    changed = with_item(TEXT, "slo", "name", NEW, [])
    block = "  - name: new\n    sli: errors\n    objective: 99.5\n"
    assert changed == TEXT.replace("objective: 95}\n", f"objective: 95}}\n{block}")


def test_an_item_is_replaced_where_it_stands() -> None:
    changed = with_item(TEXT, "slo", "name", {"name": "answers", "objective": 98}, [])
    assert changed.startswith(TEXT[: TEXT.index("  - name: answers")] + "  - name: answers\n    objective: 98\n\n  # For")
    assert changed.endswith(TEXT[TEXT.index("  # For the team") :])
    assert with_item(TEXT, "slo", "name", {"name": "models", "sli": "cost"}, []) == TEXT.replace(
        "  - {name: models, sli: first_token, objective: 95}\n", "  - name: models\n    sli: cost\n"
    )


def test_an_item_is_taken_out() -> None:
    changed = without_item(TEXT, "slo", "name", "models", [])
    assert changed == TEXT.replace("  - {name: models, sli: first_token, objective: 95}\n", "")
    assert without_item(TEXT, "slo", "name", "nobody", []) == TEXT


def test_a_list_on_one_line_is_written_out() -> None:
    changed = with_item(TEXT, "budgets", "scope", {"scope": "staging", "monthly_usd": 5.0}, [])
    assert "budgets:\n  - scope: all\n    monthly_usd: 100\n  - scope: staging\n    monthly_usd: 5.0\nteams:\n" in changed
    assert "budgets: []\nteams:" in without_item(TEXT, "budgets", "scope", "all", [])


def test_a_list_that_is_missing_is_written_with_what_holds() -> None:
    standing = [{"name": "default", "sli": "errors"}]
    changed = with_item("environments: [production]\n", "slo", "name", NEW, standing)
    assert changed.startswith("environments: [production]\n\nslo:\n  - name: default\n")
    assert yaml.safe_load(changed)["slo"] == [*standing, NEW]
    assert yaml.safe_load(with_item("", "slo", "name", NEW, []))["slo"] == [NEW]
    assert yaml.safe_load(without_item("", "slo", "name", "default", standing)) == {"slo": []}


@pytest.mark.parametrize("empty", ["slo:\nteams: []\n", "slo: []\nteams: []\n", "slo: null\nteams: []\n", "teams: []\nslo:"])
def test_an_empty_list(empty: str) -> None:
    assert yaml.safe_load(with_item(empty, "slo", "name", NEW, [])) == {"slo": [NEW], "teams": []}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{slo: []}", "one key a line"),
        ("- slo", "one key a line"),
        ("slo: [", "not YAML"),
        ("slo:\n  - &one {name: a}\n", "anchors"),
    ],
)
def test_what_cannot_be_changed_by_lines_is_refused(text: str, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        with_item(text, "slo", "name", NEW, [])


_words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
_items = st.dictionaries(_words, st.one_of(_words, st.integers(), st.booleans(), st.lists(_words)), max_size=4)


@given(st.lists(_items, max_size=4), _items, st.booleans(), st.integers(0, 3), st.integers(0, 4))
def test_whatever_stands_there_the_list_is_what_it_should_be(
    items: list[dict[str, Any]], new: dict[str, Any], flow: bool, indent: int, replaced: int
) -> None:
    named = [{**item, "name": f"item-{number}"} for number, item in enumerate(items)]
    listed = yaml.safe_dump(named, allow_unicode=True, default_flow_style=flow)
    body = "".join(f"{' ' * (indent + flow)}{line}" for line in listed.splitlines(keepends=True)) if named else "  []\n"
    text = f"before: 1\nslo:\n{body}# after\nafter: [2]\n"
    item = {**new, "name": f"item-{replaced}"}
    changed = with_item(text, "slo", "name", item, [])
    wanted = [item if one["name"] == item["name"] else one for one in named]
    wanted += [item] if item not in wanted else []
    assert yaml.safe_load(changed) == {"before": 1, "slo": wanted, "after": [2]}
    assert changed.startswith("before: 1\n") and changed.endswith("# after\nafter: [2]\n")
    left = [one for one in wanted if one["name"] != item["name"]]
    assert yaml.safe_load(without_item(changed, "slo", "name", item["name"], [])) == {"before": 1, "slo": left, "after": [2]}
