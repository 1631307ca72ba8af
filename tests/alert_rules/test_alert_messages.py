"""What a real Alertmanager delivers to Slack and by mail: the facts, the links, and nothing broken by odd names."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import unquote

import pytest
import requests
import yaml
from aiosmtpd.controller import Controller

from alert_rules import routes, templates, wording
from alert_rules.catalogue import ALERTS
from contract.settings import Settings
from provisioning import unpacked

pytestmark = pytest.mark.integration

AGENT = 'R&D <"bot">+1'
ADDRESS = "https://alerts.example.com"
QUERY = "http://prometheus.example.com/graph?g0.expr=a+%3E+1&g0.tab=1"
PATIENCE = 20.0
T = TypeVar("T")


class Slack(ThreadingHTTPServer):
    """Takes what Alertmanager posts: Slack's messages, and the history's."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.history: list[dict[str, Any]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                (server.history if self.path == "/history" else server.messages).append(body)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


class Mailbox:
    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(find: Callable[[], T | None], what: str) -> T:
    """What `find` gives, as soon as it gives something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := find()) is not None:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {what} within {PATIENCE:g} s")


def impatient(route: dict[str, Any]) -> dict[str, Any]:
    """The same routes, without waiting: what is tested here are the messages."""
    return route | {
        "group_wait": "0s",
        "group_interval": "1s",
        **({"routes": [impatient(child) for child in route["routes"]]} if "routes" in route else {}),
    }


class Delivery:
    """A running Alertmanager and what it has delivered."""

    def __init__(self, url: str, slack: Slack, mailbox: Mailbox, settings: Settings) -> None:
        self.url, self.slack, self.mailbox, self.settings = url, slack, mailbox, settings

    def send(self, name: str, labels: dict[str, str], value: float, ends: timedelta) -> dict[str, str]:
        """Hand over an alert as Prometheus would; gives its annotations."""
        (alert,) = (one for one in ALERTS if one.name == name)
        annotations = wording.rendered(alert, self.settings, tuple(labels.items()), value)
        now = datetime.now(UTC)
        body = {
            "labels": {"alertname": name, **wording.rule_labels(alert), **labels},
            "annotations": annotations,
            "startsAt": "2026-11-20T03:10:05Z",
            "endsAt": (now + ends).isoformat(),
            "generatorURL": QUERY,
        }
        requests.post(f"{self.url}/api/v2/alerts", json=[body], timeout=5).raise_for_status()
        return annotations

    def slack_message(self, title: str) -> dict[str, Any]:
        def find() -> dict[str, Any] | None:
            return next((one for one in self.slack.messages if one["attachments"][0]["title"] == title), None)

        return until(find, f"Slack message {title!r} (there are {self.slack.messages})")

    def mail(self, words: str) -> EmailMessage:
        def find() -> EmailMessage | None:
            return next((one for one in self.mailbox.messages if words in part(one, "plain")), None)

        return until(find, f"mail with {words!r}")


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory, prometheus_tools: Any) -> Iterator[Delivery]:
    folder: Path = tmp_path_factory.mktemp("alertmanager")
    slack, mailbox = Slack(), Mailbox()
    Thread(target=slack.serve_forever, daemon=True).start()
    smtp = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    smtp.start()
    (folder / "slack").write_text(f"http://127.0.0.1:{slack.server_port}/slack")
    settings = Settings.model_validate(
        {
            "notifications": {
                "slack": {"webhook_url_file": str(folder / "slack")},
                "smtp": {"smarthost": f"127.0.0.1:{smtp.port}"},
                "history_url": f"http://127.0.0.1:{slack.server_port}/history",
            }
        }
    )
    configuration = routes.configuration(settings)
    configuration["route"] = impatient(configuration["route"])
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    (folder / "templates").mkdir()
    for name, text in templates.files(settings).items():
        (folder / "templates" / name).write_text(text)
    url = f"http://127.0.0.1:{free_port()}"
    program = unpacked.alertmanager(prometheus_tools.alertmanager, folder / "program")
    command = [
        str(program.path),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        f"--web.external-url={ADDRESS}",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=program.folder) as process:
        try:
            until(lambda: True if ready(url) else None, "Alertmanager")
            yield Delivery(url, slack, mailbox, settings)
        finally:
            process.terminate()
            process.wait(10)
            smtp.stop()
            slack.shutdown()
            slack.server_close()


def ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=1).ok
    except requests.RequestException:
        return False


def silence_matchers(url: str) -> str:
    address, _, filter_ = url.partition("/#/silences/new?filter=")
    assert address == ADDRESS
    return unquote(filter_)


def test_a_page_and_its_end(delivery: Delivery) -> None:
    about = {"environment": "production"}
    annotations = delivery.send("AgentErrorsPage", about, 0.7, timedelta(minutes=5))
    message = delivery.slack_message("Page: AgentErrorsPage in production")
    (attachment,) = message["attachments"]
    assert message["channel"] == "#agent-alerts"
    assert attachment["color"] == "danger"
    assert attachment["title_link"] == annotations["dashboard_url"]
    assert attachment["fallback"] == "Page: AgentErrorsPage in production. Agents are failing right now."
    assert attachment["text"] == (
        "*Agents are failing right now.*\n"
        "70% of all agent queries in production failed or timed out in the last minute; more than 30% wakes people, "
        "without waiting.\n"
        "*production*: `70%`, alerts above 30%, since 2026-11-20 03:10:05 UTC"
    )
    assert attachment["footer"] == "Team agents, figures from platform"
    buttons = {action["text"]: action["url"] for action in attachment["actions"]}
    assert all(action["type"] == "button" for action in attachment["actions"])
    assert buttons["Runbook"] == "http://127.0.0.1:3000/runbooks/AgentErrorsPage"
    assert buttons["Dashboard"] == annotations["dashboard_url"]
    assert buttons["Query"] == QUERY
    assert silence_matchers(buttons["Silence"]) == (
        '{alertname="AgentErrorsPage",concern="agent-errors",environment="production",paging="true",'
        'severity="critical",source="platform",team="agents"}'
    )
    mail = delivery.mail("70% of all agent queries")

    delivery.send("AgentErrorsPage", about, 0.7, timedelta(seconds=-1))
    (end,) = delivery.slack_message("Resolved: AgentErrorsPage in production")["attachments"]
    assert end["color"] == "good"
    assert re.fullmatch(
        r":white_check_mark: production no longer fires since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", end["text"].strip()
    )
    end_mail = delivery.mail("Resolved: production no longer fires since")
    assert mail["Subject"] == end_mail["Subject"] == "[critical] AgentErrorsPage in production"
    assert mail["To"] == end_mail["To"] == "agents@example.com"
    assert "#2e7d32" in part(end_mail, "html") and "Runbook" not in part(end_mail, "html")


def test_odd_names_break_nothing(delivery: Delivery) -> None:
    about = {"environment": "staging", "agent": AGENT}
    annotations = delivery.send("AgentErrorRatioCritical", about, 0.25, timedelta(minutes=5))
    (attachment,) = delivery.slack_message("Critical: AgentErrorRatioCritical in staging")["attachments"]
    assert '25% of the queries to agent R&amp;D &lt;"bot"&gt;+1 in staging failed' in attachment["text"]
    assert '*R&amp;D &lt;"bot"&gt;+1 in staging*: `25%`, alerts above 20%' in attachment["text"]
    buttons = {action["text"]: action["url"] for action in attachment["actions"]}
    assert buttons["Dashboard"].endswith("&var-environment=staging&var-agent=R%26D+%3C%22bot%22%3E%2B1")
    matchers = silence_matchers(buttons["Silence"])
    assert r'agent="R&D <\"bot\">+1"' in matchers

    mail = delivery.mail("25% of the queries")
    plain, html = part(mail, "plain"), part(mail, "html")
    assert f"About:     {AGENT} in staging" in plain
    assert annotations["dashboard_url"] in plain
    assert silence_matchers(plain.split("Silence: ")[1].split()[0]) == matchers
    assert "R&amp;D &lt;&#34;bot&#34;&gt;&#43;1 in staging" in html
    assert '<"bot">' not in html
    links = {label: unescape(url) for url, label in re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', html)}
    assert links["Dashboard"] == annotations["dashboard_url"]
    assert links["Query"] == QUERY
    assert links["Runbook"].endswith("/runbooks/AgentErrorRatioCritical")
    assert silence_matchers(links["Silence"]) == matchers


def test_several_alerts_come_as_one_message_and_warnings_go_by_mail_too(delivery: Delivery) -> None:
    for scope in ("all", "production"):
        delivery.send("CostBudgetNearlySpent", {"scope": scope}, 0.85, timedelta(minutes=5))

    def whole() -> dict[str, Any] | None:
        wanted = ("budget all", "budget production", "Warning: CostBudgetNearlySpent")
        return next((one for one in delivery.slack.messages if all(text in json.dumps(one) for text in wanted)), None)

    message = until(whole, "Slack message about both budgets")
    assert message["channel"] == "#cost-alerts"
    matchers = silence_matchers(message["attachments"][0]["actions"][3]["url"])
    assert 'alertname="CostBudgetNearlySpent"' in matchers and "scope" not in matchers
    assert delivery.mail("About:     budget all")["Subject"] == "[warning] CostBudgetNearlySpent"


def test_nothing_is_left_unfilled_and_the_history_has_it_all(delivery: Delivery) -> None:
    delivery.send("AgentSuccessRateLow", {"environment": "production", "agent": "billing"}, 0.5, timedelta(minutes=5))
    delivery.slack_message("Warning: AgentSuccessRateLow in production")
    mail = delivery.mail("50% of the conversations")
    everything = [json.dumps(delivery.slack.messages), part(mail, "plain"), part(mail, "html"), str(mail["Subject"])]
    assert not [text for text in everything if "<no value>" in text or "&lt;no value&gt;" in text or "{{" in text]
    named = {alert["labels"]["alertname"] for message in delivery.slack.history for alert in message["alerts"]}
    assert "AgentSuccessRateLow" in named
