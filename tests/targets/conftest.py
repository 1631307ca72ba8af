"""Real servers over folders of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Site, running

from provisioning import unpacked
from tests.scripted import script, server

__all__ = ["script", "server"]

PROMETHEUS = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ["rules/*.yml"]
"""


@pytest.fixture
def prometheus(prometheus_tools: Any, tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "prometheus"
    (folder / "rules").mkdir(parents=True)
    (folder / "prometheus.yml").write_text(PROMETHEUS)
    data = f"--storage.tsdb.path={tmp_path / 'data'}"
    command = [str(prometheus_tools.prometheus), f"--config.file={folder}/prometheus.yml", data, "--web.enable-lifecycle"]
    with running(Site("prometheus", folder, command)) as site:
        yield site


@pytest.fixture
def alertmanager(prometheus_tools: Any, tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    program = unpacked.alertmanager(prometheus_tools.alertmanager, tmp_path / "program")
    command = [
        str(program.path),
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={tmp_path / 'state'}",
        "--cluster.listen-address=",
    ]
    with running(Site("alertmanager", folder, command, program.folder)) as site:
        yield site
