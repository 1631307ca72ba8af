"""What each part of the stack is: its command, its address, and where it says that it is ready."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from contract.settings import Settings
from demo.stack.child import Part, launch
from demo.stack.effective import OWNER_DSN, address
from demo.stack.ports import LOOPBACK
from provisioning import preview as previewing
from provisioning import unpacked

ROOT = Path(__file__).resolve().parents[2]
_INSTALLING_SECONDS = 900.0
_GIVING_WAY = ("sh", "-c", '{ echo 19 > /proc/self/autogroup; } 2>/dev/null; exec nice -n 19 "$@"', "sh")
"""Begins a program that has what others leave: Linux shares out time among sessions first, and only within one by niceness."""


@dataclass(frozen=True)
class Place:
    """Where a stack lives: its folder (absolute), its ports, and the configuration file of its parts."""

    var: Path
    ports: Mapping[str, int]

    @property
    def config(self) -> Path:
        return self.var / "observatory.yaml"

    @property
    def build(self) -> Path:
        return self.var / "build"

    def secret(self, name: str) -> str:
        return str(self.var / "secrets" / name)


def python(module: str, *arguments: object) -> tuple[str, ...]:
    """Command that runs a module of the project; `-P` keeps folders where the user happens to be out of its way."""
    return (sys.executable, "-P", "-m", module, *map(str, arguments))


def _part(place: Place, name: str, title: str, ready: str, command: tuple[str, ...], patience: float = 60.0) -> Part:
    at = address(place.ports, name)
    return Part(name, title, at, at + ready, command, patience=patience)


def sinks(place: Place) -> Part:
    command = python(
        "demo.sinks",
        *("--var", place.var, "--http-port", place.ports["inbox"], "--smtp-port", place.ports["smtp"]),
        *("--alertmanager", address(place.ports, "alertmanager"), "--runbooks", place.build / "runbooks"),
        *("--dsn-file", place.secret(OWNER_DSN)),
    )
    return _part(place, "inbox", f"Inbox (Slack, mail on port {place.ports['smtp']})", "/healthz", command)


def langfuse(place: Place, mode: str, plan: str | None = None) -> Part:
    command = python(
        "demo.langfuse",
        *("--var", place.var, "--port", place.ports["langfuse"], "--mode", mode),
        *("--public-key-file", place.secret("langfuse_public_key"), "--secret-key-file", place.secret("langfuse_secret_key")),
        *(("--plan", plan) if plan else ()),
    )
    return _part(place, "langfuse", "Langfuse (stand-in)", "/api/public/health", command)


def platform(place: Place, with_langfuse: bool) -> Part:
    there = ("--langfuse", address(place.ports, "langfuse")) if with_langfuse else ()
    command = python(
        "demo.platform",
        *("--var", place.var, "--dsn-file", place.secret(OWNER_DSN), "--port", place.ports["platform"], *there),
    )
    return _part(place, "platform", "Synthetic platform", "/healthz", command, patience=180.0)


def exporter(place: Place) -> Part:
    command = python("provisioning.cli", "exporter", "--config", place.config)
    part = _part(place, "exporter", "Exporter", "/healthz", command)
    # The owner's connection string is not for the exporter, which reads as the configuration says.
    return replace(part, environment={"OBSERVATORY_POSTGRES_DSN": "", "OBSERVATORY_POSTGRES_ADVANCE_DSN": ""})


def prometheus(place: Place, binary: Path, retention: str) -> Part:
    program = unpacked.prometheus(binary, place.var / "programs")
    at = f"{LOOPBACK}:{place.ports['prometheus']}"
    command = (
        str(program.path),
        f"--config.file={place.build / 'prometheus' / 'prometheus.yml'}",
        f"--storage.tsdb.path={place.var / 'prometheus'}",
        f"--storage.tsdb.retention.time={retention}",
        f"--web.listen-address={at}",
        f"--web.external-url=http://{at}",
        "--web.enable-lifecycle",
    )
    return replace(_part(place, "prometheus", "Prometheus", "/-/ready", command), folder=program.folder)


def alertmanager(place: Place, binary: Path) -> Part:
    program = unpacked.alertmanager(binary, place.var / "programs")
    at = f"{LOOPBACK}:{place.ports['alertmanager']}"
    # Links of messages lead to where its page is: Debian's has none, but the sinks have.
    page = f"http://{at}" if unpacked.has_page(program) else address(place.ports, "inbox") + "/alertmanager"
    command = (
        str(program.path),
        f"--config.file={place.build / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={place.var / 'alertmanager'}",
        f"--web.listen-address={at}",
        f"--web.external-url={page}",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
    )
    return replace(_part(place, "alertmanager", "Alertmanager", "/-/ready", command), folder=program.folder)


def install_preview(place: Place) -> subprocess.Popen[bytes] | None:
    """Begins to install the preview's npm packages, which takes half a minute the first time; None without the preview.

    It gives way to the preparations: nobody waits for it, and later they leave it time enough.
    """
    if not previewing.SCRIPT.exists():
        return None
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    command = (*_GIVING_WAY, str(previewing.SCRIPT), "install")
    return launch(command, place.var / "log" / "preview.log", place.var, {"PATH": path})


def preview(place: Place, settings: Settings) -> Part:
    """The preview."""
    arguments = ("--port", str(place.ports["preview"]), "--open-from", "now-24h")
    command, environment = previewing.invocation(settings, place.build / "grafana" / "dashboards", None, arguments)
    at = address(place.ports, "preview")
    # The script looks for the Node.js of the Python environment with the first python3 that it finds.
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment.get('PATH', '')}"
    installed = (previewing.SCRIPT.parent / "node_modules" / ".installed").exists()
    starting = "" if installed else "installing its packages, once"
    return Part("preview", "Preview", at, at + "/", tuple(command), environment, _INSTALLING_SECONDS, starting)
