"""`mixin/`: dashboards, recording rules and alerts of a build as a Jsonnet library, with the fields that mixins agree upon.

The library stands alone. What a user of it may change without building anew are addresses, uids, tags, titles and labels: they
stand in `_config`, and in the place of every occurrence. Limits do not: an alert, the line in its panel, its words and its
proofs share them, so they are changed in `observatory.yaml`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from contract.settings import Settings
from provisioning.rule_files import rule_groups
from provisioning.text import as_json

FOLDER = "mixin"
_END = r'(?=[/"?#&\\])'
"""What may follow an address or a uid within a text, so that a longer one is not taken for it."""
_PERSONAL = "Personal"

_LIBRARY = """\
// Written by `observatory build`: dashboards, recording rules and alerts as a mixin.
//
//   (import 'mixin/mixin.libsonnet') + { _config+:: { runbookUrl: 'https://wiki.example.com/runbooks' } }
//
// Limits of alerts are no part of _config: the panels draw them and the proofs hold them. Change observatory.yaml, and build.
{
  _config+:: %(config)s,

  grafanaDashboards+:: {
%(dashboards)s
  },

  // The folder of each dashboard.
  grafanaDashboardFolders+:: %(folders)s,

  prometheusRules+:: { groups+: (import 'rules.libsonnet')($._config) },

  prometheusAlerts+:: {
    groups+: [
      group { rules: [rule { labels+: $._config.alertLabels } for rule in group.rules] }
      for group in (import 'alerts.libsonnet')($._config)
    ],
  },
}
"""


def files(artefacts: Mapping[str, bytes], settings: Settings) -> dict[str, bytes]:
    """The files of the library, by path in the build, made of the other files of the build."""
    boards = {
        PurePosixPath(path): body.decode()
        for path, body in sorted(artefacts.items())
        if path.startswith("grafana/dashboards/") and f"/{_PERSONAL}/" not in path
    }
    uids = [path.stem for path in boards]
    config = _config(settings, uids)
    parameters = _Parameters(config)
    recording, alerting = _groups(artefacts)
    found = {f"dashboards/{path.stem}.libsonnet": parameters.dashboard(text) for path, text in boards.items()}
    found["rules.libsonnet"] = parameters.everywhere(as_json(recording).decode())
    found["alerts.libsonnet"] = parameters.everywhere(as_json(alerting).decode())
    words = {
        "config": _indented({**config, "titlePrefix": "", "alertLabels": {}}),
        "dashboards": "\n".join(f"    '{uid}.json': (import 'dashboards/{uid}.libsonnet')($._config)," for uid in uids),
        "folders": _indented({f"{path.stem}.json": path.parent.name for path in boards}),
    }
    library = {"mixin.libsonnet": _LIBRARY % words, **{name: f"function(c)\n{text}" for name, text in found.items()}}
    return {f"{FOLDER}/{name}": text.encode() for name, text in library.items()}


def _config(settings: Settings, uids: Sequence[str]) -> dict[str, Any]:
    """What can be overridden, with the values of this build."""
    from dashboards.lib.tab import TAG

    return {
        "grafanaUrl": settings.sources.grafana.url,
        "runbookUrl": settings.runbook_url,
        "dashboardUids": {uid: uid for uid in uids},
        "dataSources": {"prometheus": settings.sources.prometheus.uid, "postgres": settings.sources.postgres.uid},
        "tag": TAG,
    }


class _Parameters:
    """Puts expressions in the place of values that can be overridden.

    JSON is Jsonnet, so `"a/b"` may become `"" + c.key + "/b"`, wherever a value may stand.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        texts = {config["runbookUrl"]: "c.runbookUrl", config["grafanaUrl"]: "c.grafanaUrl"}
        self.texts = {json.dumps(text, ensure_ascii=False)[1:-1]: f'" + {key} + "' for text, key in texts.items()}
        longest = sorted(self.texts, key=len, reverse=True)
        uids = "|".join(map(re.escape, sorted(config["dashboardUids"], key=len, reverse=True)))
        self.addresses = re.compile(f"(?:{'|'.join(map(re.escape, longest))}){_END}")
        self.linked = re.compile(rf"/d/({uids}){_END}")
        self.named = re.compile(rf'("uid": |"__dashboardUid__": )"({uids})"')

    def everywhere(self, text: str) -> str:
        """JSON with the addresses, and the uids of dashboards, replaced."""
        text = self.linked.sub(lambda found: f'/d/" + c.dashboardUids["{found[1]}"] + "', text)
        text = self.named.sub(lambda found: f'{found[1]}c.dashboardUids["{found[2]}"]', text)
        return self.addresses.sub(lambda found: self.texts[found[0]], text)

    def dashboard(self, text: str) -> str:
        """The JSON of a dashboard with its title, its tag and its data sources replaced, too."""
        text = re.sub(r'^  "title": ', '  "title": c.titlePrefix + ', text, count=1, flags=re.M)
        text = re.sub(rf'("tags": \[\s*)"{re.escape(self.config["tag"])}"', r"\1c.tag", text)
        for name, uid in self.config["dataSources"].items():
            chosen = rf'("current": \{{\s*"text": )"{re.escape(uid)}"(,\s*"value": )"{re.escape(uid)}"'
            text = re.sub(chosen, rf"\1c.dataSources.{name}\2c.dataSources.{name}", text)
        return self.everywhere(text)


def _groups(artefacts: Mapping[str, bytes]) -> tuple[list[Any], list[Any]]:
    """Groups of recording rules and of alerts; a group that has both is in both, with its own rules each."""
    groups = rule_groups(dict(sorted(artefacts.items())))
    return (_only(groups, "record"), _only(groups, "alert"))


def _only(groups: Sequence[Mapping[str, Any]], kind: str) -> list[Any]:
    chosen = [{**group, "rules": [rule for rule in group["rules"] if kind in rule]} for group in groups]
    return [group for group in chosen if group["rules"]]


def _indented(value: Any) -> str:
    """JSON within the library: two more blanks before each line but the first."""
    return as_json(value).decode().rstrip("\n").replace("\n", "\n  ")
