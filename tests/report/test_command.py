"""The command, its mistakes, its mail and its schedule."""

from __future__ import annotations

import csv
import io
import os
import shlex
import ssl
import stat
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from click.testing import CliRunner, Result

from contract.notifications import Smtp
from contract.settings import Settings
from provisioning import cli
from provisioning.findings import InputError, Unreachable
from provisioning.report import command, drawn, mail, schedule
from provisioning.report.model import Report
from tests.exporters.serving import CERTIFICATES, trusting
from tests.provisioning.conftest import Scraped, free_port


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["report", *words])


@pytest.fixture
def site(scraped: Scraped, settings: Settings, tmp_path: Path) -> str:
    file = tmp_path / "observatory.yaml"
    closed = settings.sources.alertmanager.url
    file.write_text(f"sources:\n  prometheus: {{url: '{scraped.url}'}}\n  alertmanager: {{url: '{closed}'}}\n")
    return str(file)


def test_a_panel_of_a_real_tab_as_csv(site: str, tmp_path: Path) -> None:
    """To where /dev/stdout may lead, a file that holds something already: nothing else is read there, and nothing is gone."""
    words = ["--config", site, "--tab", "overview", "--panel", "health", "--range", "1h", "--format", "csv"]
    with (tmp_path / "all.csv").open("ab") as everything:
        everything.write(b"yesterday's\n")
        everything.flush()
        done = _run(*words, "--out", f"/dev/fd/{everything.fileno()}")
    assert done.exit_code == 0 and done.stdout == "" and "1 sections" in done.stderr, done.output
    before, report = (tmp_path / "all.csv").read_text().split("\n", 1)
    heads, *rows = csv.reader(io.StringIO(report))
    assert before == "yesterday's" and heads == ["Name", "Value", "Unit"] and ["Platform API", "0", ""] in rows


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tab", "performence"], "did you mean performance?"),
        (["--tab", "my_usage_anna"], "a person's own login"),
        (["--tab", "overview", "--panel", "helth"], "did you mean health?"),
        (["--tab", "overview", "--var", "agents=billing"], "did you mean agent?"),
        (["--tab", "overview", "--var", "agent"], "write NAME=VALUE"),
        (["--tab", "overview", "--range", "week"], "such as 24h, 7d or 30d"),
        (["--tab", "overview", "--range", "0s"], "such as 24h, 7d or 30d"),
        (["--tab", "overview", "--until", "noon"], "2026-01-31T00:00:00Z"),
        (["--tab", "overview", "--until", "0001-01-03"], "between 1970 and"),
        (["--tab", "overview", "--until", "9999-12-31T23:59:59-12:00"], "between 1970 and"),
        (["--tab", "overview", "--mail", "a@b, c@d"], "one address"),
        (["--tab", "overview", "--mail", "a@b.example\n"], "one address"),
        (["--tab", "overview", "--out", "nowhere/a.pdf"], "there is no folder nowhere"),
        (["--tab", "performence", "--schedule", "daily@07:00"], "did you mean performance?"),
        (["--tab", "overview", "--schedule", "daily@25:00"], "daily@07:00"),
        (["--tab", "overview", "--schedule", "weekly:someday@07:00"], "weekly:monday@07:00"),
    ],
)
def test_mistakes(site: str, words: list[str], said: str) -> None:
    done = _run("--config", site, *words)
    assert done.exit_code == 2 and said in done.output, done.output


def test_a_pipe_stays_a_pipe_and_a_link_a_link(tmp_path: Path) -> None:
    """/dev/stdout is one or the other: in its place a file would stand, for all on the machine where root makes the report."""
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        command._keep(pipe, b"figures")
        assert os.read(reader, 100) == b"figures" and pipe.is_fifo()
    finally:
        os.close(reader)
    (tmp_path / "loop").symlink_to("loop")
    command._keep(tmp_path / "loop", b"figures")
    assert (tmp_path / "loop").read_bytes() == b"figures"
    link.symlink_to(target)
    for body in (b"first", b"second"):
        command._keep(link, body)
        assert link.is_symlink() and target.read_bytes() == body and stat.S_IMODE(target.stat().st_mode) == 0o600


def test_without_a_browser_there_are_tables_and_a_remark(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "_CHROMIUM", "/nonexistent/chromium")
    monkeypatch.setenv("CHROMIUM", "/nonexistent/chromium")
    monkeypatch.setattr(drawn.shutil, "which", lambda _name: None)
    words = ["--config", site, "--tab", "overview", "--panel", "health", "--range", "1h"]
    done = _run(*words, "--out", str(tmp_path / "health.html"))
    assert done.exit_code == 0 and "There are no pictures" in done.output, done.output
    page = (tmp_path / "health.html").read_text()
    assert "<img" not in page and "There are no pictures" in page and ">Platform API</td>" in page
    done = _run(*words, "--format", "pdf", "--out", str(tmp_path / "health.pdf"))
    assert done.exit_code == 2 and "apt install chromium" in done.output and not (tmp_path / "health.pdf").exists()


class _Inbox:
    def __init__(self) -> None:
        self.received: list[EmailMessage] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 nobody has this name"
        if address.startswith("late@"):
            return "421 4.3.2 closing"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        parsed = BytesParser(policy=policy.default).parsebytes(envelope.content)
        assert isinstance(parsed, EmailMessage)
        self.received.append(parsed)
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[_Inbox, str]]:
    handler, port = _Inbox(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, f"127.0.0.1:{port}"
    controller.stop()


def test_the_report_is_sent_through_the_mail_server(inbox: tuple[_Inbox, str], report: Report) -> None:
    handler, address = inbox
    mail.send(Smtp(smarthost=address), ("a@example.com", "b@example.com"), report, "small-report.pdf", b"%PDF-1.4")
    [message] = handler.received
    assert message["To"] == "a@example.com, b@example.com" and message["Subject"] == "Report: Small <board>"
    assert message["Date"].datetime.tzinfo and message["Message-ID"].endswith("@example.com>")
    [attached] = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("small-report.pdf", "application/pdf")
    assert attached.get_content() == b"%PDF-1.4"


def test_whom_the_mail_server_refuses_is_told(inbox: tuple[_Inbox, str], report: Report) -> None:
    handler, address = inbox
    everybody = ("a@example.com", "nobody@example.com")
    refused = {"nobody@example.com": "550 5.1.1 nobody has this name"}
    assert mail.send(Smtp(smarthost=address), everybody, report, "r.html", b"x") == refused and len(handler.received) == 1
    assert mail.send(Smtp(smarthost=address), everybody[1:], report, "r.html", b"x") == refused and len(handler.received) == 1
    closing = ("a@example.com", "late@example.com", "b@example.com")
    assert mail.send(Smtp(smarthost=address), closing, report, "r.html", b"x") == dict.fromkeys(closing, "421 4.3.2 closing")
    assert len(handler.received) == 1


def test_a_mail_server_that_speaks_tls_from_the_first_byte_on(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    handler, port, shown = _Inbox(), free_port(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.load_cert_chain(CERTIFICATES / "first.pem", CERTIFICATES / "first.key")
    controller = Controller(handler, hostname="127.0.0.1", port=port, ssl_context=shown)
    controller.start()
    monkeypatch.setattr(mail, "TLS_PORT", port)
    trusts = trusting()
    monkeypatch.setattr(mail.ssl, "create_default_context", lambda: trusts)
    try:
        mail.send(Smtp(smarthost=f"127.0.0.1:{port}", require_tls=True), ("a@example.com",), report, "r.html", b"x")
    finally:
        controller.stop()
    assert len(handler.received) == 1


def test_a_mail_server_that_is_not_there_or_knows_no_tls(inbox: tuple[_Inbox, str], report: Report) -> None:
    with pytest.raises(Unreachable, match="did not take the report: Connection refused"):
        mail.send(Smtp(smarthost=f"127.0.0.1:{free_port()}"), ("a@example.com",), report, "r.html", b"x")
    with pytest.raises(Unreachable, match="STARTTLS"):
        mail.send(Smtp(smarthost=inbox[1], require_tls=True), ("a@example.com",), report, "r.html", b"x")
    assert not inbox[0].received


@pytest.mark.parametrize(
    ("text", "cron", "systemd"),
    [
        ("daily@07:00", "0 7 * * *", "*-*-* 07:00:00 UTC"),
        ("weekly:monday@06:30", "30 6 * * 1", "Mon *-*-* 06:30:00 UTC"),
        ("weekly:sunday@23:59", "59 23 * * 0", "Sun *-*-* 23:59:00 UTC"),
        ("monthly:1@07:05", "5 7 1 * *", "*-*-01 07:05:00 UTC"),
    ],
)
def test_times(text: str, cron: str, systemd: str) -> None:
    assert schedule.times(text) == schedule.Times(cron, systemd)


@pytest.mark.parametrize("text", ["daily", "monthly:29@07:00", "daily@7:00", "daily@07:00\n* * * * * root", ""])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="--schedule"):
        schedule.times(text)


def test_the_schedule_repeats_the_command(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY_CONFIG", site)
    words = ["--tab", "cost", "--format", "pdf", "--var", "agent=50% off; rm", "--mail", "a@example.com"]
    done = _run(*words, "--schedule", "daily@07:00")
    assert done.exit_code == 0, done.output
    [line] = [line for line in done.output.splitlines() if line.startswith("0 7 * * * ")]
    again = shlex.split(line.removeprefix("0 7 * * * ").replace(r"\%", "%"))
    assert again[:3] == ["cd", str(Path.cwd()), "&&"]
    repeated = again[again.index("report") + 1 :]
    given = [*zip(words[::2], words[1::2], strict=True), ("--config", site)]
    assert sorted(zip(repeated[::2], repeated[1::2], strict=True)) == sorted(given)
    [service] = [line for line in done.output.splitlines() if line.startswith("ExecStart=")]
    assert '"agent=50%% off; rm"' in service
    assert "OnCalendar=*-*-* 07:00:00 UTC" in done.output
