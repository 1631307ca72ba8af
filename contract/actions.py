"""Whom people's actions are told to, besides the record of changes."""

from __future__ import annotations

from contract.values import Section, Url


class Webhook(Section):
    """An address that takes JSON with a POST. `authorization_file` holds what is sent as the header Authorization."""

    url: Url
    authorization_file: str | None = None


class Incidents(Section):
    """Incidents that actions open and close: told to `webhook` where there is one."""

    webhook: Webhook | None = None


class Actions(Section):
    """What belongs to no action alone."""

    incidents: Incidents = Incidents()
