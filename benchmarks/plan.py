"""What `observatory plan` takes: every dashboard, rule and route of the house, and a mixin, against servers on this machine.

Prometheus and Alertmanager are real ones. Grafana's interface is spoken by the server of the tests, whose answers may cost less
than Grafana's own; what is measured is our side of it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks import program
from benchmarks.measure import Bar, Measure, median
from benchmarks.program import ProgramError, started
from benchmarks.run import Run, free_port
from dashboards.catalogue import TABS
from provisioning import tools, unpacked

_ROOT = Path(__file__).resolve().parent.parent
_BAR = Bar(2000)
_READY_SECONDS = 30.0
_TOKEN = "glsa_test"  # noqa: S105  what the server of the tests takes
_CHANGED = {"thresholds": {"error_ratio": 0.07}}
_BOARDS, _PANELS = 20, 30
"""Dashboards in all, and panels of each of those that a mixin adds to the house's own."""
_MIXIN = f"""\
local panel(n) = {{
  id: n, type: 'timeseries', title: 'Requests ' + n, gridPos: {{ x: 12 * (n % 2), y: 4 * (n - n % 2), w: 12, h: 8 }},
  datasource: {{ type: 'prometheus', uid: 'prometheus' }}, fieldConfig: {{ defaults: {{ unit: 'reqps' }}, overrides: [] }},
  targets: [{{ refId: 'A', expr: 'sum by (code) (rate(http_requests_total{{handler="h' + n + '"}}[$__rate_interval]))' }}],
}};
local board(n) = {{ uid: 'site-' + n, title: 'Site ' + n, schemaVersion: 42, panels: std.map(panel, std.range(1, {_PANELS})) }};
{{ grafanaDashboards: {{ ['site-' + n + '.json']: board(n) for n in std.range(1, {_BOARDS - len(TABS)}) }} }}
"""
NOTHING, CHANGES = 0, 10


@dataclass(frozen=True)
class _Place:
    """A folder with a configuration for three running servers."""

    folder: Path
    settings: Mapping[str, Any]
    environment: Mapping[str, str]

    def configure(self, **more: Any) -> None:
        (self.folder / "observatory.yaml").write_text(yaml.safe_dump({**self.settings, **more}))

    def run(self, *words: str, ends: int) -> float:
        """Milliseconds of one command, from the start of its process to its end."""
        return program.observatory(self.folder, *words, ends=ends, **self.environment)


def measure(run: Run) -> Iterator[Measure]:
    with _servers() as place:
        place.configure()
        place.run("adopt", "alertmanager configuration", "alertmanager.yml", ends=NOTHING)
        first = place.run("apply", "--yes", ends=NOTHING)
        yield Measure("the first apply, with the plans before and after it", first, "ms")
        taken = [place.run("plan", ends=NOTHING) for _ in range(run.scale.repeat)]
        yield median(f"a plan of {_BOARDS} dashboards in which nothing differs", taken, bar=_BAR)
        place.configure(**_CHANGED)
        taken = [place.run("plan", ends=CHANGES) for _ in range(run.scale.repeat)]
        yield median("a plan after a limit has changed", taken, bar=_BAR)


@contextmanager
def _servers() -> Iterator[_Place]:
    prometheus, alertmanager = _found("prometheus"), _found("alertmanager")
    with tempfile.TemporaryDirectory(prefix="observatory-plan-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        rules, routes = folder / "prometheus", folder / "alertmanager"
        (rules / "rules").mkdir(parents=True)
        routes.mkdir()
        (rules / "prometheus.yml").write_text('rule_files: ["rules/*.yml"]\n')
        (routes / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        (folder / "password").write_text("a password")
        copy = unpacked.alertmanager(alertmanager, folder / "program")
        paths = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        urls = {name: f"http://127.0.0.1:{free_port()}" for name in ("prometheus", "alertmanager", "grafana")}
        listens = {name: f"--web.listen-address={url.removeprefix('http://')}" for name, url in urls.items()}
        commands = {
            "prometheus": [
                str(prometheus), f"--config.file={rules}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                "--web.enable-lifecycle", listens["prometheus"],
            ],
            "alertmanager": [
                str(copy.path), f"--config.file={routes}/alertmanager.yml", f"--storage.path={folder}/state",
                "--cluster.listen-address=", listens["alertmanager"],
            ],
            "grafana": [sys.executable, "-m", "tests.grafana", urls["grafana"].rpartition(":")[2]],
        }  # fmt: skip
        with ExitStack() as running:
            for name, command in commands.items():
                place = copy.folder if name == "alertmanager" else None
                running.enter_context(started(command, urls[name], folder / f"{name}.log", {"PYTHONPATH": paths}, place))
            _ready(urls["prometheus"], urls["alertmanager"])
            (folder / "site.libsonnet").write_text(_MIXIN)
            settings = {
                "sources": {
                    "prometheus": {"url": urls["prometheus"]},
                    "alertmanager": {"url": urls["alertmanager"]},
                    "postgres": {"password_file": "password"},
                },
                "mixins": [{"name": "site", "library": "site.libsonnet"}],
                "targets": {name: {"folder": str(folder / name)} for name in ("prometheus", "alertmanager")},
            }
            environment = {"OBSERVATORY_GRAFANA_URL": urls["grafana"], "OBSERVATORY_GRAFANA_TOKEN": _TOKEN}
            yield _Place(folder, settings, environment)


def _ready(*urls: str) -> None:
    """Waits until Prometheus and Alertmanager answer questions."""
    end = time.monotonic() + _READY_SECONDS
    for url in urls:
        while True:
            with suppress(urllib.error.URLError), urllib.request.urlopen(f"{url}/-/ready", timeout=1):  # noqa: S310  ours
                break
            if time.monotonic() > end:
                raise ProgramError(f"{url} is not ready within {_READY_SECONDS:g} s")
            time.sleep(0.05)


def _found(name: tools.ToolName) -> Path:
    path = tools.find(name)
    if path is None:
        raise ProgramError(tools.how_to_get(name))
    return path
