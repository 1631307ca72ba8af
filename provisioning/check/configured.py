"""What each setting alone allows, and all of them together do not; and what the environment adds to them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from alert_rules.catalogue import ALERTS, active
from contract.settings import Settings
from provisioning.findings import Finding, closest, error, warning


def configured_findings(settings: Settings) -> Iterator[Finding]:
    """Targets of environments, and concerns, that do not exist; and a named file of Slack's address that is not there."""
    for number, target in enumerate(settings.scrape.platform):
        if target.environment not in settings.environments:
            yield error(
                f"scrape.platform[{number}].environment",
                f"{target.environment} is not one of the environments",
                closest(target.environment, settings.environments),
            )
    concerns = {alert.concern for alert in (*ALERTS, *active(settings))}
    for concern in settings.notifications.slow_concerns:
        if concern not in concerns:
            yield error("notifications.slow_concerns", f"no alert is of the concern {concern}", closest(concern, concerns))
    named = os.environ.get("SLACK_WEBHOOK_URL_FILE")
    if named and not Path(named).is_file():
        yield warning("SLACK_WEBHOOK_URL_FILE", f"there is no file {named} here", "name the file as Alertmanager sees it")
