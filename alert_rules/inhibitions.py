"""Which alerts mute which, because they say the same, or because they say why.

- The worse mutes the milder: of one concern, a page mutes what is critical and what is a warning, and what is critical mutes
  the warnings, where the milder one is about the same thing or a part of it.
- A source that is down, or whose figures are old, mutes what its figures say: these alerts are neither firing nor well.
- What others depend on mutes them: an alert with the label `depends` is muted by the alert of that name, where both are about
  the same thing, and unless it is more urgent than its cause.

A muted alert is told neither when it fires nor when it ends: so a source that goes away never looks like an end of the trouble.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from alert_rules.model import Alert, Severity

Config = dict[str, Any]

WATCHDOG = "Watchdog"
"""Always fires. Nothing mutes it, and only the dead man's switch and the history hear of it."""


@dataclass(frozen=True)
class Cause:
    """An alert that says that the figures of `lost` sources are not there, where its own `label` has this value.

    Symptoms are alerts whose label `source` is one of `lost`. `same` are labels that cause and symptom have to share. Where the
    source itself is `gone`, alerts on reading it are symptoms; otherwise they are what explains the cause.
    """

    alert: str
    label: str
    value: str
    lost: tuple[str, ...]
    same: tuple[str, ...] = ()
    gone: bool = True

    @property
    def matchers(self) -> list[str]:
        return [f'alertname="{self.alert}"', f'{self.label}="{self.value}"']


CAUSES = (
    Cause("AllTargetsDown", "job", "platform", ("platform",), ("environment",)),
    Cause("AllTargetsDown", "job", "exporter", ("exporter", "langfuse", "postgres")),
    Cause("SourceDown", "source", "langfuse", ("langfuse",)),
    Cause("SourceDown", "source", "postgres", ("postgres",)),
    Cause("SourceDown", "source", "rollups", ("postgres",)),
    Cause("DataTooOld", "source", "langfuse", ("langfuse",), gone=False),
    Cause("DataTooOld", "source", "postgres", ("postgres",), gone=False),
    Cause("DataTooOld", "source", "rollups", ("postgres",), gone=False),
)
"""In the order in which they explain each other: the earlier is the reason of the later."""

READING = ("completeness", "exporter-query", "ledger", "rollup")
"""Concerns of the alerts on how sources are read. Their label `source` may name a part of a source."""


def rules(alerts: Iterable[Alert]) -> list[Config]:
    """Alertmanager's inhibition rules for these alerts."""
    known = sorted(alerts, key=lambda alert: alert.name)
    return [*_milder(known), *_symptoms(known), *_dependants(known)]


def one_of(label: str, values: Iterable[str], but: bool = False) -> str:
    """A matcher for some plain values of a label, or for all others."""
    several = sorted(set(values))
    if len(several) == 1:
        return f'{label}{"!=" if but else "="}"{several[0]}"'
    return f'{label}{"!~" if but else "=~"}"{"|".join(several)}"'


def _rule(source: list[str], target: list[str], equal: Iterable[str]) -> Config:
    return {"source_matchers": source, "target_matchers": target, "equal": sorted(equal)}


def _rank(alert: Alert) -> int:
    if alert.paging:
        return 3
    return {Severity.CRITICAL: 2, Severity.WARNING: 1}.get(alert.severity, 0)


def _milder(alerts: list[Alert]) -> Iterator[Config]:
    """What is only good to know is left alone: it explains as often as it repeats."""
    for worse in alerts:
        milder = [
            alert.name
            for alert in alerts
            if alert.concern == worse.concern and 0 < _rank(alert) < _rank(worse) and set(worse.by) <= set(alert.by)
        ]
        if milder:
            yield _rule([f'alertname="{worse.name}"'], [one_of("alertname", milder)], worse.by)


def _symptoms(alerts: list[Alert]) -> Iterator[Config]:
    """Causes are symptoms of earlier causes only; of one concern they are the worse and the milder already."""
    by_name = {alert.name: alert for alert in alerts}
    causes = [cause for cause in CAUSES if cause.alert in by_name]
    apart = by_name.keys() & {WATCHDOG, *(cause.alert for cause in causes)}
    speaking = {alert.source for alert in alerts if alert.name not in apart}
    reading = {alert.name: alert.source for alert in alerts if alert.concern in READING}
    for position, cause in enumerate(causes):
        spared = apart if cause.gone else apart | reading.keys()
        if symptoms := speaking.intersection(cause.lost):
            yield _rule(cause.matchers, [one_of("source", symptoms), one_of("alertname", spared, but=True)], cause.same)
        if cause.gone and (named := [name for name, source in reading.items() if source in cause.lost]):
            yield _rule(cause.matchers, [one_of("alertname", named)], cause.same)
        for later in causes[position + 1 :]:
            concerns = {by_name[cause.alert].concern, by_name[later.alert].concern}
            if len(concerns) == 2 and set(later.lost) <= set(cause.lost):
                yield _rule(cause.matchers, later.matchers, cause.same)


def _dependants(alerts: list[Alert]) -> Iterator[Config]:
    for cause in alerts:
        held: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for alert in alerts:
            shared = tuple(sorted(set(cause.by) & set(alert.by)))
            if ("depends", cause.name) in alert.labels and _rank(alert) <= _rank(cause) and (shared or not cause.by):
                held[shared].append(alert.name)
        for shared, names in sorted(held.items()):
            yield _rule([f'alertname="{cause.name}"'], [one_of("alertname", names)], shared)
