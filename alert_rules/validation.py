"""What makes an alert sound. Everything that is wrong is collected and said at once, each with its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alert_rules import wording
from alert_rules.model import Alert, Kind, Severity
from contract.catalogue import catalogue
from contract.settings import Settings
from contract.signals.model import Always, Mean, Quantile, Ratio, Signal
from contract.values import duration_seconds
from recording_rules.model import Recorded

_NAME = re.compile(r"([A-Z][a-z0-9]+)+")
_PANEL = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")
_RESERVED = frozenset({"alertname", "severity", "team", "concern", "paging"})
RULES_PER_GROUP = 20


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake: where it stands, and what is wrong and would be right."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class AlertError(ValueError):
    """Some alerts are not sound. `findings` holds every mistake."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


def findings(alerts: tuple[Alert, ...], settings: Settings) -> list[Finding]:
    """Every mistake of these alerts under these settings; none when all is well."""
    return [
        *_of_the_settings(settings),
        *_of_the_whole(alerts),
        *(Finding(f"alert {alert.name}, {part}", message) for alert in alerts for part, message in _of_one(alert, settings)),
    ]


def _of_the_settings(settings: Settings) -> Iterator[Finding]:
    for environment in settings.notifications.paging_environments:
        if environment not in settings.environments:
            known = ", ".join(settings.environments)
            yield Finding(
                "settings notifications.paging_environments", f"{environment} is not an environment; there are {known}"
            )


def _of_the_whole(alerts: tuple[Alert, ...]) -> Iterator[Finding]:
    for name, count in sorted(Counter(alert.name for alert in alerts).items()):
        if count > 1:
            yield Finding(f"alert {name}", f"{count} alerts have this name; each needs its own")
    for group, count in sorted(Counter(alert.group.name for alert in alerts).items()):
        if count > RULES_PER_GROUP:
            yield Finding(f"alert group {group}", f"{count} alerts; split it, {RULES_PER_GROUP} is the most")
    intervals: dict[str, str] = {}
    for alert in alerts:
        if intervals.setdefault(alert.group.name, alert.group.interval) != alert.group.interval:
            yield Finding(f"alert group {alert.group.name}", "has two intervals; a group is evaluated at one")


Parts = Iterator[tuple[str, str]]


def _of_one(alert: Alert, settings: Settings) -> Parts:
    found = [
        *_identity(alert, settings),
        *_durations(alert, settings),
        *_signals(alert),
        *_limits(alert, settings),
        *_texts(alert),
        *(_page(alert) if alert.paging else ()),
    ]
    yield from found
    if not {"signal", "by", "guards", "hold", "keep_firing_for", "window", "threshold"} & {part for part, _ in found}:
        yield from _scenarios(alert, settings)


def _identity(alert: Alert, settings: Settings) -> Parts:
    if not _NAME.fullmatch(alert.name) or len(alert.name) > 40:
        yield "name", "names are CamelCase and at most 40 characters long"
    if alert.team and alert.team not in (teams := [team.name for team in settings.teams]):
        yield "team", f"there is no team {alert.team} in the settings; teams are {', '.join(teams)}"
    if not alert.team and "team" not in alert.by:
        yield "team", "is missing; name one, or group by the label team when the series say whose they are"
    if not _PANEL.fullmatch(alert.panel_key):
        yield "panel", f"{alert.panel_key!r} is not a panel key; write tab/name, for example overview/agent_errors"
    if isinstance(alert.signal, (Ratio, Quantile, Mean)) and not alert.guards:
        yield "guards", "a ratio or quantile without a least traffic fires on a single event; name a guard"


def _durations(alert: Alert, settings: Settings) -> Parts:
    prometheus = settings.sources.prometheus
    least, most = 2 * duration_seconds(prometheus.scrape_interval), duration_seconds(prometheus.retention)
    looks = [("window", alert.signal, alert.window), *(("guards", guard.signal, guard.window) for guard in alert.guards)]
    durations = [(part, text) for part, _, text in looks]
    durations += [("hold", alert.hold), ("keep_firing_for", alert.keep_firing_for), ("group", alert.group.interval)]
    for part, text in durations:
        try:
            duration_seconds(text)
        except ValueError as error:
            yield part, str(error)
            return
    for part, signal, text in looks:
        seconds = duration_seconds(text)
        if _looks_over(signal) and not least <= seconds <= most:
            remedy = f"; scrape every {seconds / 2:g} s or more often" if seconds < least else ""
            remedy += ", or name no `notifications.paging_environments`" if remedy and alert.paging else ""
            told = f"{text} does not lie between two scrapes ({least:g} s) and the retention ({prometheus.retention})"
            yield part, told + remedy


def _looks_over(signal: Signal) -> bool:
    """Whether a window plays a part. That of a gauge as it stands does not; what cannot be asked is said elsewhere."""
    try:
        return signal.expression(window="5m") != signal.expression(window="10m")
    except KeyError:
        return False


def _signals(alert: Alert) -> Parts:
    signals: list[tuple[str, Signal]] = [("signal", alert.signal), *(("guards", guard.signal) for guard in alert.guards)]
    signals += [("also", also.signal) for also in alert.also]
    known: list[Signal] = []
    for part, signal in signals:
        try:
            _ = signal.labels
            known.append(signal)
        except KeyError as error:
            yield part, f"the contract has no metric or series {error.args[0]}"
    if alert.signal.unit not in wording.VALUE_TEMPLATES:
        yield "signal", f"nobody has said how to print the unit {alert.signal.unit}; say it in wording.VALUE_TEMPLATES"
    for label in alert.by:
        if label in _RESERVED and not (label == "team" and not alert.team):
            yield "by", f"{label} is a label that the rule sets itself"
        lacking = {name: labels for signal in known for name, labels in _carried(signal) if label not in labels}
        for name, labels in lacking.items():
            yield "by", f"{name} has no label {label}; it has {', '.join(sorted(labels))}"


def _carried(signal: Signal) -> Iterator[tuple[str, frozenset[str]]]:
    """The labels that a question may group by, for each metric that it is made of; or of the recorded series that it reads."""
    if isinstance(signal, Recorded):
        yield signal.record, signal.labels
    else:
        yield from ((leaf.metric.name, leaf.metric.all_labels) for leaf in signal.leaves)


def _limits(alert: Alert, settings: Settings) -> Parts:
    known = type(settings.thresholds).model_fields
    named = [("guards", guard.least) for guard in alert.guards]
    named += [("also", also.limit) for also in alert.also if isinstance(also.limit, str)]
    for part, name in named:
        if name not in known:
            yield part, f"the thresholds have no field {name}; they have {', '.join(known)}"
    if isinstance(alert.threshold, str) and alert.threshold not in known:
        yield "threshold", f"the thresholds have no field {alert.threshold}; they have {', '.join(known)}"
    elif isinstance(alert.signal, Quantile) and alert.signal.metric_name in catalogue():
        limit, bounds = alert.limit(settings), alert.signal.leaf.metric.buckets[:-1]
        if limit not in bounds:
            near = sorted(sorted(bounds, key=lambda bound: abs(bound - limit))[:2])
            yield (
                "threshold",
                f"{alert.threshold} = {limit:g} is not a bucket bound of {alert.signal.metric_name}, so a quantile beyond it "
                f"would be a guess; take {' or '.join(f'{bound:g}' for bound in near)}",
            )


def _texts(alert: Alert) -> Parts:
    if not alert.summary or "{" in alert.summary or len(alert.summary) > 100:
        yield "summary", "is one fixed sentence of at most 100 characters, without placeholders"
    for part, text in (("meaning", alert.meaning), ("impact", alert.impact), ("description", alert.description)):
        if not text:
            yield part, "is missing; the person who is told needs it"
    if len(alert.checks) < 3:
        yield "checks", f"{len(alert.checks)} first checks; a runbook starts with three"
    if not alert.next_steps:
        yield "next_steps", "are missing; say what to do"
    try:
        used = wording.fields(alert.description)
    except ValueError as error:
        yield "description", f"its placeholders cannot be read: {error}"
        return
    known = wording.placeholders(alert)
    for name in used:
        if name not in known:
            yield (
                "description",
                f"{{{name}}} does not survive the grouping by {', '.join(alert.by)}; there are {', '.join(known)}",
            )


def _page(alert: Alert) -> Parts:
    if alert.severity is not Severity.CRITICAL:
        yield "severity", "only what is critical may page"
    if "environment" not in alert.by:
        yield "by", "a page says which environment it is about: group by environment"


def _scenarios(alert: Alert, settings: Settings) -> Parts:
    scenarios = alert.scenarios(alert, settings)
    kinds = {scenario.kind for scenario in scenarios}
    lives = isinstance(alert.signal, Always)  # a signal of life is never quiet, and must not be
    for kind, why in ((Kind.FIRES, "that it can fire"), (Kind.QUIET, "that it can be quiet")):
        if kind not in kinds:
            yield "scenarios", f"no scenario shows {why}; an alert is built with both"
    for scenario in scenarios:
        place = f"scenario {scenario.kind.value} ({scenario.story})"
        if {name for name, _ in scenario.labels} != set(alert.by):
            yield place, f"names other labels than the alert's: {', '.join(alert.by)}"
        if lives:
            if not scenario.firing or scenario.quiet:
                yield place, "a signal of life fires at every moment"
            continue
        if scenario.kind is Kind.FIRES and not (scenario.firing and scenario.quiet):
            yield place, "needs a moment before the alert fires and one at which it does"
        if scenario.kind in (Kind.QUIET, Kind.NO_TRAFFIC, Kind.NO_DATA) and (scenario.firing or not scenario.quiet):
            yield place, "needs a moment at which all is quiet, and none at which the alert fires"
