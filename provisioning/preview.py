"""Starts the preview on the built dashboards with the data sources of the configuration."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from contract.settings import Settings
from provisioning import build, secrets
from provisioning.findings import InputError

_ROOT = Path(__file__).resolve().parent.parent
SCRIPT = _ROOT / "preview" / "preview"
BUILT = _ROOT / "var" / "preview"
PORT = "3300"


def start(settings: Settings, out: Path | None, arguments: Sequence[str]) -> None:
    """Become the preview: pages, or pictures in `out`. Dashboards are built into a folder of their own first."""
    if not os.access(SCRIPT, os.X_OK):
        raise InputError(f"there is no preview: {SCRIPT} is missing")
    folder = _dashboards(settings)
    command, variables = invocation(settings, folder, out, arguments)
    os.execve(command[0], command, variables)  # noqa: S606


def invocation(
    settings: Settings, dashboards: Path, out: Path | None, arguments: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Command line and environment. Passwords travel in the environment, where `ps` does not show them."""
    sources = settings.sources
    as_grafana = sources.postgres.password_file is not None
    dsn, password = without_password(secrets.panel_dsn(settings) if as_grafana else secrets.postgres_dsn(settings))
    logins = [f"{sources.postgres.uid}={dsn}"]
    passwords = {"PGPASSWORD": password} if password else {}
    if own := secrets.administration_dsn(settings):
        uid = sources.postgres.uid_of("Administration")
        dsn, passwords[own_password(uid)] = without_password(own)
        logins.append(f"{uid}={dsn}")
    mode = ["pictures", "--out", str(out)] if out else ["serve"]
    if not out and "--port" not in arguments:
        mode += ["--port", PORT]
    command = [
        str(SCRIPT),
        *mode,
        "--dashboards", str(dashboards),
        "--prometheus", f"{sources.prometheus.uid}={sources.prometheus.url}",
        *(word for login in logins for word in ("--postgres", login)),
        "--alertmanager", sources.alertmanager.url,
        "--scrape-interval", sources.prometheus.scrape_interval,
        *arguments,
    ]  # fmt: skip
    return command, {**environment(), **passwords}


def own_password(uid: str) -> str:
    """The variable with the password of one data source; shells pass on no others than such names."""
    return f"PGPASSWORD_{re.sub(r'[^A-Za-z0-9]', '_', uid).upper()}"


def environment() -> dict[str, str]:
    """In it the preview finds the Node.js of this Python: its script looks beside the first python3 on PATH."""
    return {**os.environ, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))}


def without_password(dsn: str) -> tuple[str, str]:
    """A connection string of any form as an address without its password, and the password."""
    from urllib.parse import quote, urlencode

    from psycopg.conninfo import conninfo_to_dict

    parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    password = parts.pop("password", "")
    parts.pop("sslpassword", None)  # Node.js' client knows no such thing, and `ps` would show it
    host, port = parts.pop("host", "127.0.0.1"), parts.pop("port", "5432")
    user, database = quote(parts.pop("user", "postgres"), safe=""), quote(parts.pop("dbname", "postgres"), safe="")
    if host.startswith("/"):  # a socket's folder cannot stand in the address itself
        parts["host"] = host
        host = "localhost"
    options = f"?{urlencode(parts)}" if parts else ""
    return f"postgresql://{user}@{host}:{port}/{database}{options}", password


def _dashboards(settings: Settings) -> Path:
    """The dashboards in a folder of their own, which the preview watches."""
    BUILT.parent.mkdir(exist_ok=True)
    artefacts = build.artefacts(settings)
    build.write({name: body for name, body in artefacts.items() if name.startswith("grafana/dashboards/")}, BUILT)
    return BUILT / "grafana" / "dashboards"
