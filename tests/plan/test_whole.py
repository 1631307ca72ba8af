"""Everything together, by the commands: real Prometheus, real Alertmanager, and a server that speaks Grafana's interface."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from provisioning import unpacked
from provisioning.cli import main
from provisioning.targets.grafana import client
from provisioning.targets.grafana.client import Client
from tests.grafana.server import TOKEN, GrafanaServer, serving
from tests.targets.served import Site, running

pytestmark = pytest.mark.usefixtures("built_once")
PASSWORD, WEBHOOK = "canary-password-81f", "canary-webhook-4c2"
NOTHING, FINDINGS, UNREACHABLE, CHANGES, DESTRUCTIVE = 0, 1, 3, 10, 11


@dataclass
class Whole:
    """A site with its configuration; everything that its commands printed is kept."""

    prometheus: Site
    alertmanager: Site
    grafana: GrafanaServer
    folder: Path
    said: list[str] = field(default_factory=list)

    def configure(self, **more: Any) -> None:
        document = {
            "sources": {
                "prometheus": {"url": self.prometheus.url},
                "alertmanager": {"url": self.alertmanager.url},
                "postgres": {"password_file": "password"},
            },
            "targets": {"prometheus": self.prometheus.served, "alertmanager": self.alertmanager.served},
            "notifications": {"slack": {"webhook_url_file": "webhook"}},
            **more,
        }
        (self.folder / "observatory.yaml").write_text(yaml.safe_dump(document))

    def run(self, *words: str) -> Result:
        done = CliRunner().invoke(main, list(words), catch_exceptions=False)
        self.said.append(done.output)
        return done

    def applied(self) -> None:
        """Alertmanager's own first configuration is taken over, then everything is applied."""
        self.adopted()
        done = self.run("apply", "--yes")
        assert done.exit_code == NOTHING, done.output

    def adopted(self) -> None:
        words = ("adopt", "alertmanager configuration", "alertmanager.yml", "--only", "alertmanager")
        assert self.run(*words).exit_code == NOTHING

    def everything(self) -> Any:
        """All files and all of Grafana, but for what only an apply's own notes change."""
        world = self.grafana.world
        kept = (world.folders, world.permissions, world.dashboards, world.data_sources, world.secrets)
        return (self.prometheus.files(), self.alertmanager.files(), copy.deepcopy(kept))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Grafana that is gone is asked again without waiting long."""
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.01)


@pytest.fixture
def whole(prometheus_tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Whole]:
    rules, routes = tmp_path / "prometheus", tmp_path / "alertmanager"
    (rules / "rules").mkdir(parents=True)
    routes.mkdir()
    (rules / "prometheus.yml").write_text('global: {evaluation_interval: 1m}\nrule_files: ["rules/*.yml"]\n')
    (routes / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "webhook").write_text(f"https://hooks.example.com/{WEBHOOK}")
    program = unpacked.alertmanager(prometheus_tools.alertmanager, tmp_path / "program")
    prometheus = Site(
        "prometheus",
        rules,
        [
            *(str(prometheus_tools.prometheus), f"--config.file={rules}/prometheus.yml"),
            *(f"--storage.tsdb.path={tmp_path / 'data'}", "--web.enable-lifecycle"),
        ],
    )
    alertmanager = Site(
        "alertmanager",
        routes,
        [
            *(str(program.path), f"--config.file={routes}/alertmanager.yml"),
            *(f"--storage.path={tmp_path / 'state'}", "--cluster.listen-address="),
        ],
        program.folder,
    )
    with running(prometheus), running(alertmanager), serving() as grafana:
        monkeypatch.setenv("OBSERVATORY_GRAFANA_URL", grafana.url)
        monkeypatch.setenv("OBSERVATORY_GRAFANA_TOKEN", TOKEN)
        monkeypatch.chdir(tmp_path)
        found = Whole(prometheus, alertmanager, grafana, tmp_path)
        found.configure()
        yield found


def test_after_an_apply_everything_is_in_force_and_a_second_plan_is_empty(whole: Whole) -> None:
    first = whole.run("plan", "--format", "json")
    assert first.exit_code == CHANGES
    targets = json.loads(first.stdout)["targets"]
    assert [target["name"] for target in targets] == ["alertmanager", "prometheus", "grafana"]
    assert all(target["changes"] for target in targets)

    whole.applied()

    groups = whole.prometheus.get("/api/v1/rules")["data"]["groups"]
    assert sum(len(group["rules"]) for group in groups) > 300
    assert "agents-page" in whole.alertmanager.get("/api/v2/status")["config"]["original"]
    assert "observatory-overview" in whole.grafana.world.dashboards
    assert len(whole.grafana.world.annotations) == 1

    before, writes = whole.everything(), len(whole.grafana.writes())
    second = whole.run("plan")
    assert (second.exit_code, second.stdout.splitlines()[0][:13]) == (NOTHING, "nothing to do")
    assert whole.run("apply", "--yes").exit_code == NOTHING
    assert (whole.everything(), len(whole.grafana.writes())) == (before, writes)


def test_things_of_others_stay_to_the_byte(whole: Whole) -> None:
    hand_made = {
        whole.prometheus.folder / "rules" / "theirs.yml": "groups:\n- name: theirs\n  rules: [{record: 'a:b', expr: 'up'}]\n",
        whole.alertmanager.folder / "templates" / "theirs.tmpl": '{{ define "theirs" }}x{{ end }}\n',
    }
    (whole.alertmanager.folder / "templates").mkdir()
    for path, text in hand_made.items():
        path.write_text(text)
    grafana, world = Client(whole.grafana.url, TOKEN), whole.grafana.world
    grafana.post("/api/folders", {"uid": "theirs", "title": "Theirs"})
    grafana.post("/api/dashboards/db", {"dashboard": {"uid": "own", "title": "Own", "panels": []}, "folderUid": "theirs"})

    def theirs() -> Any:
        return copy.deepcopy((world.folders["theirs"], world.permissions["theirs"], world.dashboards["own"]))

    before = theirs()

    whole.applied()
    whole.configure(slo=[], anomalies=[])
    assert whole.run("plan").exit_code == DESTRUCTIVE
    assert whole.run("apply", "--yes").exit_code == NOTHING
    assert not (whole.prometheus.folder / "rules" / "slo_pages.yml").exists()

    assert {path: path.read_text() for path in hand_made} == hand_made
    assert theirs() == before


def test_a_limit_that_changes_is_told_as_one_and_applied(whole: Whole) -> None:
    whole.applied()
    whole.configure(thresholds={"error_ratio": 0.07})
    assert "\nwho is told\n  AgentErrorRatioHigh: fires above 7% instead of 5%\n" in whole.run("plan").stdout
    found = whole.run("plan", "--format", "json")
    labels = {change["label"] for target in json.loads(found.stdout)["targets"] for change in target["changes"]}
    assert found.exit_code == CHANGES
    assert "threshold" in labels
    assert "destructive" not in labels
    assert whole.run("apply", "--yes").exit_code == NOTHING
    assert whole.run("plan").exit_code == NOTHING


def test_an_apply_that_loses_grafana_is_taken_up_by_the_next(whole: Whole) -> None:
    whole.grafana.fuse = 12
    whole.adopted()
    assert whole.run("apply", "--yes").exit_code == UNREACHABLE
    whole.grafana.fuse = None
    whole.grafana.world.pass_by(600)
    done = whole.run("apply", "--yes")
    assert done.exit_code == NOTHING, done.output
    assert {line.split(": ")[1] for line in done.output.splitlines() if line.startswith("created")} == {"grafana"}
    assert whole.run("plan").exit_code == NOTHING


def test_no_command_tells_a_secret(whole: Whole) -> None:
    token = f"glsa_{WEBHOOK}"
    whole.grafana.tokens[token] = whole.grafana.tokens[TOKEN]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OBSERVATORY_GRAFANA_TOKEN", token)
        whole.run("plan")
        whole.applied()
        for form in ("text", "json", "markdown"):
            whole.configure(sources={"postgres": {"password_file": "password", "host": "10.0.0.1:5432"}})
            whole.run("plan", "--format", form, "--out", "plan.json", "--only", "grafana")
        whole.run("apply", "--dry-run")
        whole.run("release", "dashboard", "observatory-overview")
        whole.grafana.tokens[token].expired = True
        whole.run("plan")
        whole.run("apply", "--yes")
        whole.run("build", "--out", "build")
    written = [path for folder in ("build", "prometheus", "alertmanager") for path in (whole.folder / folder).rglob("*")]
    told = [*whole.said, (whole.folder / "plan.json").read_text(), *(path.read_text() for path in written if path.is_file())]
    for secret in (PASSWORD, WEBHOOK):
        assert [text[:200] for text in told if secret in text] == []


_MIXIN = """{
  grafanaDashboards: { 'queue.json': { uid: 'site-queue', title: 'Queue', schemaVersion: 42, panels: [] } },
  prometheusRules: { groups: [{ name: 'queue', rules: [{ record: 'queue:length:sum', expr: 'sum(queue_length)' }] }] },
  prometheusAlerts: { groups: [{ name: 'queue-alerts', rules: [{
    alert: 'QueueLong', expr: 'queue:length:sum > 100', labels: { severity: 'warning' }, annotations: { summary: 'Long.' },
  }] }] },
}"""


def test_a_mixin_of_others_goes_the_same_way_there_and_back(whole: Whole) -> None:
    (whole.folder / "site.libsonnet").write_text(_MIXIN)
    whole.configure(mixins=[{"name": "site", "library": "site.libsonnet"}])
    whole.applied()
    groups = whole.prometheus.get("/api/v1/rules")["data"]["groups"]
    assert {"queue:length:sum", "QueueLong"} < {rule["name"] for group in groups for rule in group["rules"]}
    assert whole.grafana.world.dashboards["site-queue"]["data"]["title"] == "Queue"
    assert whole.run("plan").exit_code == NOTHING
    whole.configure()
    planned = whole.run("plan")
    assert planned.exit_code == DESTRUCTIVE and "QueueLong: no longer there" in planned.output
    assert whole.run("apply", "--yes").exit_code == NOTHING
    assert "site-queue" not in whole.grafana.world.dashboards
    assert not [name for name in whole.prometheus.files() if "mixin-site" in name]
    assert whole.run("plan").exit_code == NOTHING
