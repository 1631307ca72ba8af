"""A report by mail, through the mail server that alerts go through."""

from __future__ import annotations

import mimetypes
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

from contract.notifications import Smtp
from exporters import credentials
from provisioning.findings import InputError, Unreachable
from provisioning.report.model import Report
from provisioning.report.page import facts
from provisioning.unreached import reason

SECONDS = 30.0
"""How long the mail server may take for one answer."""
TLS_PORT = 465
"""Where TLS is spoken from the first byte on (RFC 8314, section 3.3), as Alertmanager takes it, too."""


def send(smtp: Smtp, to: tuple[str, ...], report: Report, name: str, body: bytes) -> dict[str, str]:
    """The report as an attachment. Gives whom the server refused, each with its words; all others have it.

    Raises Unreachable with what the server says, InputError for the password's file.
    """
    password = _password(smtp)
    try:
        with _connected(smtp) as server:
            if smtp.username:
                server.login(smtp.username, password)
            refused = server.send_message(message(smtp.sender, to, report, name, body), smtp.sender, to)
    except smtplib.SMTPRecipientsRefused as problem:  # nobody has it; a server that hangs up was not asked about all of them
        refused = dict.fromkeys(to, [*problem.recipients.values()][-1]) | problem.recipients
    except (OSError, smtplib.SMTPException) as problem:
        raise Unreachable(f"error: the mail server {smtp.smarthost} did not take the report: {_said(problem)}") from None
    return {address: _answer(*said) for address, said in refused.items()}


def _connected(smtp: Smtp) -> smtplib.SMTP:
    """A connection as the configuration wants it. Raises OSError, SMTPException."""
    host, _, port = smtp.smarthost.rpartition(":")
    host, tls = host.strip("[]"), ssl.create_default_context()
    if int(port) == TLS_PORT:
        return smtplib.SMTP_SSL(host, TLS_PORT, timeout=SECONDS, context=tls)
    server = smtplib.SMTP(host, int(port), timeout=SECONDS)
    try:
        server.ehlo()
        if smtp.require_tls or (server.has_extn("starttls") and smtp.username):
            server.starttls(context=tls)
    except BaseException:
        server.close()
        raise
    return server


def message(sender: str, to: tuple[str, ...], report: Report, name: str, body: bytes) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, ", ".join(to), f"Report: {report.title}"
    made["Date"], made["Message-ID"] = format_datetime(datetime.now(UTC)), make_msgid(domain=sender.rpartition("@")[2])
    lines = [f"{label}: {text}" for label, text in facts(report)]
    made.set_content("\n".join([report.title, "", *lines, *report.remarks]) + "\n")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    main, _, sub = kind.partition("/")
    made.add_attachment(body, maintype=main, subtype=sub, filename=name)
    return made


def _password(smtp: Smtp) -> str:
    if not smtp.password_file:
        return ""
    try:
        return credentials.secret_in(Path(smtp.password_file))
    except credentials.CredentialError as problem:
        raise InputError(f"error: notifications.smtp.password_file: {problem}") from None


def _said(problem: Exception) -> str:
    if isinstance(problem, smtplib.SMTPResponseException):
        return _answer(problem.smtp_code, problem.smtp_error)
    return reason(problem)


def _answer(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
