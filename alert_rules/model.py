"""What an alert is: a signal with a limit, an owner, words for people, and scenarios that prove it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from contract.catalogue import series_catalogue
from contract.metrics import MetricType
from contract.settings import Settings
from contract.signals.model import Matches, Rate, Signal
from contract.values import duration_seconds
from recording_rules.slo import one_of

Labels = tuple[tuple[str, str], ...]


def snake(name: str) -> str:
    """`AgentErrorsPage` as `agent_errors_page`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class AlertGroup:
    """Alerts that are evaluated together, every `interval`."""

    name: str
    interval: str


@dataclass(frozen=True)
class Guard:
    """The least that must have happened: with fewer events of `signal` in `window`, the alert is quiet.

    `least` names a field of the settings' thresholds.
    """

    signal: Rate
    window: str
    least: str

    @property
    def when(self) -> str:
        """The time in which it counts, such as `1h`, or `1h, 1d before`."""
        return f"{self.window}, {self.signal.offset} before" if self.signal.offset else self.window

    def count(self, settings: Settings) -> int:
        return int(getattr(settings.thresholds, self.least))


@dataclass(frozen=True)
class Also:
    """A further condition on the same labels: the alert fires only while this holds too.

    `limit` is a number or names a field of the settings' thresholds.
    """

    signal: Signal
    window: str
    comparison: Literal[">", "<"]
    limit: str | float

    def value(self, settings: Settings) -> float:
        return float(getattr(settings.thresholds, self.limit)) if isinstance(self.limit, str) else self.limit


@dataclass(frozen=True)
class MetricCheck:
    """A question that Prometheus answers; its query comes from the signal.

    With `against` it is how many times as much there is as so long before.
    """

    question: str
    signal: Signal
    by: tuple[str, ...]
    window: str = "5m"
    against: str = ""


@dataclass(frozen=True)
class TableCheck:
    """A question that PostgreSQL answers. `sql` reads the psql variable `since`, the moment from which to look."""

    question: str
    sql: str


class Kind(StrEnum):
    """What a scenario shows."""

    FIRES = "fires"
    QUIET = "quiet"
    RECOVERS = "recovers"
    NO_TRAFFIC = "no traffic"
    NO_DATA = "no data"
    SOURCE_LOST = "source lost while firing"


@dataclass(frozen=True)
class Flow:
    """What one series does for a while: events per minute of a counter, or the level of a gauge.

    A gauge that moves changes by `slope` a minute. With `clock` it holds the present moment, less `amount` seconds.
    `job` and `instance` are added as a scrape would add them, where `labels` do not name them.
    """

    series: str
    labels: Labels
    amount: float
    slope: float = 0.0
    clock: bool = False

    @property
    def counts(self) -> bool:
        return series_catalogue()[self.series].type is not MetricType.GAUGE


@dataclass(frozen=True)
class Phase:
    """A stretch of a scenario. Counters without a flow stand still; `flows` None means that the source is gone."""

    seconds: float
    flows: tuple[Flow, ...] | None


@dataclass(frozen=True)
class Scenario:
    """A story and what the alert makes of it.

    `labels` are those of the alert that fires, as far as they come from the data. `firing` maps moments (seconds from the
    start) to the value that the alert shows then; at the moments of `quiet` nothing of that name may fire. At the moments of
    `source_gone` the alert AllTargetsDown must fire for the targets that the data came from: it mutes the false message that
    all is well again. `step` is the seconds between samples, 0 for those of the settings; a long story is told in longer steps.
    `look` is the seconds between evaluations, 0 for as often as samples come. All scenarios of an alert have the same.
    """

    kind: Kind
    story: str
    labels: Labels
    phases: tuple[Phase, ...]
    quiet: tuple[float, ...]
    firing: tuple[tuple[float, float], ...] = ()
    source_gone: tuple[float, ...] = ()
    step: float = 0.0
    look: float = 0.0


def _always(_: Settings) -> bool:
    return True


def _of_service_levels(settings: Settings) -> tuple[str, ...]:
    return tuple(slo.team for slo in settings.slo)


@dataclass(frozen=True)
class Alert:
    """An alert, whole.

    `threshold` names a field of the settings' thresholds, or is a number. Texts may use the placeholders `{value}`,
    `{threshold}`, `{window}`, `{hold}` and the labels of `by`; `summary` is one fixed sentence without any. `concern` is
    shared by an alert and its siblings: the critical one mutes the warning of the same concern. A paging alert looks at
    the settings' paging environments only. `scenarios` are functions of the settings, so that other limits stay proven.

    `team` empty means that the series say whose they are, by a label `team`; `owners` are those whom it may name, first of all
    the owners of service levels. `panel` empty means the alert's own panel on the tab of alerts. `labels` are further fixed
    labels. `only` are the agents that it looks at, none for all. `needed` says whether a site has the alert at all.
    """

    name: str
    group: AlertGroup
    concern: str
    signal: Signal
    by: tuple[str, ...]
    window: str
    comparison: Literal[">", "<"]
    threshold: str | float
    hold: str
    severity: Severity
    team: str
    summary: str
    description: str
    meaning: str
    impact: str
    checks: tuple[MetricCheck | TableCheck, ...]
    next_steps: tuple[str, ...]
    scenarios: Callable[[Alert, Settings], tuple[Scenario, ...]]
    panel: str = ""
    guards: tuple[Guard, ...] = ()
    also: tuple[Also, ...] = ()
    keep_firing_for: str = "0s"
    paging: bool = False
    labels: Labels = ()
    only: tuple[str, ...] = ()
    needed: Callable[[Settings], bool] = _always
    owners: Callable[[Settings], tuple[str, ...]] = _of_service_levels

    def limit(self, settings: Settings) -> float:
        return float(getattr(settings.thresholds, self.threshold)) if isinstance(self.threshold, str) else self.threshold

    def where(self, settings: Settings) -> Matches:
        """The part of the platform that it looks at: everything, some agents, or for a page where people may be woken."""
        agents = (one_of("agent", self.only),) if self.only else ()
        return (*agents, one_of("environment", settings.notifications.paging_environments)) if self.paging else agents

    @property
    def source(self) -> str:
        """Where its figures come from: platform, postgres, langfuse, exporter or foreign."""
        return self.signal.source

    @property
    def panel_key(self) -> str:
        """Key (`tab/name`) of the panel that shows it."""
        return self.panel or f"alerts/{snake(self.name)}"

    def teams(self, settings: Settings) -> tuple[str, ...]:
        """Whom it may reach."""
        return (self.team,) if self.team else tuple(dict.fromkeys(self.owners(settings)))

    @property
    def hold_seconds(self) -> float:
        return duration_seconds(self.hold)

    @property
    def keep_seconds(self) -> float:
        return duration_seconds(self.keep_firing_for)

    @property
    def window_seconds(self) -> float:
        return duration_seconds(self.window)
