"""Rule files for Thanos Ruler and vmalert: the same rules as Prometheus has, as those two want them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.settings import Settings
from provisioning import build
from provisioning.rules.selectors import selected
from provisioning.targets.vmalert import unchained

Group = dict[str, Any]


@pytest.fixture(scope="module")
def built() -> dict[str, bytes]:
    targets = {"build": ["kubernetes", "thanos", "vmalert"], "thanos": {"partial_response": "warn"}}
    return build.artefacts(Settings.model_validate({"targets": targets}))


def groups(built: dict[str, bytes], folder: str) -> dict[str, list[Group]]:
    return {
        Path(path).stem: yaml.safe_load(body)["groups"] for path, body in built.items() if path.startswith(f"{folder}/rules/")
    }


def test_nothing_is_written_that_nobody_asked_for(built: dict[str, bytes]) -> None:
    plain = build.artefacts(Settings())
    assert {path.split("/")[0] for path in built.keys() - plain.keys()} == {"kubernetes", "thanos", "vmalert"}
    assert all(built[path] == body for path, body in plain.items())


def test_thanos_states_what_a_missing_store_means(built: dict[str, bytes]) -> None:
    ours, own = groups(built, "thanos"), groups(built, "prometheus")
    assert ours.keys() == own.keys()
    for name, found in ours.items():
        assert [group.pop("partial_response_strategy") for group in found] == ["warn"]
        assert found == own[name]


def test_vmalert_has_every_rule_and_no_chain_within_a_group(built: dict[str, bytes]) -> None:
    ours, own = groups(built, "vmalert"), groups(built, "prometheus")
    assert ours.keys() == own.keys()
    names = [group["name"] for found in ours.values() for group in found]
    assert len(set(names)) == len(names)
    for name, found in ours.items():
        rules = [rule for group in found for rule in group["rules"]]
        assert sorted(rules, key=str) == sorted(own[name][0]["rules"], key=str)
        for group in found:
            recorded = {rule.get("record") for rule in group["rules"]}
            assert not any(one.name in recorded for rule in group["rules"] for one in selected(rule["expr"])), group["name"]


def test_a_chain_becomes_groups_in_the_order_in_which_they_build_on_each_other() -> None:
    group: Group = {
        "name": "g",
        "interval": "1m",
        "rules": [
            {"record": "a", "expr": "rate(x[5m])"},
            {"record": "b", "expr": "sum(a)"},
            {"record": "free", "expr": "y"},
            {"record": "c", "expr": "b / a"},
            {"alert": "High", "expr": "c > 1"},
        ],
    }
    found = list(unchained(group))
    assert [one["name"] for one in found] == ["g", "g_2", "g_3", "g_4"] and all(one["interval"] == "1m" for one in found)
    assert [[rule.get("record", "High") for rule in one["rules"]] for one in found] == [["a", "free"], ["b"], ["c"], ["High"]]
    assert all(before["rules"] and after["rules"] for before, after in pairwise(found))


def test_two_rules_that_record_one_series_are_both_above_it() -> None:
    rules = [
        {"record": "a", "expr": "x", "labels": {"kind": "1"}},
        {"record": "b", "expr": "a"},
        {"record": "a", "expr": "b", "labels": {"kind": "2"}},
        {"record": "c", "expr": "a"},
    ]
    found = list(unchained({"name": "g", "rules": rules}))
    assert [[rule["record"] for rule in one["rules"]] for one in found] == [["a"], ["b"], ["a"], ["c"]]


def test_a_group_without_chains_stays_as_it_is() -> None:
    group: Group = {"name": "g", "rules": [{"record": "a", "expr": "x"}, {"alert": "A", "expr": "x > 1"}]}
    assert list(unchained(group)) == [group]
