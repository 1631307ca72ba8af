"""How a site says which folders are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning import config, secrets
from provisioning.findings import ConfigError


def test_folders_are_taken_from_the_configuration_file(tmp_path: Path) -> None:
    file = tmp_path / "observatory.yaml"
    file.write_text(
        "targets:\n"
        "  prometheus: {folder: served, reload: signal, pid_file: run/prometheus.pid}\n"
        "  alertmanager: {folder: /etc/alertmanager}\n"
    )
    targets = config.load(file).targets
    assert targets.prometheus.folder == str(tmp_path / "served")
    assert targets.prometheus.pid_file == str(tmp_path / "run" / "prometheus.pid")
    assert targets.alertmanager.folder == "/etc/alertmanager"


@pytest.mark.parametrize(
    ("served", "said"),
    [
        ("{folder: x, reload: signal}", "reload is 'signal' without pid_file"),
        ("{folder: x, reload: often}", "should be 'http', 'signal' or 'itself'"),
        ("{folder: x, within: 0s}", "does not lie between 1s and 10m"),
        ("{folders: x}", "did you mean folder?"),
    ],
)
def test_what_cannot_be_is_explained(tmp_path: Path, served: str, said: str) -> None:
    file = tmp_path / "observatory.yaml"
    file.write_text(f"targets:\n  prometheus: {served}\n")
    with pytest.raises(ConfigError) as raised:
        config.load(file)
    assert said in str(raised.value)


def test_a_process_id_is_no_secret(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    pid.write_text("1")
    pid.chmod(0o644)
    tmp_path.chmod(0o755)
    file = tmp_path / "observatory.yaml"
    file.write_text("targets: {prometheus: {folder: x, reload: signal, pid_file: pid}}")
    assert secrets.too_open(config.load(file)) == []
