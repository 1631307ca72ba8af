"""What fires around an incident, in virtual time: by a replay of all alerts, and by promtool for those that look back shortly.

Recorded series that look back further are taken from the history, as they were recorded; all others are made anew. promtool
evaluates all rules at one pace, so it gets the time around the incident, and of the alerts that are to fire those together that
are looked at as often.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from demo.drill.expected import ALWAYS, EXPECTED, NOTHING, expected
from demo.drill.lives import ANCHOR, BEGINS, FOLLOWED, Life
from demo.drill.rulebook import Groups
from provisioning.rules.built import AlertingRule, Build, Rule, from_groups
from provisioning.rules.history import History, Span
from provisioning.rules.plan import Readings, Window
from provisioning.rules.replay import Replayed, replay
from provisioning.rules.report import about_text
from provisioning.rules.server import oldest

STEP = 15
LEAD = 20 * 60
"""Seconds before the incident from which promtool sees samples; no rule that it evaluates looks back further."""
_BEGIN = int(ANCHOR + BEGINS) - LEAD
_COUNT = (int(ANCHOR + FOLLOWED) - _BEGIN) // STEP + 1


def replayed(life: Life, history: History, groups: Groups) -> Replayed:
    """When alerts fired from just before ANCHOR until the platform's end; `history` is the life's."""
    whole, near = from_groups("the build", groups), short(groups)
    reads = Readings(whole).of
    far = {read.name for alert in whole.alerting for read in reads[alert.expression] if read.reach > LEAD}
    recording = tuple(rule for rule in near.recording if rule.name not in far)
    build = Build(whole.place, recording, whole.alerting)
    return replay(build, history, Window(ANCHOR, life.until), lambda _share: None, oldest(life.metrics))


def fired(found: Replayed) -> frozenset[tuple[str, str]]:
    """Name and labels of every alert that fired."""
    return frozenset((one.alert, about_text(one.labels)) for one in found.firings)


def short(groups: Groups) -> Build:
    """The rules that look back, through whatever they read, no further than LEAD; alerts may read what does."""
    build = from_groups("the build", groups)
    readings = Readings(build)
    reach: dict[str, float] = {}
    for name in sorted(readings.order, key=lambda name: readings.order[name]):
        reads = [read for rule in readings.by_name[name] for read in readings.of[rule.expression]]
        reach[name] = max((read.reach + reach.get(read.name, 0.0) for read in reads), default=0.0)
    kept = {name for name, seconds in reach.items() if seconds <= LEAD}

    def near(rule: Rule) -> bool:
        return all(
            read.reach + (reach[read.name] if read.name in kept else 0.0) <= LEAD for read in readings.of[rule.expression]
        )

    recording = tuple(rule for rule in build.recording if rule.name in kept)
    return Build(build.place, recording, tuple(rule for rule in build.alerting if near(rule)))


def judged(groups: Groups, kind: str) -> Build:
    """What promtool evaluates: of `short`, the alerts of an incident, and the recorded series that they are made of.

    Without an incident these are the alerts of all of them.
    """
    tables = EXPECTED.values() if kind == NOTHING else (EXPECTED[kind],)
    named = {name for table in (ALWAYS, *tables) for name in table}
    near = short(groups)
    alerting = tuple(rule for rule in near.alerting if rule.alert in named)
    needed = Readings(Build(near.place, near.recording, alerting)).order
    return Build(near.place, tuple(rule for rule in near.recording if rule.name in needed), alerting)


def promtool_files(history: History, groups: Groups, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and contents of files: for alerts that are looked at as often, `rules-15.yml` and `test-15.yml`, of which the test
    has the series around the incident, and exactly which of these alerts fire at any time of it."""
    build = judged(groups, kind)
    for interval in sorted({int(rule.interval) for rule in build.alerting}):
        alerting = tuple(rule for rule in build.alerting if rule.interval == interval)
        order = Readings(Build(build.place, build.recording, alerting)).order
        part = Build(build.place, tuple(rule for rule in build.recording if rule.name in order), alerting)
        yield from _files(part, groups, history, kind, interval)


def _files(build: Build, groups: Groups, history: History, kind: str, interval: int) -> Iterator[tuple[str, dict[str, Any]]]:
    readings = Readings(build)
    chosen = {(rule.group, rule.name, rule.expression) for rule in build.rules}
    kept = [group | {"rules": [rule for rule in group["rules"] if _key(group, rule) in chosen]} for group in groups]
    kept = sorted((group for group in kept if group["rules"]), key=lambda group: _level(group, readings))
    rules = f"rules-{interval}.yml"
    yield rules, {"groups": kept}
    test = {
        "interval": f"{STEP}s",
        "input_series": _series(history, readings),
        "promql_expr_test": [
            {
                "expr": f'max without (alertstate) (max_over_time(ALERTS{{alertstate="firing"}}[{_COUNT * STEP}s]))',
                "eval_time": f"{(_COUNT - 1) * STEP}s",
                "exp_samples": _alerts(build.alerting, expected(kind)),
            }
        ],
    }
    order = [group["name"] for group in kept]
    head = {"rule_files": [rules], "evaluation_interval": f"{interval}s", "group_eval_order": order}
    yield f"test-{interval}.yml", {**head, "tests": [test]}


def _key(group: Mapping[str, Any], rule: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(group["name"]), str(rule.get("record") or rule["alert"]), str(rule["expr"])


def _level(group: Mapping[str, Any], readings: Readings) -> int:
    names = [str(rule.get("record", "")) for rule in group["rules"]]
    return max(readings.order.get(name, 0) if name else 1_000 for name in names)


def _series(history: History, readings: Readings) -> list[dict[str, str]]:
    """Every series that the rules read and do not make, as promtool writes samples."""
    texts = {read.text for reads in readings.of.values() for read in reads if read.name not in readings.by_name}
    span = Span(_BEGIN, STEP, _COUNT)
    found = {}
    for text in sorted(texts):
        for (name, labels), points in history.range(text, span).items():
            inner = ",".join(f'{label}="{value}"' for label, value in labels)
            found[f"{name}{{{inner}}}"] = " ".join(_notation(points.get(at) for at in span.times))
    return [{"series": series, "values": values} for series, values in found.items()]


def _notation(values: Iterable[float | None]) -> Iterator[str]:
    """Samples as promtool writes them, short where one follows another like itself."""
    for value, alike in groupby("_" if value is None else f"{value:.15g}" for value in values):
        count = len(list(alike))
        yield f"_x{count}" if value == "_" else value if count == 1 else f"{value}x{count - 1}"


def _alerts(alerts: Iterable[AlertingRule], firing: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    own = {rule.alert: dict(rule.labels) for rule in alerts}
    samples = []
    for alert, about in sorted(firing):
        if alert in own:
            data = dict(pair.split("=", 1) for pair in about.split()) if "=" in about else {}
            labels = sorted((data | own[alert] | {"alertname": alert}).items())
            inner = ", ".join(f'{name}="{value}"' for name, value in labels)
            samples.append({"labels": f"{{{inner}}}", "value": 1})
    return samples
