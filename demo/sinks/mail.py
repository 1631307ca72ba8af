"""The mail sink: takes every mail and keeps its subject and its texts."""

from __future__ import annotations

import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from demo.sinks.inbox import Inbox

_MOST_BYTES = 4 * 1024 * 1024


def parse(raw: bytes, sender: str, recipients: list[str]) -> dict[str, Any]:
    """Subject, addresses and the plain and HTML text of a mail; a part that is not there is an empty string."""
    mail = message_from_bytes(raw, policy=policy.default)
    if not isinstance(mail, EmailMessage):
        raise TypeError("the default policy yields EmailMessage")
    return {
        "subject": str(mail["subject"] or ""),
        "from": str(mail["from"] or sender),
        "to": str(mail["to"] or ", ".join(recipients)),
        "recipients": recipients,
        "plain": _part(mail, "plain"),
        "html": _part(mail, "html"),
    }


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except LookupError:  # a character set that Python does not know
        return bytes(part.get_payload(decode=True)).decode("utf-8", "replace")


class _Handler:
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        raw = envelope.content
        content = parse(raw if isinstance(raw, bytes) else (raw or "").encode(), envelope.mail_from or "", envelope.rcpt_tos)
        message = self._inbox.add("mail", content, time.time())
        return f"250 OK: kept as {message.number}"


def protocol(inbox: Inbox) -> SMTP:
    """The SMTP side of one connection."""
    return SMTP(_Handler(inbox), hostname="inbox.localhost", data_size_limit=_MOST_BYTES, enable_SMTPUTF8=True)
