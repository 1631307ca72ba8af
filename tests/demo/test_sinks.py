"""The sinks, asked over real HTTP and real SMTP."""

from __future__ import annotations

import json
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from demo.sinks import page, runbooks, slack
from demo.sinks.inbox import Inbox
from exporters.database.migrations import migrate


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer of `condition`, which has to come within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.05)
    pytest.fail(f"{condition} was not true within {seconds:g} s")


@dataclass
class Running:
    url: str
    smtp_port: int
    var: Path

    def messages(self, **query: object) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/api/messages", params={k: str(v) for k, v in query.items()}, timeout=60)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=60).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def sinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    var = tmp_path_factory.mktemp("var")
    (var / "runbooks").mkdir()
    (var / "runbooks" / "agents.md").write_text(
        "# Agents\n\n## AgentErrors: next steps\n\n<script>alert(1)</script>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    http, smtp = free_port(), free_port()
    command = [sys.executable, "-m", "demo.sinks", "--var", str(var), "--http-port", str(http), "--smtp-port", str(smtp)]
    process = subprocess.Popen([*command, "--runbooks", str(var / "runbooks")])
    try:
        url = f"http://127.0.0.1:{http}"
        eventually(lambda: answers(url))
        yield Running(url, smtp, var)
    finally:
        process.terminate()
        assert process.wait(60) == 0


ALERT_MESSAGE = {
    "channel": "#agent-alerts",
    "username": "Alertmanager",
    "attachments": [
        {
            "color": "danger",
            "title": "[FIRING] AgentErrors",
            "title_link": "http://127.0.0.1:3000/d/observatory-overview?viewPanel=1&var-agent=a",
            "text": "*Error ratio* is 31 % &lt; 50 %\nsee <http://x.example/y|the panel>",
            "fields": [{"title": "Agent", "value": "`billing`", "short": True}],
            "actions": [{"type": "button", "text": "Runbook", "url": "http://127.0.0.1:8025/runbooks/agents"}],
        }
    ],
}


def test_slack_message_is_kept_and_shown(sinks: Running) -> None:
    before = time.time()
    answer = requests.post(f"{sinks.url}/slack", json=ALERT_MESSAGE, timeout=60)
    assert (answer.status_code, answer.text) == (200, "ok")
    (message,) = sinks.messages(kind="slack", since=before)
    assert message["content"] == ALERT_MESSAGE
    assert before < message["received_at"] < time.time()
    page = requests.get(sinks.url, timeout=60).text
    assert "<b>Error ratio</b> is 31 % &lt; 50 %<br>see" in page
    assert '<a href="http://x.example/y" target="_blank" rel="noreferrer">the panel</a>' in page
    assert 'class="button" href="http://127.0.0.1:8025/runbooks/agents"' in page
    assert "viewPanel=1&amp;var-agent=a" in page
    assert "background:#e01e5a" in page
    assert json.loads((sinks.var / "inbox" / "messages.jsonl").read_text().splitlines()[-1])["kind"] == "slack"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"not json", "invalid_payload"),
        (b"[1]", "invalid_payload"),
        (b'{"text": 5}', "invalid_payload"),
        (b'{"channel": "#a"}', "no_text"),
        (b'{"attachments": "x"}', "invalid_attachments"),
        (json.dumps({"attachments": [{}] * 101}).encode(), "too_many_attachments"),
        (json.dumps({"attachments": [{"actions": [{"type": "button"}] * 6}]}).encode(), "invalid_attachments"),
        (json.dumps({"blocks": [{"type": "section", "text": {"text": "x" * 3001}}]}).encode(), "invalid_blocks"),
        (rb'{"text": "\ud800"}', "invalid_payload"),
        (rb'{"text": "a", "\udfff": 1}', "invalid_payload"),
        (b'{"text": "a", "x": NaN}', "invalid_payload"),
        (b'{"text": "a", "x": -Infinity}', "invalid_payload"),
        (b'{"text": "a", "x": 1e999}', "invalid_payload"),
        (b"[" * 20_000, "invalid_payload"),
        (b'{"text": "a", "x": ' + b"[" * 400 + b"]" * 400 + b"}", "invalid_payload"),
    ],
)
def test_slack_refuses_as_slack_does(sinks: Running, body: bytes, error: str) -> None:
    since = time.time()
    answer = requests.post(f"{sinks.url}/slack", data=body, headers={"Content-Type": "application/json"}, timeout=60)
    assert (answer.status_code, answer.text) == (400, error)
    assert sinks.messages(since=since) == []
    assert requests.get(sinks.url, timeout=60).ok


def test_slack_takes_the_form_of_old_clients(sinks: Running) -> None:
    since = time.time()
    assert requests.post(f"{sinks.url}/slack", data={"payload": '{"text": "hello"}'}, timeout=60).text == "ok"
    assert [m["content"]["text"] for m in sinks.messages(since=since)] == ["hello"]


def test_slack_markup_escapes_and_styles() -> None:
    assert slack.markup("<script>") == "script"
    assert slack.markup("<javascript:alert(1)|click>") == "click"
    assert slack.markup("a_b_c *x* `<b>`".replace("<b>", "&lt;b&gt;")) == "a_b_c <b>x</b> <code>&lt;b&gt;</code>"
    assert slack.markup('2 * 3 * 4 & "q"') == "2 * 3 * 4 &amp; &quot;q&quot;"
    assert slack.render({"text": "x", "attachments": [{"fields": "odd", "actions": [3], "blocks": {"a": 1}}]}).startswith(
        "<p>x</p>"
    )


def test_slack_shows_how_long_ago_a_moment_was_and_cuts_long_texts() -> None:
    shown = slack.markup("(<!date^1795144205^{ago}|2026-11-20 03:10:05 UTC>)")
    assert shown == '(<time class="ago" datetime="2026-11-20T03:10:05+00:00">2026-11-20 03:10:05 UTC</time>)'
    assert slack.markup("<!date^1795144205^{date}^http://x.example|Friday>").endswith(">Friday</time>")
    assert slack.markup("<!date^999999999999^{ago}|then>") == "then"
    assert slack.render({"attachments": [{"text": "x" * 8001}]}).count("x") == 8000
    assert slack.render({"text": "x" * 40_001}).count("x") == 40_000


def test_mail_is_kept_with_its_parts(sinks: Running) -> None:
    since = time.time()
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Störung: Agent", "observatory@example.com", "agents@example.com"
    mail.set_content("plain words – ü\n")
    mail.add_alternative("<p>rich <b>words</b></p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", sinks.smtp_port, timeout=60) as client:
        client.send_message(mail)
    (message,) = sinks.messages(kind="mail", since=since)
    content = message["content"]
    assert content["subject"] == "Störung: Agent"
    assert content["recipients"] == ["agents@example.com"]
    assert content["plain"].strip() == "plain words – ü"
    page = requests.get(f"{sinks.url}/?kind=mail", timeout=60).text
    assert "&lt;p&gt;rich &lt;b&gt;words" in page, "the HTML part stands in a sandboxed frame, escaped"
    assert "<p>rich" not in page


def test_runbooks_have_anchors_and_no_raw_html(sinks: Running) -> None:
    page = requests.get(f"{sinks.url}/runbooks/agents", timeout=60).text
    assert '<h2 id="agenterrors-next-steps">' in page
    assert "<script>alert" not in page
    assert "<table>" in page
    assert requests.get(f"{sinks.url}/runbooks/agents.md", timeout=60).ok
    assert 'href="/runbooks/agents"' in requests.get(f"{sinks.url}/runbooks", timeout=60).text
    assert requests.get(f"{sinks.url}/runbooks/..%2Fsecrets", timeout=60).status_code == 404
    assert requests.get(f"{sinks.url}/runbooks/{'a' * 5000}", timeout=60).status_code == 404


def test_headings_that_repeat_get_anchors_of_their_own() -> None:
    assert 'id="a"' in (page := runbooks.html("# A\n# A\n"))
    assert 'id="a-1"' in page


def test_other_hosts_and_unknown_kinds_are_refused(sinks: Running) -> None:
    assert requests.get(sinks.url, headers={"Host": "evil.example"}, timeout=60).status_code == 400
    assert requests.get(f"{sinks.url}/api/messages?kind=fax", timeout=60).status_code == 400


@pytest.mark.parametrize("foreign", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_pages_of_other_sites_cannot_send_messages(sinks: Running, foreign: dict[str, str]) -> None:
    since = time.time()
    assert requests.post(f"{sinks.url}/slack", json={"text": "x"}, headers=foreign, timeout=60).status_code == 403
    assert requests.post(f"{sinks.url}/alerts", json={"alerts": []}, headers=foreign, timeout=60).status_code == 403
    assert sinks.messages(since=since) == []


def notification(status: str, ends_at: str) -> dict[str, Any]:
    labels = {"alertname": "AgentErrors", "severity": "critical", "environment": "production", "agent": "billing"}
    alert = {"status": status, "fingerprint": "f1", "labels": labels, "annotations": {"summary": "s"}}
    return {"version": "4", "status": status, "alerts": [alert | {"startsAt": "2026-11-20T10:00:00Z", "endsAt": ends_at}]}


def test_alert_history_waits_for_the_database(sinks: Running, database: str) -> None:
    """Firing and resolved are one row each, whatever Alertmanager repeats, and nothing is lost while there is no database."""
    for _ in range(2):
        answer = requests.post(f"{sinks.url}/alerts", json=notification("firing", "0001-01-01T00:00:00Z"), timeout=60)
        assert answer.json() == {"accepted": 1}
    assert "2 events wait" in requests.get(f"{sinks.url}/healthz", timeout=60).json()["note"]
    (sinks.var / "secrets").mkdir()
    with psycopg.connect(database, autocommit=True) as connection:
        migrate(connection)
    (sinks.var / "secrets" / "postgres_owner_dsn").write_text(database)
    requests.post(f"{sinks.url}/alerts", json=notification("resolved", "2026-11-20T10:09:00Z"), timeout=60).raise_for_status()
    columns = "status, alertname, severity, environment, agent, ends_at IS NULL, labels->>'agent'"
    query = f"SELECT {columns} FROM analytics.alert_events ORDER BY 1"

    def rows() -> list[tuple[Any, ...]]:
        with psycopg.connect(database) as connection:
            try:
                found = connection.execute(query).fetchall()
            except psycopg.errors.UndefinedTable:
                return []
        return found if len(found) == 2 else []

    facts = ("AgentErrors", "critical", "production", "billing")
    assert eventually(rows) == [("firing", *facts, True, "billing"), ("resolved", *facts, False, "billing")]
    assert requests.get(f"{sinks.url}/healthz", timeout=60).json()["note"] == ""


def test_alert_webhook_names_what_is_wrong(sinks: Running) -> None:
    answer = requests.post(f"{sinks.url}/alerts", json={"alerts": [{"status": "maybe"}]}, timeout=60)
    assert answer.status_code == 400
    assert "alerts.0.status" in answer.text


def test_inbox_is_bounded_and_survives_a_cut_off_line(tmp_path: Path) -> None:
    file = tmp_path / "inbox" / "messages.jsonl"
    inbox = Inbox(file, capacity=3)
    for number in range(20):
        inbox.add("slack", {"text": str(number)}, float(number))
        assert len(file.read_text().splitlines()) <= 6
    with file.open("a") as torn:
        torn.write('{"kind": "sl')
    again = Inbox(file, capacity=3)
    assert [m.content["text"] for m in again.newest_first()] == ["19", "18", "17"]
    assert again.add("mail", {}, 20.0).number == 21


@pytest.mark.parametrize(
    "broken",
    [
        '{"kind": "slack", "number": 2, "received_at": 2.0, "content": {"text": NaN}}',
        '{"kind": "slack", "number": 2, "received_at": 2.0, "content": {"text": "\\ud800"}}',
        '{"kind": "slack", "number": 2, "received_at": 1e300, "content": {"text": "a"}}',
        '{"kind": "slack", "number": "2", "received_at": 2.0, "content": {"text": "a"}}',
        '{"kind": "slack", "number": 2, "received_at": "2", "content": {"text": "a"}}',
        '{"kind": "fax", "number": 2, "received_at": 2.0, "content": {"text": "a"}}',
        '{"kind": "mail", "number": 2, "received_at": 2.0, "content": null}',
        "[" * 20_000,
    ],
)
def test_a_broken_line_is_left_out(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "messages.jsonl"
    Inbox(file).add("slack", {"text": "a\u2028b"}, 1.0)
    with file.open("a") as lines:
        lines.write(broken + "\n")
    again = Inbox(file).newest_first()
    assert [message.content for message in again] == [{"text": "a\u2028b"}]


def test_content_of_any_shape_is_shown_and_what_json_cannot_hold_is_not_kept(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "messages.jsonl")
    inbox.add("slack", {"text": 5, "blocks": "x", "attachments": {"a": 1}}, 1.0)
    with pytest.raises(ValueError, match="surrogates"):
        inbox.add("mail", {"subject": "\udcff"}, 2.0)
    (message,) = inbox.newest_first()
    assert "<p>5</p>" in page.inbox([message], None, "", with_silences=False)


def test_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "demo.sinks",
            "--var",
            str(tmp_path),
            "--http-port",
            str(port),
            "--smtp-port",
            str(free_port()),
        ]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 3
    assert ended.stderr.strip() == f"sinks: port {port}: Address already in use"
