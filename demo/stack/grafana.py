"""Grafana for the stack, where the machine has one: a `grafana` on PATH, or a Docker engine that answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from demo.stack import secrets
from demo.stack.child import Part
from demo.stack.effective import address
from demo.stack.parts import Place
from demo.stack.ports import LOOPBACK

IMAGE = "grafana/grafana:13.2.3"
_DOCKER_SECONDS = 3.0
_PULLING_SECONDS = 600.0


class NoGrafana(Exception):
    """There is none to be had; the text says why."""


Maker = Callable[[Place], Part]


def find() -> Maker:
    """What makes the part, once the built files are there. Its user is `admin`, its password is in `var/secrets`.

    Raises NoGrafana.
    """
    if program := shutil.which("grafana"):
        return _installed(Path(program))
    if docker := shutil.which("docker"):
        return _container(docker)
    raise NoGrafana("there is no grafana on PATH and no Docker; the preview shows the same dashboards")


def _environment(place: Place, data: Path) -> dict[str, str]:
    password = secrets.kept(place.var / "secrets" / "grafana_admin_password")
    home = next((place.build / "grafana" / "dashboards").glob("*/observatory-overview.json"), None)
    return {
        "GF_SERVER_HTTP_ADDR": LOOPBACK,
        "GF_SERVER_HTTP_PORT": str(place.ports["grafana"]),
        "GF_PATHS_PROVISIONING": str(place.build / "grafana" / "provisioning"),
        "GF_PATHS_DATA": str(data),
        "GF_PATHS_LOGS": str(data / "log"),
        "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{password}}}",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        **({"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(home)} if home else {}),
    }


def _installed(program: Path) -> Maker:
    homes = (program.resolve().parent.parent, Path("/usr/share/grafana"))
    home = next((home for home in homes if (home / "conf" / "defaults.ini").is_file()), None)
    if home is None:
        raise NoGrafana(f"{program} has no conf/defaults.ini beside it; the preview shows the same dashboards")

    def make(place: Place) -> Part:
        command = (str(program), "server", f"--homepath={home}")
        return _part(place, command, _environment(place, place.var / "grafana"), 60.0)

    return make


def _container(docker: str) -> Maker:
    """In the machine's own network, where it reaches the other parts on loopback and listens there itself."""
    if sys.platform != "linux":
        raise NoGrafana("with Docker it runs on Linux only; `docker compose up` works everywhere")
    try:
        asked = subprocess.run([docker, "info"], capture_output=True, timeout=_DOCKER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise NoGrafana(
            f"Docker does not answer within {_DOCKER_SECONDS:.0f} s; the preview shows the same dashboards"
        ) from None
    if asked.returncode:
        raise NoGrafana("no grafana on PATH, and no Docker engine answers; the preview shows the same dashboards")

    def make(place: Place) -> Part:
        data, kept = place.var / "grafana", place.var / "secrets"
        data.mkdir(exist_ok=True)
        environment = _environment(place, data)
        # The folders have the same paths inside, so that the built files are right for both; only `data` may be written.
        mounts = (f"{place.build}:{place.build}:ro", f"{kept}:{kept}:ro", f"{data}:{data}")
        command = (
            *(docker, "run", "--rm", f"--name=observatory-grafana-{place.ports['grafana']}", "--network=host"),
            f"--user={os.getuid()}:{os.getgid()}",
            *(f"--volume={mount}" for mount in mounts),
            *(f"--env={name}" for name in environment),
            IMAGE,
        )
        return _part(place, command, environment, _PULLING_SECONDS)

    return make


def _part(place: Place, command: tuple[str, ...], environment: dict[str, str], patience: float) -> Part:
    at = address(place.ports, "grafana")
    return Part("grafana", "Grafana (user admin)", at, at + "/api/health", command, environment, patience)
