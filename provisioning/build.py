"""`observatory build`: everything that the servers read, made from the settings, as bytes by relative path.

Equal settings give equal bytes, on every run. Nothing of the machine is in them but the folder of relative secret files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.settings import Settings
from provisioning import config, servers
from provisioning.beside import beside
from provisioning.files import write
from provisioning.findings import ConfigError, error
from provisioning.mixin import pulled, written
from provisioning.text import as_json, as_yaml

__all__ = ["artefacts", "write"]

_HEADING = "Written by `observatory build`. Change the code or observatory.yaml instead."


def artefacts(settings: Settings) -> dict[str, bytes]:
    """All files of a build by path relative to the output folder, sorted. Paths of secrets are absolute in them.

    Raises ConfigError when an alert or a dashboard is not sound under these settings.
    """
    located = config.anchored(settings, Path.cwd())
    # Alerts first: they say what is wrong with a limit that dashboards draw, too.
    found = rules_and_routes(settings)
    drawn = _drawn_beside(located)
    with _alerts_sound():
        found |= {**_scenarios(located), **_runbooks(located)}
    found |= drawn()
    found.update(_elsewhere(located, found))
    found.update(written.files(pulled.without(found, located), located))
    return dict(sorted(found.items()))


def rules_and_routes(settings: Settings) -> dict[str, bytes]:
    """What Prometheus and Alertmanager read, among the files. Raises ConfigError when an alert is not sound."""
    located = config.anchored(settings, Path.cwd())
    with _alerts_sound():
        return {**_prometheus(located), **_alertmanager(located), **pulled.rules(located)}


def rules_and_scenarios(settings: Settings) -> dict[str, bytes]:
    """The rules, and what promtool proves of them, among the files. Raises ConfigError when an alert is not sound."""
    located = config.anchored(settings, Path.cwd())
    with _alerts_sound():
        return {**_prometheus(located), **pulled.rules(located), **_scenarios(located)}


@contextmanager
def _alerts_sound() -> Iterator[None]:
    from alert_rules.validation import AlertError

    try:
        yield
    except AlertError as problem:
        raise ConfigError([error(finding.place, finding.message) for finding in problem.findings]) from None


def _elsewhere(settings: Settings, found: dict[str, bytes]) -> dict[str, bytes]:
    """The same artefacts in the forms that `targets.build` names."""
    written: dict[str, bytes] = {}
    if "kubernetes" in settings.targets.build:
        from provisioning.targets.kubernetes.manifests import files

        written.update({f"kubernetes/{name}": body for name, body in files(settings, found).items()})
    if "thanos" in settings.targets.build:
        from provisioning.targets import thanos

        written.update(thanos.files(settings, found))
    if "vmalert" in settings.targets.build:
        from provisioning.targets import vmalert

        written.update(vmalert.files(found))
    if "dashboards-v2" in settings.targets.build:
        from provisioning.targets import dashboards_v2

        written.update(dashboards_v2.files(settings, pulled.without(found, settings)))
    return written


def dashboards(settings: Settings) -> dict[str, bytes]:
    """The dashboards among the files. Raises ConfigError when one is not sound under these settings."""
    from contract.keys import dashboard_uid
    from dashboards import my_usage
    from dashboards.catalogue import TABS
    from dashboards.lib.tab import DashboardError

    try:
        found = {
            f"grafana/dashboards/{tab.folder}/{dashboard_uid(tab.key)}.json": as_json(tab.dashboard(settings)) for tab in TABS
        }
        for tab in my_usage.tabs(settings):
            found[f"grafana/dashboards/{tab.folder}/{tab.person.name}/{tab.uid}.json"] = as_json(tab.dashboard(settings))
    except DashboardError as problem:
        raise ConfigError([error("dashboard", text) for text in problem.problems]) from None
    return found | pulled.dashboards(settings)


def _drawn_beside(settings: Settings) -> Callable[[], dict[str, bytes]]:
    """Dashboards take about as long as all else; what they are made with is imported first, once for every build."""
    from dashboards import catalogue  # noqa: F401

    return beside(lambda: _grafana(settings))


def _grafana(settings: Settings) -> dict[str, bytes]:
    from dashboards.catalogue import TABS

    found = dashboards(settings)
    folders = (*sorted({tab.folder for tab in TABS}), *(mixin.name for mixin in settings.mixins))
    found["grafana/provisioning/datasources/observatory.yml"] = as_yaml(servers.datasources(settings), _HEADING)
    found["grafana/provisioning/dashboards/observatory.yml"] = as_yaml(
        servers.dashboard_providers(folders, settings.my_usage), _HEADING
    )
    return found


def _prometheus(settings: Settings) -> dict[str, bytes]:
    from alert_rules import rules
    from recording_rules import registry

    found = {
        "prometheus/prometheus.yml": as_yaml(servers.prometheus(settings), _HEADING),
    }
    for group in (*registry.rule_groups(settings), *rules.rule_groups(settings)):
        found[f"prometheus/rules/{group['name']}.yml"] = as_yaml({"groups": [group]}, _HEADING)
    for name, targets in servers.targets(settings).items():
        found[f"prometheus/targets/{name}.json"] = as_json(targets)
    return found


def _scenarios(settings: Settings) -> dict[str, bytes]:
    from alert_rules import scenarios

    files = scenarios.promtool_files(settings)
    return {f"prometheus/tests/{name}": as_yaml(document, _HEADING) for name, document in files.items()}


def _alertmanager(settings: Settings) -> dict[str, bytes]:
    from alert_rules import routes, templates

    found = {"alertmanager/alertmanager.yml": as_yaml(routes.configuration(settings), _HEADING)}
    found.update({f"alertmanager/templates/{name}": text.encode() for name, text in templates.files(settings).items()})
    return found


def _runbooks(settings: Settings) -> dict[str, bytes]:
    from alert_rules import runbooks

    return {f"runbooks/{name}": text.encode() for name, text in runbooks.pages(settings).items()}
