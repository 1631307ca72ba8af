"""The ways that alerts take: Alertmanager's configuration, from the teams and the alerts.

Pages come first and at once. Everything else waits a little, so that what belongs together arrives together: the worse, the
shorter. Critical alerts and warnings go to the team's Slack channel and to its mail address, what is only good to know goes to
Slack alone; warnings and what is only good to know wait for the team's hours. What names no known team goes to the first team.
Receivers and hours exist when a route uses them. Secrets are only ever named by the files that hold them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from alert_rules import hours, inhibitions, receivers, wording
from alert_rules.catalogue import checked
from alert_rules.inhibitions import WATCHDOG
from alert_rules.model import Alert, Severity
from alert_rules.receivers import DEADMAN, DEFAULT, HISTORY, NOBODY
from contract.notifications import Urgency
from contract.settings import Settings

Config = dict[str, Any]

TEMPLATES = "templates/*.tmpl"
_GROUPED_BY = ["alertname", "environment"]
_PACE: dict[Urgency, tuple[str, str]] = {
    "page": ("0s", "15s"),
    "critical": ("15s", "1m"),
    "slow": ("15s", "1m"),
    "warning": ("30s", "1m"),
    "info": ("5m", "30m"),
}
"""How long the first message waits for others of its group, and how long a change waits.

Where ends are told, a change waits no longer than the alerts on lost sources keep firing: an alert that ends only because its
source is lost is then looked at, and dropped, while it is muted.
"""
_EACH_ALONE = {"group_by": ["..."], "group_wait": "0s", "group_interval": "15s", "repeat_interval": "1d"}
_EVERY_MINUTE = {"group_by": ["..."], "group_wait": "0s", "group_interval": "30s", "repeat_interval": "45s"}
"""A group is looked at every 30 seconds, and told again at the first look after 45: that is each minute."""


def urgency_of(alert: Alert, settings: Settings) -> Urgency:
    if alert.paging:
        return "page"
    if alert.severity is Severity.CRITICAL:
        return "slow" if alert.concern in settings.notifications.slow_concerns else "critical"
    return "warning" if alert.severity is Severity.WARNING else "info"


@dataclass(frozen=True)
class _Plan:
    """What routes are made of: the site's settings, its alerts, and who may be told of what."""

    settings: Settings
    alerts: tuple[Alert, ...]

    @property
    def told(self) -> list[tuple[str, Urgency]]:
        """Team and urgency of every alert for people; the most urgent of a team first."""
        found = {
            (team, urgency_of(alert, self.settings))
            for alert in self.alerts
            if alert.name != WATCHDOG
            for team in alert.teams(self.settings)
        }
        order: tuple[Urgency, ...] = get_args(Urgency)
        return sorted(found, key=lambda pair: (pair[0], order.index(pair[1])))

    @property
    def watched(self) -> bool:
        return any(alert.name == WATCHDOG for alert in self.alerts)

    @property
    def slow_concerns(self) -> list[str]:
        """The concerns that hold something slow."""
        return sorted({alert.concern for alert in self.alerts if urgency_of(alert, self.settings) == "slow"})

    def pace(self, urgency: Urgency) -> Config:
        wait, interval = _PACE[urgency]
        return {
            "group_wait": wait,
            "group_interval": interval,
            "repeat_interval": self.settings.notifications.repeat.of(urgency),
        }

    def matchers(self, urgency: Urgency) -> list[str]:
        if urgency != "slow":
            return [f'severity="{urgency}"']
        return ['severity="critical"', inhibitions.one_of("concern", self.slow_concerns)]


def _plan(settings: Settings, alerts: Sequence[Alert] | None) -> _Plan:
    return _Plan(settings, tuple(checked(settings) if alerts is None else alerts))


def _receivers(plan: _Plan) -> Iterator[Config]:
    settings = plan.settings
    teams = {team.name: team for team in settings.teams}
    yield receivers.of_team(DEFAULT, settings.teams[0])
    yield from receivers.history(settings.notifications)
    if plan.watched:
        yield receivers.deadman(settings.notifications)
    made = {receivers.name(team, urgency): (teams[team], urgency) for team, urgency in plan.told}
    for name, (team, urgency) in made.items():
        yield receivers.of_team(name, team, urgency)


def _routes(plan: _Plan) -> Iterator[Config]:
    if plan.settings.notifications.history_url:
        yield {"receiver": HISTORY, "continue": True, **_EACH_ALONE}
    if plan.watched:
        name = receivers.deadman(plan.settings.notifications)["name"]
        yield {"receiver": name, "matchers": [f'alertname="{WATCHDOG}"'], **_EVERY_MINUTE}
    pages = [team for team, urgency in plan.told if urgency == "page"]
    if pages:
        yield {
            "receiver": DEFAULT,
            "matchers": ['paging="true"'],
            **plan.pace("page"),
            "routes": [{"receiver": receivers.name(team, "page"), "matchers": [f'team="{team}"']} for team in pages],
        }
    for team in plan.settings.teams:
        of_team = [urgency for name, urgency in plan.told if name == team.name and urgency != "page"]
        # What is slow is critical too: it has to be asked for first.
        of_team.sort(key=lambda urgency: urgency != "slow")
        if of_team:
            yield {
                "receiver": DEFAULT,
                "matchers": [f'team="{team.name}"'],
                "routes": [
                    {
                        "receiver": receivers.name(team.name, urgency),
                        "matchers": plan.matchers(urgency),
                        **plan.pace(urgency),
                        **hours.of_route(team, urgency),
                    }
                    for urgency in of_team
                ],
            }
    # Once the history has an alert, it counts as delivered; so whatever nobody above took needs a last route of its own.
    yield {"receiver": DEFAULT}


def configuration(settings: Settings, alerts: Sequence[Alert] | None = None) -> Config:
    """Alertmanager's configuration for the site's alerts, or for those given.

    The path of the templates is relative to the file. Files of secrets stand as the settings give them: Alertmanager reads
    relative ones from its working directory, so give absolute ones. Raises AlertError when the site's alerts are not sound.
    """
    plan = _plan(settings, alerts)
    waiting = {team for team, urgency in plan.told if urgency in hours.WAITS}
    intervals = hours.intervals(team for team in settings.teams if team.name in waiting)
    return {
        "global": {"resolve_timeout": "5m", **receivers.ways(settings)},
        "templates": [TEMPLATES],
        "route": {
            "receiver": DEFAULT,
            "group_by": _GROUPED_BY,
            **plan.pace("warning"),
            "routes": list(_routes(plan)),
        },
        "inhibit_rules": inhibitions.rules(plan.alerts),
        **({"time_intervals": intervals} if intervals else {}),
        "receivers": list(_receivers(plan)),
    }


@dataclass(frozen=True)
class Line:
    """Labels of an alert, and the receivers that they must reach: within the hours of its team, and outside."""

    labels: dict[str, str]
    inside: tuple[str, ...]
    outside: tuple[str, ...]


def table(settings: Settings, alerts: Sequence[Alert] | None = None) -> list[Line]:
    """Who is told of what: every alert for every team that it may reach, and an alert of nobody's."""
    plan = _plan(settings, alerts)
    always = (HISTORY,) if settings.notifications.history_url else ()
    return [line for alert in plan.alerts for line in _lines(alert, plan, always)] + [
        Line({"alertname": "SomebodyElses"}, (*always, DEFAULT), (*always, DEFAULT))
    ]


def _lines(alert: Alert, plan: _Plan, always: tuple[str, ...]) -> Iterator[Line]:
    teams = {team.name: team for team in plan.settings.teams}
    notifications, urgency = plan.settings.notifications, urgency_of(alert, plan.settings)
    labels = {"alertname": alert.name, **wording.rule_labels(alert)}
    if alert.name == WATCHDOG:
        end = DEADMAN if notifications.deadman_url or notifications.deadman_url_file else NOBODY
        yield Line(labels, (*always, end), (*always, end))
        return
    for team in alert.teams(plan.settings):
        inside = (*always, receivers.name(team, urgency))
        waits = teams[team].hours is not None and urgency in hours.WAITS
        yield Line(labels | {"team": team}, inside, always if waits else inside)
