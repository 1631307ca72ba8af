"""Keeps pages of other sites, open in the same browser, from changing anything here."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_READING = ("GET", "HEAD", "OPTIONS")
_FOREIGN = PlainTextResponse("pages of other sites may not change anything here", 403)


class OwnPagesOnly:
    """Refuses with status 403 every request that changes something and was sent by a page of another site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        foreign = scope["type"] == "http" and scope["method"] not in _READING and not _from_own_page(Request(scope))
        await (_FOREIGN if foreign else self._app)(scope, receive, send)


def _from_own_page(request: Request) -> bool:
    """Whether no other site has sent this. Browsers always name the sender of a change; what is no browser need not."""
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return request.headers.get("origin", own) == own and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
