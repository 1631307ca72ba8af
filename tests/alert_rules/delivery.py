"""A real Alertmanager with the built routes, and stand-ins for Slack, the mail server and the webhooks it delivers to."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import requests
import yaml
from aiosmtpd.controller import Controller

from alert_rules import routes, templates, wording
from alert_rules.catalogue import ALERTS
from alert_rules.model import Alert
from contract.settings import Settings
from provisioning import unpacked

ADDRESS = "https://alerts.example.com"
QUERY = "http://prometheus.example.com/graph?g0.expr=a+%3E+1&g0.tab=1"
BEGAN = datetime(2026, 11, 20, 3, 10, 5, tzinfo=UTC)
LATER, OVER = timedelta(minutes=5), timedelta(seconds=-1)
PATIENCE = 60.0
T = TypeVar("T")


class Webhooks(ThreadingHTTPServer):
    """Takes what Alertmanager posts, by the path of the address: slack, history, deadman."""

    def __init__(self) -> None:
        self.got: dict[str, list[dict[str, Any]]] = {"slack": [], "history": [], "deadman": []}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.got[self.path.strip("/")].append(body)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Mailbox:
    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(find: Callable[[], T | None], what: Callable[[], str]) -> T:
    """What `find` gives, as soon as it gives something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := find()) is not None:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {what()} within {PATIENCE:g} s")


class Delivery:
    """A running Alertmanager and what it has delivered."""

    def __init__(self, url: str, webhooks: Webhooks, mailbox: Mailbox, settings: Settings, log: Path) -> None:
        self.url, self.webhooks, self.mailbox, self.settings, self.log = url, webhooks, mailbox, settings, log

    @property
    def slack(self) -> list[dict[str, Any]]:
        return self.webhooks.got["slack"]

    def post(self, *alerts: Mapping[str, Any], ends: timedelta = LATER) -> None:
        """Hand over alerts as they are."""
        end = (datetime.now(UTC) + ends).isoformat()
        body = [{"startsAt": BEGAN.isoformat(), "endsAt": end, "generatorURL": QUERY, **alert} for alert in alerts]
        requests.post(f"{self.url}/api/v2/alerts", json=body, timeout=5).raise_for_status()

    def send(self, name: str, labels: dict[str, str], value: float = 1.0, ends: timedelta = LATER) -> dict[str, str]:
        """Hand over an alert as Prometheus would; gives its annotations."""
        (alert,) = (one for one in ALERTS if one.name == name)
        annotations = wording.rendered(alert, self.settings, tuple(labels.items()), value)
        own = {"alertname": name, **wording.rule_labels(alert), **labels}
        self.post({"labels": own, "annotations": annotations}, ends=ends)
        return annotations

    def titles(self) -> list[str]:
        return [message["attachments"][0]["title"] for message in self.slack]

    def slack_message(self, title: str, words: str = "") -> dict[str, Any]:
        """The first message with this title, and with these words in its text."""

        def find() -> dict[str, Any] | None:
            attachments = ((message, message["attachments"][0]) for message in self.slack)
            return next((one for one, part in attachments if part["title"] == title and words in part["text"]), None)

        return until(find, lambda: f"Slack message {title!r} with {words!r}; there are {self.slack}")

    def mail(self, words: str) -> EmailMessage:
        def find() -> EmailMessage | None:
            return next((one for one in self.mailbox.messages if words in part(one, "plain")), None)

        return until(find, lambda: f"mail with {words!r}")

    def muted(self, name: str) -> None:
        """Waits until Alertmanager knows that an alert is muted by another."""

        def find() -> bool | None:
            found = requests.get(f"{self.url}/api/v2/alerts", timeout=5).json()
            return next((True for one in found if one["labels"]["alertname"] == name and one["status"]["inhibitedBy"]), None)

        until(find, lambda: f"inhibition of {name}")

    def flushed(self, name: str, state: str, environment: str = "") -> None:
        """Waits until Alertmanager went through a group of people's alerts, one of them in this state (active, resolved)."""
        labels = {"alertname": name, **({"environment": environment} if environment else {})}
        group = "}:{" + ", ".join(f'{label}=\\"{value}\\"' for label, value in labels.items()) + "}"

        def find() -> bool | None:
            lines = (line for line in self.log.read_text().splitlines() if "msg=flushing" in line and group in line)
            return next((True for line in lines if f"[{state}]" in line), None)

        until(find, lambda: f"group {group} with something {state}")


def impatient(route: dict[str, Any]) -> dict[str, Any]:
    """The same routes, without waiting."""
    return route | {
        "group_wait": "0s",
        "group_interval": "1s",
        **({"routes": [impatient(child) for child in route["routes"]]} if "routes" in route else {}),
    }


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=1).ok
    except requests.RequestException:
        return False


@contextmanager
def running(
    folder: Path,
    tools: Any,
    changes: Mapping[str, Any],
    alerts: Sequence[Alert] | None = None,
    paced: Callable[[dict[str, Any]], dict[str, Any]] = impatient,
) -> Iterator[Delivery]:
    """Alertmanager with the routes of the settings, which are the defaults with these changes; `paced` changes the routes."""
    webhooks, mailbox = Webhooks(), Mailbox()
    Thread(target=webhooks.serve_forever, daemon=True).start()
    smtp = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    smtp.start()
    (folder / "slack").write_text(webhooks.address("slack"))
    notifications = {
        "slack": {"webhook_url_file": str(folder / "slack")},
        "smtp": {"smarthost": f"127.0.0.1:{smtp.port}"},
        "history_url": webhooks.address("history"),
        "deadman_url": webhooks.address("deadman"),
    }
    settings = Settings.model_validate({"notifications": notifications, **changes})
    configuration = routes.configuration(settings, alerts)
    configuration["route"] = paced(configuration["route"])
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    (folder / "templates").mkdir()
    for name, text in templates.files(settings).items():
        (folder / "templates" / name).write_text(text)
    url = f"http://127.0.0.1:{free_port()}"
    program = unpacked.alertmanager(tools.alertmanager, folder / "program")
    command = [
        str(program.path),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        f"--web.external-url={ADDRESS}",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
        "--log.level=debug",
    ]
    log = folder / "log"
    with log.open("w") as said, subprocess.Popen(command, stdout=said, stderr=said, cwd=program.folder) as process:
        try:
            until(lambda: _ready(url) or None, lambda: f"Alertmanager: {log.read_text()[-2000:]}")
            yield Delivery(url, webhooks, mailbox, settings, log)
        finally:
            process.terminate()
            process.wait(10)
            smtp.stop()
            webhooks.shutdown()
            webhooks.server_close()
