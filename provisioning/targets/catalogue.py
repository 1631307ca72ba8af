"""Which targets a configuration has: those that the site has said enough of to go there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from contract.settings import Settings
from provisioning import build
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
"""In the order of an apply: routes are there before the alerts that they bring to people, and recorded series before the
dashboards that show them."""
_SETTINGS = {
    "alertmanager": "targets.alertmanager.folder",
    "prometheus": "targets.prometheus.folder",
    "mimir": "targets.mimir.url",
    "kubernetes": "targets.kubernetes.folder",
    "grafana": f"sources.grafana.token_file, or a token in {_TOKEN}",
}


def targets(settings: Settings, only: Sequence[str] = ()) -> tuple[Target, ...]:
    """The targets in use, or those of them that are named, with what was built for them.

    Raises InputError when one that is named is not in use, or none is.
    """
    in_use = [name for name, used in _IN_USE.items() if used(settings)]
    for name in only:
        if name not in _IN_USE:
            raise InputError(f"error: --only {name}: no such target; {closest(name, _IN_USE)}")
        if name not in in_use:
            raise InputError(f"error: --only {name}: the configuration does not go there; give {_SETTINGS[name]}")
    chosen = [name for name in in_use if not only or name in only]
    if not chosen:
        raise InputError(f"error: the configuration names no place to apply to; give {'; or '.join(_SETTINGS.values())}")
    rules_and_routes = cache(lambda: build.rules_and_routes(settings))
    return tuple(_target(name, settings, rules_and_routes) for name in chosen)


def _target(name: str, settings: Settings, rules_and_routes: Callable[[], Mapping[str, bytes]]) -> Target:
    """`rules_and_routes` are those that were built, made when they are asked for first."""
    match name:
        case "alertmanager":
            from provisioning.targets import alertmanager

            return alertmanager.target(settings, rules_and_routes())
        case "prometheus":
            from provisioning.targets import prometheus

            return prometheus.target(settings, rules_and_routes())
        case "mimir":
            from provisioning.targets import mimir

            return mimir.target(settings, rules_and_routes())
        case "kubernetes":
            from provisioning.targets import kubernetes

            return kubernetes.target(settings, build.artefacts(settings))
        case _:
            from provisioning.targets import grafana

            return grafana.target(settings)
