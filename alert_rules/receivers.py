"""Receivers of Alertmanager: the teams' Slack channels and mail addresses, and the webhooks for programs."""

from __future__ import annotations

from typing import Any

from contract.notifications import Notifications, Smtp, Team, Urgency
from contract.settings import Settings

Config = dict[str, Any]

DEFAULT, HISTORY, DEADMAN, NOBODY = "default", "history", "deadman", "nobody"
_BUTTONS = ("Runbook", "Dashboard", "Silence", "Query")
_SHARED: dict[Urgency, str] = {"slow": "critical"}


def name(team: str, urgency: Urgency) -> str:
    """What is slow goes where everything critical goes; it is only repeated less often."""
    return f"{team}-{_SHARED.get(urgency, urgency)}"


def of_team(called: str, team: Team, urgency: Urgency | None = None) -> Config:
    """Slack and mail, as far as the team has them. What is only good to know goes to Slack alone, where there is Slack, and its
    end is not told."""
    receiver: Config = {"name": called}
    ends = urgency != "info"
    if team.slack_channel:
        receiver["slack_configs"] = [{**_slack(team.slack_channel), "send_resolved": ends}]
    if team.email and not (urgency == "info" and team.slack_channel):
        receiver["email_configs"] = [{**_mail(team.email), "send_resolved": ends}]
    return receiver


def history(notifications: Notifications) -> list[Config]:
    if not notifications.history_url:
        return []
    return [{"name": HISTORY, "webhook_configs": [{"url": notifications.history_url, "send_resolved": True}]}]


def deadman(notifications: Notifications) -> Config:
    """The dead man's switch; without one, a receiver that tells nobody, so that no person is told every minute."""
    if notifications.deadman_url_file:
        address = {"url_file": notifications.deadman_url_file}
    elif notifications.deadman_url:
        address = {"url": notifications.deadman_url}
    else:
        return {"name": NOBODY}
    return {"name": DEADMAN, "webhook_configs": [{**address, "send_resolved": False}]}


def ways(settings: Settings) -> Config:
    """Alertmanager's global settings for the ways that at least one team uses."""
    slack = {"slack_api_url_file": settings.notifications.slack.webhook_url_file}
    mail = _smtp(settings.notifications.smtp)
    return {
        **(slack if any(team.slack_channel for team in settings.teams) else {}),
        **(mail if any(team.email for team in settings.teams) else {}),
    }


def _smtp(smtp: Smtp) -> Config:
    given = {
        "smtp_smarthost": smtp.smarthost,
        "smtp_from": smtp.sender,
        "smtp_auth_username": smtp.username,
        "smtp_auth_password_file": smtp.password_file,
        "smtp_require_tls": smtp.require_tls,
    }
    return {key: value for key, value in given.items() if value is not None}


def _template(called: str) -> str:
    return f'{{{{ template "observatory.{called}" . }}}}'


def _slack(channel: str) -> Config:
    parts = ("color", "fallback", "title", "title_link", "text", "footer")
    return {
        "channel": channel,
        **{part: _template(f"slack.{part}") for part in parts},
        "actions": [{"type": "button", "text": text, "url": _template(f"link.{text.lower()}")} for text in _BUTTONS],
    }


def _mail(address: str) -> Config:
    return {
        "to": address,
        "headers": {"Subject": _template("mail.subject")},
        "html": _template("mail.html"),
        "text": _template("mail.text"),
    }
