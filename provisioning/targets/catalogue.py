"""Which targets a configuration has: those that the site has said enough of to go there."""

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
    from provisioning import build

    in_use = [name for name, used in _IN_USE.items() if used(settings)]
    for name in only:
        if name not in _IN_USE:
            raise InputError(f"error: --only {name}: no such target; {closest(name, _IN_USE)}")
        if name not in in_use:
            raise InputError(f"error: --only {name}: the configuration does not go there; give {_SETTINGS[name]}")
    chosen = [name for name in in_use if not only or name in only]
    if not chosen:
        raise InputError(f"error: the configuration names no place to apply to; give {'; or '.join(_SETTINGS.values())}")
    artefacts = build.artefacts(settings)
    return tuple(_target(name, settings, artefacts) for name in chosen)


def _target(name: str, settings: Settings, artefacts: Mapping[str, bytes]) -> Target:
    if name == "kubernetes":  # writes objects that are made of artefacts
        from provisioning.targets.kubernetes import folder

        made: Target | None = folder.target(settings)
    else:
        made = import_module(f"provisioning.targets.{name}").target(settings, artefacts)
    if made is None:
        raise InputError(f"error: the configuration does not go to {name}; give {_SETTINGS[name]}")
    return made
