"""A server that speaks the parts of Mimir's HTTP interface that we use, as its reference documents them.

Tenants by header, one credential, rule groups by namespace with the tenant's limits, the configuration of Alertmanager as text;
and what goes wrong on the way.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import yaml

RULES, ALERTS = "/prometheus/config/v1/rules", "/api/v1/alerts"


@dataclass
class Fault:
    """What the next `times` requests of a method meet instead of an answer: this code, and a text."""

    method: str
    code: int = 503
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    first: Callable[[], None] | None = None
    """Something that happens before the request is answered as ever, such as an edit by somebody else."""
    text: str = "upstream says no"


@dataclass
class World:
    """`groups` by tenant, namespace and name; `alertmanager` by tenant, as text. `seen` are all requests."""

    groups: dict[str, dict[str, dict[str, dict[str, Any]]]] = field(default_factory=dict)
    alertmanager: dict[str, str] = field(default_factory=dict)
    login: str = ""
    most_groups: int = 200
    most_rules: int = 20
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def of(self, tenant: str, namespace: str) -> dict[str, dict[str, Any]]:
        return self.groups.setdefault(tenant, {}).setdefault(namespace, {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    world: World

    def log_message(self, *_: Any) -> None:
        """Tests look at what was asked."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_GET

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        self.world.seen.append((self.command, self.path))
        fault = next((one for one in self.world.faults if one.method == self.command and one.times > 0), None)
        if fault is not None:
            fault.times -= 1
            if fault.first is None:
                self._answer(fault.code, fault.text, fault.headers)
                return
            fault.first()
        if self.world.login and self.headers.get("Authorization") != self.world.login:
            self._answer(401, "no credentials that are known here")
            return
        tenant = self.headers.get("X-Scope-OrgID", "")
        if not tenant:
            self._answer(401, "no org id")
        elif self.path == ALERTS:
            self._alertmanager(tenant, body)
        elif self.path == RULES or self.path.startswith(f"{RULES}/"):
            self._rules(tenant, [unquote(part) for part in self.path.removeprefix(RULES).split("/")[1:]], body)
        else:
            self._answer(404, "404 page not found")

    def _rules(self, tenant: str, where: list[str], body: str) -> None:
        if self.command == "GET" and not where:
            found = {name: list(groups.values()) for name, groups in self.world.groups.get(tenant, {}).items() if groups}
            self._answer(200, yaml.safe_dump(found)) if found else self._answer(404, "no rule groups found")
        elif self.command == "GET":
            group = self.world.of(tenant, where[0]).get(where[1])
            self._answer(200, yaml.safe_dump(group)) if group else self._answer(404, "group does not exist")
        elif self.command == "POST":
            self._take(tenant, where[0], yaml.safe_load(body))
        else:
            gone = self.world.of(tenant, where[0]).pop(where[1], None)
            self._answer(202 if gone else 404, "" if gone else "group does not exist")

    def _take(self, tenant: str, namespace: str, group: dict[str, Any]) -> None:
        if self.headers.get("Content-Type") != "application/yaml":
            self._answer(400, "want application/yaml")
            return
        held = self.world.of(tenant, namespace)
        number = sum(map(len, self.world.groups[tenant].values())) + (group["name"] not in held)
        if len(group["rules"]) > self.world.most_rules:
            self._answer(400, f"per-user rules per rule group limit (limit: {self.world.most_rules}) exceeded")
        elif number > self.world.most_groups:
            self._answer(400, f"per-user rule groups limit (limit: {self.world.most_groups} actual: {number}) exceeded")
        else:
            held[group["name"]] = group
            self._answer(202, "")

    def _alertmanager(self, tenant: str, body: str) -> None:
        if self.command == "POST":
            configuration = yaml.safe_load(yaml.safe_load(body)["alertmanager_config"])
            files = [key for key in configuration.get("global", {}) if key.endswith("_file")]
            if files:
                self._answer(400, f"error validating Alertmanager config: setting {files[0]} is not allowed")
            elif "receivers" not in configuration:
                said = configuration.get("global", {}).get("slack_api_url", "")
                self._answer(400, f"error validating Alertmanager config: no receivers beside {said}")
            else:
                self.world.alertmanager[tenant] = body
                self._answer(201, "")
        elif self.command == "DELETE":
            self.world.alertmanager.pop(tenant, None)
            self._answer(200, "")
        else:
            found = self.world.alertmanager.get(tenant)
            self._answer(200, found) if found else self._answer(404, "alertmanager storage object not found")

    def _answer(self, code: int, text: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/yaml" if code < 300 else "text/plain")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def mimir() -> Iterator[tuple[str, World]]:
    """Address of a server on the loopback address, and its world."""
    world = World()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"world": world}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", world
    finally:
        server.shutdown()
        server.server_close()


def bearer(token: str) -> str:
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
