"""Which targets a configuration has. Each is a module here with a function `target(settings)`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from contract.settings import Settings
from provisioning.findings import InputError, closest
from provisioning.plan.target import Target

_TOKEN = "OBSERVATORY_GRAFANA_TOKEN"  # noqa: S105  the variable's name
_IN_USE: Mapping[str, Callable[[Settings], bool]] = {
    "alertmanager": lambda settings: settings.targets.alertmanager.folder is not None,
    "prometheus": lambda settings: settings.targets.prometheus.folder is not None,
    "mimir": lambda settings: settings.targets.mimir.url is not None,
    "kubernetes": lambda settings: settings.targets.kubernetes.folder is not None,
    "grafana": lambda settings: bool(os.environ.get(_TOKEN, "").strip() or settings.sources.grafana.token_file),
}
"""Whether the site has said what is needed to go there. In the order of an apply: routes are there before the alerts that they
bring to people, and recorded series before the dashboards that show them."""
_HOW = (
    "give targets.prometheus.folder, targets.alertmanager.folder, targets.kubernetes.folder, targets.mimir.url, or a token for "
    f"Grafana (sources.grafana.token_file or {_TOKEN})"
)


def targets(settings: Settings, only: Sequence[str] = ()) -> tuple[Target, ...]:
    """The targets in use, or those that are named. Raises InputError when one cannot be used, or none is in use."""
    for name in only:
        if name not in _IN_USE:
            raise InputError(f"error: --only {name}: no such target; {closest(name, _IN_USE)}")
    chosen = [name for name, in_use in _IN_USE.items() if (name in only if only else in_use(settings))]
    if not chosen:
        raise InputError(f"error: the configuration names no place to apply to; {_HOW}")
    return tuple(_target(name, settings) for name in chosen)


def _target(name: str, settings: Settings) -> Target:
    made: Target = import_module(f"provisioning.targets.{name}").target(settings)
    return made
