"""Scenarios as promtool tests: input series in Prometheus' notation, and what must fire, with all labels and annotations."""

from __future__ import annotations

import re
from collections import deque
from decimal import Decimal
from itertools import accumulate, repeat
from typing import Any

from alert_rules import wording
from alert_rules.catalogue import checked
from alert_rules.model import Alert, Flow, Labels, Phase, Scenario
from alert_rules.rules import expression
from alert_rules.sources import ALL_TARGETS_DOWN, EXPORTER, JOB, PLATFORM
from contract.catalogue import series_catalogue
from contract.metrics import Source
from contract.settings import Settings
from contract.values import duration_seconds
from recording_rules import registry

RULE_FILES = "../rules"
"""The folder of the rules, as seen from that of the tests. Each group has a file of its own name."""

_BASE = 1_000_000.0
"""What counters start from. A counter that starts at zero is extrapolated less, which is right but another story."""

_RECORDED = re.compile(r"[a-zA-Z_]\w*:\w+:\w+")

_Series = tuple[str, Labels]
_Judgement = tuple[float, str, list[dict[str, object]]]
"""A moment, the name of an alert, and all that fires of it then."""


def _target(series: _Series) -> dict[str, str]:
    """The labels that a scrape adds, where the series does not say otherwise."""
    name, labels = series
    ours = series_catalogue()[name].source not in (Source.PLATFORM, Source.FOREIGN)
    target = {"job": "exporter", "instance": EXPORTER} if ours else {"job": "platform", "instance": PLATFORM}
    return target | {label: value for label, value in labels if label in target}


def _selected(name: str, labels: dict[str, str]) -> str:
    inner = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inner}}}"


def _text(series: _Series) -> str:
    name, labels = series
    return _selected(name, _target(series) | dict(labels))


def _answering(series: list[_Series]) -> list[tuple[str, dict[str, str]]]:
    """Prometheus' own series `up` of the targets that series come from, each with its labels."""
    found = []
    for one in series:
        labels = _target(one)
        if labels["job"] == "platform" and (environment := dict(one[1]).get("environment")):
            labels["environment"] = environment
        if one[0] != "up" and labels not in found:
            found.append(labels)
    return [
        ("up{" + ",".join(f'{label}="{value}"' for label, value in sorted(labels.items())) + "}", labels) for labels in found
    ]


def _values(series: _Series, phases: tuple[Phase, ...], step: float) -> str:
    """The samples of one series, one every `step` seconds, the first at zero."""
    counts = Flow(*series, 0.0).counts
    value: float | None = None
    parts = []
    passed = 0.0
    for number, phase in enumerate(phases):
        count = round(phase.seconds / step) + (number == 0)
        first, passed = passed + (step if number else 0.0), passed + phase.seconds
        if phase.flows is None:
            parts.append(f"_x{count}" if value is None else f"stale _x{count - 1}")
            value = None
            continue
        flows = [flow for flow in phase.flows if (flow.series, flow.labels) == series]
        amount = sum(flow.amount for flow in flows)
        clock = any(flow.clock for flow in flows)
        growth = round((amount if counts else 60 * clock + sum(flow.slope for flow in flows)) * step / 60, 9)
        start = (_BASE if value is None else value + growth) if counts else first - amount if clock else amount
        parts.append(f"{_exact(start)}{'' if growth < 0 else '+'}{_exact(growth)}x{count - 1}")
        # Added up as promtool does it: were the next phase to begin a trifle lower, that would be a counter that starts anew.
        (value,) = deque(accumulate(repeat(growth, count - 1), initial=start), maxlen=1)
    return " ".join(parts)


def _exact(number: float) -> str:
    return f"{Decimal(repr(number)).normalize():f}"


def _up(phases: tuple[Phase, ...], step: float) -> str:
    """Whether the source answers: 1 in a phase with data, 0 once it is gone, nothing before it was ever there."""
    seen, parts = False, []
    for number, phase in enumerate(phases):
        count = round(phase.seconds / step) + (number == 0)
        seen = seen or phase.flows is not None
        parts.append(f"{1 if phase.flows is not None else 0}x{count - 1}" if seen else f"_x{count}")
    return " ".join(parts)


def _series_of(scenario: Scenario) -> list[_Series]:
    return sorted({(flow.series, flow.labels) for phase in scenario.phases for flow in phase.flows or ()})


def _told_at_once(scenarios: tuple[Scenario, ...]) -> list[tuple[Scenario, ...]]:
    """The same scenarios, together where the data of one ends with that of the others before it: it is judged on the way."""
    found: list[tuple[Scenario, ...]] = []
    for one in scenarios:
        place = next((n for n, told in enumerate(found) if _goes_on(told[-1], one)), None)
        if place is None:
            found.append((one,))
        else:
            found[place] += (one,)
    return found


def _goes_on(first: Scenario, later: Scenario) -> bool:
    begins = later.phases[: len(first.phases)] == first.phases and first.step == later.step
    return begins and _series_of(first) == _series_of(later)


def case(alert: Alert, scenarios: tuple[Scenario, ...], settings: Settings) -> dict[str, object]:
    """One test of a promtool file: the data of the last scenario, and what Prometheus must say at the moments of all."""
    *_, longest = scenarios
    step = longest.step or duration_seconds(settings.sources.prometheus.scrape_interval)
    series = _series_of(longest)
    targets = _answering(series)
    told: list[_Judgement] = []
    for scenario in scenarios:  # two that are told at once may look at the same moment
        told += (one for one in _judged(alert, scenario, settings) if one not in told)
    told.sort(key=lambda one: one[0])
    told += [
        (moment, ALL_TARGETS_DOWN.name, _gone(targets, settings))
        for scenario in scenarios
        for moment in scenario.source_gone
        if targets
    ]
    return {
        "name": f"{alert.name} {'; '.join(f'{one.kind.value}: {one.story}' for one in scenarios)}",
        "interval": f"{wording.decimal(step)}s",
        "input_series": [
            *({"series": _text(one), "values": _values(one, longest.phases, step)} for one in series),
            *({"series": text, "values": _up(longest.phases, step)} for text, _ in targets),
        ],
        "alert_rule_test": [
            {"eval_time": f"{wording.decimal(moment)}s", "alertname": name, "exp_alerts": expected}
            for moment, name, expected in told
        ],
    }


def _judged(alert: Alert, scenario: Scenario, settings: Settings) -> list[_Judgement]:
    """What the alert says at the moments of a scenario."""
    moments: dict[float, list[dict[str, object]]] = {moment: [] for moment in scenario.quiet}
    for moment, value in scenario.firing:
        moments[moment] = [
            {
                "exp_labels": wording.rule_labels(alert) | dict(scenario.labels),
                "exp_annotations": wording.rendered(alert, settings, scenario.labels, value),
            }
        ]
    return [(moment, alert.name, expected) for moment, expected in moments.items()]


def _gone(targets: list[tuple[str, dict[str, str]]], settings: Settings) -> list[dict[str, object]]:
    """What AllTargetsDown says when every one of these targets is gone."""
    found: list[dict[str, object]] = []
    for job in sorted({tuple(sorted((name, labels[name]) for name in JOB if name in labels)) for _, labels in targets}):
        known = dict.fromkeys(JOB, "") | dict(job)
        found.append(
            {
                "exp_labels": wording.rule_labels(ALL_TARGETS_DOWN) | dict(job),
                "exp_annotations": wording.rendered(ALL_TARGETS_DOWN, settings, tuple(known.items()), 0.0),
            }
        )
    return found


def _needed(alert: Alert, settings: Settings, groups: list[Any]) -> list[str]:
    """Names of those of the recorded groups that an alert depends on, its own last, each after those that it reads from."""
    waiting, seen, found = [expression(alert, settings)], set[str](), set[str]()
    while waiting:
        read = set(_RECORDED.findall(waiting.pop())) - seen
        seen |= read
        for group in groups:
            needed = [rule["expr"] for rule in group["rules"] if rule["record"] in read]
            found |= {group["name"]} if needed else set()
            waiting += needed
    ordered = [group["name"] for group in groups if group["name"] in found]
    return [*ordered, *dict.fromkeys((ALL_TARGETS_DOWN.group.name, alert.group.name))]


def promtool_file(cases: list[dict[str, object]], groups: list[str], interval: str) -> dict[str, object]:
    """A promtool test file around cases. These groups are evaluated at every `interval`, in this order."""
    return {
        "rule_files": [f"{RULE_FILES}/{name}.yml" for name in groups],
        "evaluation_interval": interval,
        "group_eval_order": groups,
        "tests": cases,
    }


def promtool_files(settings: Settings) -> dict[str, dict[str, object]]:
    """One promtool test file an alert, by file name."""
    groups = registry.rule_groups(settings)
    return {f"{alert.name}.yml": _proof(alert, settings, groups) for alert in checked(settings)}


def _proof(alert: Alert, settings: Settings, groups: list[Any]) -> dict[str, object]:
    scenarios = alert.scenarios(alert, settings)
    cases = [case(alert, told, settings) for told in _told_at_once(scenarios)]
    look = scenarios[0].look
    return promtool_file(
        cases, _needed(alert, settings, groups), f"{wording.decimal(look)}s" if look else str(cases[0]["interval"])
    )
