"""The pages: inbox, runbooks, silences."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import get_args

from starlette.responses import HTMLResponse

from demo.sinks import slack
from demo.sinks.alertmanager import Hours
from demo.sinks.inbox import Kind, Message

# Nothing but our own scripts runs, and no other site may frame a page whose buttons silence alerts.
_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TITLES: dict[Kind | None, str] = {None: "All", "slack": "Slack", "mail": "Mail"}
_EMPTY = (
    '<p class="empty">Nothing yet. Messages appear here by themselves, for example after<br>'
    "<code>observatory demo incident errors --for 5m</code></p>"
)
# A frame without scripts and without an origin of its own: a mail may say anything. Its links open beside the page.
_FRAME = '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="&lt;base target=_blank&gt;{}"></iframe>'


def html(content: str, status_code: int = 200) -> HTMLResponse:
    return HTMLResponse(content, status_code, headers={"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"})


def inbox(messages: list[Message], kind: Kind | None, note: str, with_silences: bool) -> str:
    """The page with `messages` in the order given; `note` is shown when something is wrong."""
    tabs = "".join(
        f'<a href="{"/" if key is None else f"/?kind={key}"}"{" class=on" if key == kind else ""}>{title}</a>'
        for key, title in _TITLES.items()
    )
    warning = f'<p class="note">{escape(note)}</p>' if note else ""
    cards = "".join(map(_card, messages))
    others = ('<a href="/alertmanager/">Silences</a>' if with_silences else "") + '<a href="/runbooks">Runbooks</a>'
    header = f"<header><h1>Inbox</h1><nav>{tabs}<span></span>{others}</nav></header>"
    return document("Inbox", f"{header}{warning}<main>{cards or _EMPTY}</main>", script="inbox.js")


def document(title: str, body: str, script: str = "") -> str:
    """A whole page with a script of the folder `static`. Everything in `body` has been escaped by its maker."""
    script = f'<script src="/static/{script}" defer></script>' if script else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Agent Observatory</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="/static/inbox.css">{script}</head><body>{body}</body></html>'
    )


def runbook(title: str, content: str) -> str:
    header = (
        '<header><h1>Runbooks</h1><nav><a href="/">Inbox</a><span></span><a href="/runbooks">All runbooks</a></nav></header>'
    )
    return document(title, f'{header}<main class="runbook">{content}</main>')


def runbook_list(names: list[str]) -> str:
    items = "".join(
        f'<li><a href="/runbooks/{escape(name)}">{escape(name.replace("-", " ").replace("_", " "))}</a></li>' for name in names
    )
    return runbook(
        "Runbooks",
        f"<ul>{items}</ul>" if items else "<p>No runbooks have been built yet: run <code>observatory build</code>.</p>",
    )


def silences() -> str:
    """The page of silences; its script fills it with what Alertmanager says."""
    hours = "".join(f"<option value={count}>{count} hour{'s' if count > 1 else ''}</option>" for count in get_args(Hours))
    return document("Silences", _SILENCES.format(hours), script="silences.js")


_SILENCES = """
<header><h1>Silences</h1><nav><a href="/">Inbox</a><span></span><a href="/runbooks">Runbooks</a></nav></header>
<p class="note" id="trouble" role="status" hidden></p>
<main>
<form id="silence" class="card" hidden>
<h2>New silence</h2>
<div id="matchers" class="labels"></div>
<p class="footer">Alerts with all of these labels are silenced. Take one out to silence more of them.</p>
<div class="row">
<label>Duration <select name="hours">{}</select></label>
<label>Author <input name="author" required maxlength="1000" autocomplete="name"></label>
<label class="wide">Comment <input name="comment" required maxlength="1000" placeholder="Why it may be quiet"></label>
</div>
<p class="buttons"><button class="button primary">Silence</button> <span id="result" role="status"></span></p>
</form>
<h2>Firing alerts</h2><div id="alerts"></div>
<h2>Silences</h2><div id="silences"></div>
</main>
"""


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
