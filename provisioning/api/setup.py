"""What the query API is started with: files become secrets, the configuration becomes addresses, rules become names."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from api.catalogue.endpoints import Role
from api.grafana import Grafana
from api.opened import Opened
from api.process import Setup
from api.viewers import Viewers
from contract.keys import dashboard_uid
from contract.settings import Settings
from exporters.credentials import CredentialError, secret_in
from provisioning.findings import InputError
from recording_rules import registry
from recording_rules.model import RecordedSignal

GRAFANA_TOKEN = "OBSERVATORY_GRAFANA_TOKEN"  # noqa: S105  the name of a variable


def setup(settings: Settings, directory: Path = Path()) -> Setup:
    """What the process needs; relative paths start from `directory`. Raises InputError with every finding."""
    files = settings.api.dsn_files
    named = {Role.ADMIN: files.admin, Role.BUSINESS: files.business, Role.SELF: files.self_service}
    findings, dsns = [], dict[Role, Callable[[], str]]()
    for role, file in named.items():
        if file is not None:
            key = f"api.dsn_files.{'self_service' if role is Role.SELF else role}"
            findings += _finding(key, directory / file)
            dsns[role] = partial(_again, directory / file)
    if not dsns:
        findings.append("api.dsn_files: no file is named; name one with the connection string of each kind of caller")
    if settings.api.tokens_file is None:
        findings.append("api.tokens_file: name the file that `observatory api token create` writes")
    url, token = settings.sources.grafana.url, ""
    if wishes := [name for name in ("grafana_live", "viewers") if getattr(settings.api, name)]:
        try:
            token = _grafana_token(settings, directory)
        except CredentialError as problem:
            findings.append(f"api.{wishes[0]}: {problem}")
    if settings.api.viewers_log is not None and not settings.api.viewers:
        findings.append("api.viewers_log: is read with api.viewers only; set that, too")
    if findings:
        raise InputError("\n".join(f"error: {finding}" for finding in findings))
    return Setup(
        settings.api,
        directory / (settings.api.tokens_file or ""),
        dsns,
        settings.sources.prometheus.url,
        recorded(),
        f"{url}/d/{dashboard_uid('overview')}",
        Grafana(url, token) if settings.api.grafana_live else None,
        Viewers(url, token, opened=_opened(settings, directory)) if settings.api.viewers else None,
    )


def _opened(settings: Settings, directory: Path) -> Opened | None:
    """Where people are seen to open tabs."""
    if settings.api.viewers_log is None:
        return None
    from dashboards.catalogue import TABS  # much, for a process that hardly ever wants it

    return Opened(directory / settings.api.viewers_log, {tab.uid: tab.key for tab in TABS})


def recorded() -> dict[str, str]:
    """The recorded series that every site has, by name, and what each says."""
    found = {rule.record: rule for group in registry.fixed_groups() for rule in group.rules}
    return {
        name: rule.signal.description if isinstance(rule, RecordedSignal) else f"Recorded by {', '.join(rule.all_labels)}"
        for name, rule in sorted(found.items())
    }


def _grafana_token(settings: Settings, directory: Path) -> str:
    if token := os.environ.get(GRAFANA_TOKEN, "").strip():
        return token
    file = settings.sources.grafana.token_file
    if file is None:
        raise CredentialError(f"no token of Grafana: set {GRAFANA_TOKEN}, or sources.grafana.token_file")
    return secret_in(directory / file)


def _finding(key: str, path: Path) -> list[str]:
    try:
        secret_in(path)
    except CredentialError as problem:
        return [f"{key}: {problem}"]
    return []


def _again(path: Path) -> str:
    """The connection string as the file has it now. Raises ValueError, without what was found."""
    try:
        return secret_in(path)
    except CredentialError as problem:
        raise ValueError(str(problem)) from None
