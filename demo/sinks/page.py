"""The inbox as a page."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from demo.sinks import slack
from demo.sinks.inbox import Kind, Message

_TITLES: dict[Kind | None, str] = {None: "All", "slack": "Slack", "mail": "Mail"}
_EMPTY = (
    '<p class="empty">Nothing yet. Messages appear here by themselves, for example after<br>'
    "<code>observatory demo incident errors --for 5m</code></p>"
)
# A frame without scripts and without an origin of its own: a mail may say anything. Its links open beside the page.
_FRAME = '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="&lt;base target=_blank&gt;{}"></iframe>'


def inbox(messages: list[Message], kind: Kind | None, note: str) -> str:
    """The page with `messages` in the order given; `note` is shown when something is wrong."""
    tabs = "".join(
        f'<a href="{"/" if key is None else f"/?kind={key}"}"{" class=on" if key == kind else ""}>{title}</a>'
        for key, title in _TITLES.items()
    )
    warning = f'<p class="note">{escape(note)}</p>' if note else ""
    cards = "".join(map(_card, messages))
    header = f'<header><h1>Inbox</h1><nav>{tabs}<a href="/runbooks">Runbooks</a></nav></header>'
    return document("Inbox", f"{header}{warning}<main>{cards or _EMPTY}</main>", refresh=True)


def document(title: str, body: str, refresh: bool = False) -> str:
    """A whole page. Everything in `body` has been escaped by its maker."""
    script = '<script src="/static/inbox.js" defer></script>' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Agent Observatory</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="/static/inbox.css">{script}</head><body>{body}</body></html>'
    )


def runbook(title: str, content: str) -> str:
    header = '<header><h1>Runbooks</h1><nav><a href="/">Inbox</a><a href="/runbooks">All runbooks</a></nav></header>'
    return document(title, f'{header}<main class="runbook">{content}</main>')


def runbook_list(names: list[str]) -> str:
    items = "".join(
        f'<li><a href="/runbooks/{escape(name)}">{escape(name.replace("-", " ").replace("_", " "))}</a></li>' for name in names
    )
    return runbook(
        "Runbooks",
        f"<ul>{items}</ul>" if items else "<p>No runbooks have been built yet: run <code>observatory build</code>.</p>",
    )


def _card(message: Message) -> str:
    at = datetime.fromtimestamp(message.received_at, UTC)
    when = f'<time datetime="{at.isoformat()}">{at:%Y-%m-%d %H:%M:%S} UTC</time>'
    head, body = _slack(message) if message.kind == "slack" else _mail(message)
    return (
        f'<article class="{message.kind}" id="m{message.number}">'
        f'<div class="head"><span class="kind">{_TITLES[message.kind]}</span>{head}{when}</div>{body}</article>'
    )


def _slack(message: Message) -> tuple[str, str]:
    payload = message.content
    sender = f"<b>{escape(str(payload.get('username') or 'incoming webhook'))}</b>"
    channel = escape(str(payload.get("channel") or ""))
    return f'{sender}<span class="to">{channel}</span>', slack.render(payload)


def _mail(message: Message) -> tuple[str, str]:
    mail = {name: escape(str(message.content.get(name) or "")) for name in ("subject", "from", "to", "plain", "html")}
    head = f'<b>{mail["subject"] or "(no subject)"}</b><span class="to">{mail["from"]} to {mail["to"]}</span>'
    plain = (
        f"<details{'' if mail['html'] else ' open'}><summary>Plain text</summary><pre>{mail['plain']}</pre></details>"
        if mail["plain"]
        else ""
    )
    return head, (_FRAME.format(mail["html"]) if mail["html"] else "") + plain
