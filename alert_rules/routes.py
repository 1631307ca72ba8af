"""The ways that alerts take: Alertmanager's configuration, from the teams and the alerts.

Pages come first and at once. Everything else waits a little, so that what belongs together arrives together: the worse, the
shorter. Critical alerts and warnings go to the team's Slack channel and to its mail address, what is only good to know goes to
Slack alone. What names no known team goes to the first team. A receiver exists when a route uses it. Secrets are only ever
named by the files that hold them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from alert_rules import wording
from alert_rules.catalogue import checked
from alert_rules.model import Severity
from contract.settings import Settings, Smtp, Team

Config = dict[str, Any]

DEFAULT, HISTORY, PAGE = "default", "history", "page"
TEMPLATES = "templates/*.tmpl"
_GROUPED_BY = ["alertname", "environment"]
_TIMINGS = {
    PAGE: {"group_wait": "0s", "group_interval": "15s", "repeat_interval": "1h"},
    Severity.CRITICAL.value: {"group_wait": "15s", "group_interval": "1m", "repeat_interval": "4h"},
    Severity.WARNING.value: {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "12h"},
    Severity.INFO.value: {"group_wait": "5m", "group_interval": "30m", "repeat_interval": "1d"},
}
_EACH_ALONE = {"group_by": ["..."], "group_wait": "0s", "group_interval": "15s", "repeat_interval": "1d"}


def _classes(settings: Settings) -> list[tuple[str, str]]:
    """Team and class (page, critical, warning, info) of every alert there is; the most urgent class of a team first."""
    found = {(alert.team, PAGE if alert.paging else alert.severity.value) for alert in checked(settings)}
    urgency = list(_TIMINGS)
    return sorted(found, key=lambda pair: (pair[0], urgency.index(pair[1])))


def receiver_name(team: str, urgency: str) -> str:
    return f"{team}-{urgency}"


def _template(name: str) -> str:
    return f'{{{{ template "observatory.{name}" . }}}}'


def _slack(team: Team) -> Config:
    parts = ("color", "fallback", "title", "title_link", "text", "footer")
    buttons = ("Runbook", "Dashboard", "Query", "Silence")
    return {
        "channel": team.slack_channel,
        "send_resolved": True,
        **{part: _template(f"slack.{part}") for part in parts},
        "actions": [{"type": "button", "text": name, "url": _template(f"link.{name.lower()}")} for name in buttons],
    }


def _mail(team: Team) -> Config:
    return {
        "to": team.email,
        "send_resolved": True,
        "headers": {"Subject": _template("mail.subject")},
        "html": _template("mail.html"),
        "text": _template("mail.text"),
    }


def _receiver(name: str, team: Team, urgency: str) -> Config:
    mail = {} if urgency == Severity.INFO else {"email_configs": [_mail(team)]}
    return {"name": name, "slack_configs": [_slack(team)], **mail}


def _receivers(settings: Settings) -> Iterator[Config]:
    teams = {team.name: team for team in settings.teams}
    yield _receiver(DEFAULT, settings.teams[0], DEFAULT)
    if url := settings.notifications.history_url:
        yield {"name": HISTORY, "webhook_configs": [{"url": url, "send_resolved": True}]}
    for team, urgency in _classes(settings):
        yield _receiver(receiver_name(team, urgency), teams[team], urgency)


def _routes(settings: Settings) -> Iterator[Config]:
    if settings.notifications.history_url:
        yield {"receiver": HISTORY, "continue": True, **_EACH_ALONE}
    classes = _classes(settings)
    pages = [team for team, urgency in classes if urgency == PAGE]
    if pages:
        yield {
            "receiver": DEFAULT,
            "matchers": ['paging="true"'],
            **_TIMINGS[PAGE],
            "routes": [{"receiver": receiver_name(team, PAGE), "matchers": [f'team="{team}"']} for team in pages],
        }
    for team in sorted({team for team, _ in classes}):
        yield {
            "receiver": DEFAULT,
            "matchers": [f'team="{team}"'],
            "routes": [
                {"receiver": receiver_name(team, urgency), "matchers": [f'severity="{urgency}"'], **_TIMINGS[urgency]}
                for owner, urgency in classes
                if owner == team and urgency != PAGE
            ],
        }
    # Once the history has an alert, it counts as delivered; so whatever nobody above took needs a last route of its own.
    yield {"receiver": DEFAULT}


def _inhibitions(settings: Settings) -> list[Config]:
    """The critical alert mutes the warning of the same concern about the same thing; the page mutes it for all agents.

    Where nobody is paged, no alert has the label `paging`, and nothing may match it.
    """
    pages = any(urgency == PAGE for _, urgency in _classes(settings))
    about = sorted({label for alert in checked(settings) for label in alert.by})
    of_critical = {
        "source_matchers": ['severity="critical"', *(['paging=""'] if pages else [])],
        "target_matchers": ['severity="warning"'],
        "equal": ["concern", *about],
    }
    of_page = {
        "source_matchers": ['severity="critical"', 'paging="true"'],
        "target_matchers": ['severity="warning"'],
        "equal": ["concern", "environment"],
    }
    return [of_critical, of_page] if pages else [of_critical]


def _smtp(smtp: Smtp) -> Config:
    given = {
        "smtp_smarthost": smtp.smarthost,
        "smtp_from": smtp.sender,
        "smtp_auth_username": smtp.username,
        "smtp_auth_password_file": smtp.password_file,
        "smtp_require_tls": smtp.require_tls,
    }
    return {key: value for key, value in given.items() if value is not None}


def configuration(settings: Settings) -> Config:
    """Alertmanager's configuration.

    The path of the templates is relative to the file. Files of secrets stand as the settings give them: Alertmanager reads
    relative ones from its working directory, so give absolute ones. Raises AlertError when the alerts are not sound.
    """
    return {
        "global": {
            "resolve_timeout": "5m",
            "slack_api_url_file": settings.notifications.slack.webhook_url_file,
            **_smtp(settings.notifications.smtp),
        },
        "templates": [TEMPLATES],
        "route": {
            "receiver": DEFAULT,
            "group_by": _GROUPED_BY,
            **_TIMINGS[Severity.WARNING.value],
            "routes": list(_routes(settings)),
        },
        "inhibit_rules": _inhibitions(settings),
        "receivers": list(_receivers(settings)),
    }


def table(settings: Settings) -> list[tuple[dict[str, str], list[str]]]:
    """Labels, and the receivers that they must reach: one line for every alert, and one for an alert of nobody's."""
    always = [HISTORY] if settings.notifications.history_url else []
    own = [
        (
            {"alertname": alert.name, **wording.rule_labels(alert)},
            [*always, receiver_name(alert.team, PAGE if alert.paging else alert.severity.value)],
        )
        for alert in checked(settings)
    ]
    return [*own, ({"alertname": "SomebodyElses"}, [*always, DEFAULT])]


_MATCHER = re.compile(r'(\w+)="([^"]*)"')


def _matches(route: Config, labels: Mapping[str, str]) -> bool:
    pairs = (matcher.groups() for text in route.get("matchers", ()) if (matcher := _MATCHER.fullmatch(text)))
    return all(labels.get(name, "") == value for name, value in pairs)


def receivers(route: Config, labels: Mapping[str, str]) -> list[str]:
    """Names of the receivers that labels reach from a route, in order, by Alertmanager's rules for `=` matchers."""
    reached: list[str] = []
    for child in route.get("routes", ()):
        if _matches(child, labels):
            reached += receivers(child, labels)
            if not child.get("continue"):
                break
    return reached or [route["receiver"]]
