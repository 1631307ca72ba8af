"""Slack's side of an incoming webhook: what it accepts, what it answers, and how the message looks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape, unescape
from typing import Any
from urllib.parse import parse_qs

from demo.sinks import strict

Payload = dict[str, Any]

_MOST_BUTTONS = 5
_LONGEST_SECTION = 3000
_LONGEST_ATTACHMENT = 8000
_LONGEST_TEXT = 40_000
"""Characters. Longer texts and attachments are cut when they are shown, as Slack does."""


class Refused(Exception):
    """The text is the error word that Slack answers with status 400."""


def parse(body: bytes, content_type: str) -> Payload:
    """The message in a request to an incoming webhook. Raises Refused with Slack's own error word."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        body = "".join(parse_qs(body.decode("utf-8", "replace")).get("payload", [])).encode()
    try:
        payload = strict.loads(body)
    except ValueError:
        raise Refused("invalid_payload") from None
    if not isinstance(payload, dict):
        raise Refused("invalid_payload")
    for part, most in (("attachments", 100), ("blocks", 50)):
        items = payload.get(part, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise Refused(f"invalid_{part}")
        if len(items) > most:
            raise Refused(f"too_many_{part}" if part == "attachments" else "invalid_blocks")
    if not isinstance(payload.get("text", ""), str):
        raise Refused("invalid_payload")
    if not any(payload.get(part) for part in ("text", "attachments", "blocks")):
        raise Refused("no_text")
    _refuse_longer(payload)
    return payload


def _refuse_longer(payload: Payload) -> None:
    """Slack's limits on parts of a message."""
    attachments = _items(payload.get("attachments"))
    if any(len(_items(attachment.get("actions"))) > _MOST_BUTTONS for attachment in attachments):
        raise Refused("invalid_attachments")
    blocks = [*_items(payload.get("blocks")), *(block for one in attachments for block in _items(one.get("blocks")))]
    if any(len(_text(block.get("text"))) > _LONGEST_SECTION for block in blocks):
        raise Refused("invalid_blocks")


_COLOURS = {"good": "#2eb67d", "warning": "#ecb22e", "danger": "#e01e5a"}
_EMOJI = {
    "fire": "🔥", "white_check_mark": "✅", "warning": "⚠️", "rotating_light": "🚨", "red_circle": "🔴", "bell": "🔔",
    "large_green_circle": "🟢", "large_yellow_circle": "🟡", "large_orange_circle": "🟠", "chart_with_upwards_trend": "📈",
    "book": "📖", "mute": "🔇", "no_bell": "🔕", "eyes": "👀", "moneybag": "💰", "information_source": "ℹ️",
}  # fmt: skip
_SPECIAL = re.compile(r"```(?P<pre>.+?)```|`(?P<code>[^`\n]+)`|<(?P<link>[^<>\n]+)>", re.DOTALL)
_DATE = re.compile(r"!date\^([0-9]{1,12})\^([^^]*)(?:\^.*)?")
_STYLES = (
    (re.compile(r"(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w_])_(\S(?:[^_\n]*\S)?)_(?![\w_])"), r"<i>\1</i>"),
    (re.compile(r"(?<![\w~])~(\S(?:[^~\n]*\S)?)~(?![\w~])"), r"<s>\1</s>"),
)


def markup(text: str) -> str:
    """HTML of Slack's mrkdwn: bold, italic, strike, code, links, and the commonest emoji."""
    html, at = "", 0
    for special in _SPECIAL.finditer(text):
        html += _styled(text[at : special.start()])
        if special["pre"]:
            html += f"<pre>{_plain(special['pre'].strip())}</pre>"
        elif special["code"]:
            html += f"<code>{_plain(special['code'])}</code>"
        else:
            html += _link(special["link"])
        at = special.end()
    return html + _styled(text[at:])


def _plain(text: str) -> str:
    # Senders escape &, < and > by Slack's rule; undo that first, so that nothing is escaped twice.
    return escape(unescape(text))


def _styled(text: str) -> str:
    html = _plain(text)
    for pattern, replacement in _STYLES:
        html = pattern.sub(replacement, html)
    html = re.sub(r":([a-z_]+):", lambda name: _EMOJI.get(name[1], name[0]), html)
    return html.replace("\n", "<br>")


def _link(inner: str) -> str:
    address, _, label = inner.partition("|")
    if date := _DATE.fullmatch(address):
        return _date(int(date[1]), date[2], label)
    if address.startswith(("!", "@", "#")):
        return f'<span class="mention">{_plain(label or address.lstrip("!"))}</span>'
    return anchor(address, label or address)


def _date(seconds: int, form: str, fallback: str) -> str:
    """A moment that the reader's own clock fills in: how long ago it was. Other forms are shown as their fallback."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return _plain(fallback)
    kind = ' class="ago"' if form == "{ago}" else ""
    return f'<time{kind} datetime="{moment.isoformat()}">{_plain(fallback)}</time>'


def anchor(address: str, label: str, css: str = "") -> str:
    """A link when the address is one that may be followed, otherwise its text alone."""
    address = unescape(address)
    if not re.match(r"(https?|mailto):", address):
        return _plain(label)
    kind = f' class="{css}"' if css else ""
    return f'<a{kind} href="{escape(address)}" target="_blank" rel="noreferrer">{_plain(label)}</a>'


def render(payload: Payload) -> str:
    """HTML of a whole message, whatever it holds."""
    parts = [f"<p>{markup(str(payload['text'])[:_LONGEST_TEXT])}</p>"] if payload.get("text") else []
    parts += [_block(block) for block in _items(payload.get("blocks"))]
    parts += [_attachment(attachment) for attachment in _items(payload.get("attachments"))]
    return "".join(parts)


def _attachment(attachment: Payload) -> str:
    colour = str(attachment.get("color") or "")
    colour = _COLOURS.get(colour, colour if re.fullmatch(r"#?[0-9a-fA-F]{6}", colour) else "#9aa0a6")
    title = str(attachment.get("title") or "")
    title = anchor(str(address), title) if (address := attachment.get("title_link")) else markup(title)
    inner = "".join(
        (
            f'<p class="title">{title}</p>' if title else "",
            f"<p>{markup(str(attachment['text'])[:_LONGEST_ATTACHMENT])}</p>" if attachment.get("text") else "",
            _fields(_items(attachment.get("fields"))),
            "".join(_block(block) for block in _items(attachment.get("blocks"))),
            _buttons(_items(attachment.get("actions"))),
            f'<p class="footer">{_styled(str(attachment["footer"]))}</p>' if attachment.get("footer") else "",
        )
    )
    pretext = f"<p>{markup(str(attachment['pretext']))}</p>" if attachment.get("pretext") else ""
    # The colour is validated above; every other value is escaped.
    return (
        f'{pretext}<div class="attachment"><i class="bar" style="background:#{colour.lstrip("#")}"></i><div>{inner}</div></div>'
    )


def _fields(fields: list[Payload]) -> str:
    cells = "".join(
        f'<div class="{"short" if field.get("short") else "long"}"><b>{_styled(str(field.get("title") or ""))}</b>'
        f"<span>{markup(str(field.get('value') or ''))}</span></div>"
        for field in fields
    )
    return f'<div class="fields">{cells}</div>' if cells else ""


def _buttons(actions: list[Payload]) -> str:
    buttons = "".join(
        anchor(str(action["url"]), _text(action.get("text")), f"button {escape(str(action.get('style') or ''))}".strip())
        for action in actions
        if action.get("url")
    )
    return f'<p class="buttons">{buttons}</p>' if buttons else ""


def _items(items: object) -> list[Payload]:
    """The objects of a list; a sender may put anything there."""
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _text(text: object) -> str:
    """The words of a Block Kit text object, or of a plain string."""
    return str(text.get("text") or "") if isinstance(text, dict) else str(text or "")


def _block(block: Payload) -> str:
    match block.get("type"):
        case "header":
            return f'<p class="title">{_styled(_text(block.get("text")))}</p>'
        case "section":
            body = f"<p>{markup(_text(block['text']))}</p>" if block.get("text") else ""
            fields = "".join(f'<div class="short">{markup(_text(field))}</div>' for field in _items(block.get("fields")))
            accessory = _buttons(_items([block.get("accessory")]))
            return body + (f'<div class="fields">{fields}</div>' if fields else "") + accessory
        case "context":
            return f'<p class="footer">{" · ".join(markup(_text(element)) for element in _items(block.get("elements")))}</p>'
        case "actions":
            return _buttons(_items(block.get("elements")))
        case "divider":
            return "<hr>"
        case other:
            return f'<p class="footer">(block of type {_plain(str(other))})</p>'
