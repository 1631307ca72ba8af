"""What is built: the same bytes on every run, and what the real tools accept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.settings import Settings
from provisioning import build
from provisioning.findings import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def settings(**changes: Any) -> Settings:
    return Settings.model_validate(changes)


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "provisioning.cli", "build", "--out", tmp_path / seed],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        )
    first, second = (
        {str(path.relative_to(tmp_path / seed)): path.read_bytes() for path in (tmp_path / seed).rglob("*") if path.is_file()}
        for seed in ("1", "2")
    )
    assert len(first) > 20 and first == second


def test_the_real_tools_accept_it(artefacts: dict[str, bytes], prometheus_tools: Any, tmp_path: Path) -> None:
    build.write(artefacts, tmp_path)
    for command in (
        [prometheus_tools.promtool, "check", "config", "prometheus/prometheus.yml"],
        [prometheus_tools.amtool, "check-config", "alertmanager/alertmanager.yml"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    said = subprocess.run(
        [prometheus_tools.promtool, "check", "config", "prometheus/prometheus.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "WARNING" not in said.stdout + said.stderr, "every target file is there"


def test_every_kind_of_file_is_there(artefacts: dict[str, bytes]) -> None:
    folders = {str(Path(name).parent) for name in artefacts}
    assert folders == {
        "grafana/dashboards/Administration",
        "grafana/dashboards/Business",
        "grafana/provisioning/dashboards",
        "grafana/provisioning/datasources",
        "prometheus",
        "prometheus/rules",
        "prometheus/targets",
        "prometheus/tests",
        "alertmanager",
        "alertmanager/templates",
        "mixin",
        "mixin/dashboards",
        "runbooks",
    }
    assert list(artefacts) == sorted(artefacts)


def test_each_environment_is_a_target_and_the_exporter_keeps_its_own_labels() -> None:
    built = build.artefacts(
        settings(
            scrape={
                "platform": [{"environment": "production", "address": "app:80", "path": "/m"}],
                "exporter": ["one:9464", "two:9464"],
            },
            sources={"alertmanager": {"url": "https://alerts.example"}, "prometheus": {"scrape_interval": "5s"}},
        )
    )
    prometheus = yaml.safe_load(built["prometheus/prometheus.yml"])
    jobs = {job["job_name"]: job for job in prometheus["scrape_configs"]}
    assert jobs["exporter"]["honor_labels"] is True and "honor_labels" not in jobs["platform"]
    assert prometheus["global"] == {"scrape_interval": "5s", "scrape_timeout": "5s", "evaluation_interval": "5s"}
    assert json.loads(built["prometheus/targets/platform.json"]) == [
        {"targets": ["app:80"], "labels": {"environment": "production", "__metrics_path__": "/m"}}
    ]
    assert json.loads(built["prometheus/targets/exporter.json"]) == [{"targets": ["one:9464", "two:9464"]}]
    assert json.loads(built["prometheus/targets/alertmanagers.json"]) == [{"targets": ["alerts.example:443"]}]


def test_https_and_the_folder_of_an_address_reach_prometheus(prometheus_tools: Any, tmp_path: Path) -> None:
    built = build.artefacts(
        settings(sources={"alertmanager": {"url": "https://am.example/am"}, "prometheus": {"url": "https://[::1]:9090/prom/"}})
    )
    prometheus = yaml.safe_load(built["prometheus/prometheus.yml"])
    assert prometheus["alerting"]["alertmanagers"] == [
        {"scheme": "https", "path_prefix": "/am", "file_sd_configs": [{"files": ["targets/alertmanagers.json"]}]}
    ]
    jobs = {job["job_name"]: (job.get("scheme"), job.get("metrics_path")) for job in prometheus["scrape_configs"]}
    assert jobs == {
        "platform": (None, None),
        "exporter": (None, None),
        "prometheus": ("https", "/prom/metrics"),
        "alertmanager": ("https", "/am/metrics"),
    }
    assert json.loads(built["prometheus/targets/alertmanagers.json"]) == [{"targets": ["am.example:443"]}]
    assert json.loads(built["prometheus/targets/prometheus.json"]) == [{"targets": ["[::1]:9090"]}]
    build.write(built, tmp_path / "out")
    command = [prometheus_tools.promtool, "check", "config", "prometheus/prometheus.yml"]
    subprocess.run(command, cwd=tmp_path / "out", check=True, capture_output=True)


@pytest.mark.parametrize(
    ("postgres", "password"),
    [
        ({}, "$__env{OBSERVATORY_GRAFANA_POSTGRES_PASSWORD}"),
        ({"password_file": "/run/secrets/reader"}, "$__file{/run/secrets/reader}"),
    ],
)
def test_passwords_are_read_by_grafana_and_never_built_in(postgres: dict[str, str], password: str) -> None:
    built = build.artefacts(settings(sources={"postgres": postgres}))
    sources = {s["type"]: s for s in yaml.safe_load(built["grafana/provisioning/datasources/observatory.yml"])["datasources"]}
    assert sources["grafana-postgresql-datasource"]["secureJsonData"] == {"password": password}
    assert {s["uid"] for s in sources.values()} == {"prometheus", "postgres", "alertmanager"}


def test_relative_secret_files_are_absolute_in_what_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    built = build.artefacts(settings(notifications={"slack": {"webhook_url_file": "secrets/hook"}}))
    assert str(tmp_path / "secrets" / "hook") in built["alertmanager/alertmanager.yml"].decode()


def test_thresholds_that_make_an_alert_unsound_are_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="not a bucket bound"):
        build.artefacts(settings(thresholds={"response_seconds": 5.1}))


def test_a_dashboard_with_faults_is_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboards.lib.tab import DashboardError, Tab

    def broken(self: Tab, settings: Settings) -> dict[str, Any]:
        raise DashboardError(["overview/users: no unit", "overview/tickets: no query"])

    monkeypatch.setattr(Tab, "dashboard", broken)
    with pytest.raises(ConfigError) as raised:
        build.artefacts(Settings())
    assert [finding.message for finding in raised.value.findings] == ["overview/users: no unit", "overview/tickets: no query"]


def test_dashboards_lie_beside_the_provisioning_folder(artefacts: dict[str, bytes]) -> None:
    for provider in yaml.safe_load(artefacts["grafana/provisioning/dashboards/observatory.yml"])["providers"]:
        path = os.path.normpath(provider["options"]["path"].replace("$__env{GF_PATHS_PROVISIONING}", "grafana/provisioning"))
        assert any(name.startswith(f"{path}/") for name in artefacts)
