"""Every figure has one owner: what two sources could give is said of one of them, and alerts ask that one."""

from __future__ import annotations

from collections import defaultdict

from contract.catalogue import catalogue, series_catalogue
from contract.metrics import Source
from contract.owners import OWNED, REASONS
from contract.settings import Settings
from provisioning.build import artefacts
from provisioning.check.tree import names_read, parsed
from provisioning.rule_files import rule_groups

COMPARES = "SourceLosesEvents"
"""The alert that holds what two sources say of the same against each other."""
OTHERS = {name for one in OWNED for name in one.others} - {one.owner for one in OWNED}


def test_every_source_has_its_reason() -> None:
    assert set(REASONS) == set(Source)


def test_the_others_are_metrics_of_another_source() -> None:
    for one in OWNED:
        of = {catalogue()[name].source for name in one.others}
        assert of and catalogue()[one.owner].source not in of, one.figure


def test_what_two_sources_call_the_same_has_an_owner() -> None:
    alike = defaultdict(set)
    for metric in catalogue().values():
        alike[metric.name.removeprefix("platform_").removeprefix("agent_")].add(metric)
    twice = [{metric.name for metric in found} for found in alike.values() if len({metric.source for metric in found}) > 1]
    assert twice and all(any(names <= {one.owner, *one.others} for one in OWNED) for names in twice)


def test_alerts_ask_owners_alone() -> None:
    rules = [rule for group in rule_groups(artefacts(Settings())) for rule in group["rules"] if rule.get("alert") != COMPARES]
    recorded = defaultdict(set)
    for rule in rules:
        recorded[rule.get("record", "")] |= names_read(parsed(rule["expr"]))  # those of alerts stand under no name
    seen, left = set[str](), set(recorded.pop(""))
    while left:
        name = left.pop()
        seen.add(name)
        left |= recorded[name] - seen
    asked = {series_catalogue()[name].name for name in seen if name in series_catalogue()}
    assert "agent_queries_total" in asked and not asked & OTHERS
