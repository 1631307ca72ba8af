"""A report by mail, through the mail server that alerts go through."""

from __future__ import annotations

import mimetypes
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path

from contract.notifications import Smtp
from exporters import credentials
from provisioning.findings import InputError, Unreachable
from provisioning.report.model import Report
from provisioning.report.page import facts

SECONDS = 30.0
"""How long the mail server may take for one answer."""


def send(smtp: Smtp, to: tuple[str, ...], report: Report, name: str, body: bytes) -> None:
    """The report as an attachment. Raises Unreachable with what the server says, InputError for the password's file."""
    password = _password(smtp)
    host, _, port = smtp.smarthost.rpartition(":")
    try:
        with smtplib.SMTP(host.strip("[]"), int(port), timeout=SECONDS) as server:
            server.ehlo()
            if smtp.require_tls or (server.has_extn("starttls") and smtp.username):
                server.starttls(context=ssl.create_default_context())
            if smtp.username:
                server.login(smtp.username, password)
            server.send_message(message(smtp.sender, to, report, name, body))
    except (OSError, smtplib.SMTPException) as problem:
        raise Unreachable(f"error: the mail server {smtp.smarthost} did not take the report: {_said(problem)}") from None


def message(sender: str, to: tuple[str, ...], report: Report, name: str, body: bytes) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, ", ".join(to), f"Report: {report.title}"
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
        said = problem.smtp_error
        return f"{problem.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    return str(problem)
