"""An incident that was opened or closed is told to the site's own system, as JSON with a POST.

It is told when the change stands and is recorded, so a system that is away takes nothing back: the command says that nobody was
told. Every request has the same `ref` for the same matter, and may come twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from contract.actions import Webhook
from provisioning.actions.authorization import authorization
from provisioning.deadline import within
from provisioning.findings import InputError, Unreachable

Event = Literal["opened", "closed"]


def told(webhook: Webhook | None, event: Event, kind: str, ref: str, actor: str, evidence: Mapping[str, Any]) -> str:
    """Tells it, and says in a line what came of it; "" where nobody is to be told. It raises nothing, and does not hang."""
    if webhook is None:
        return ""
    from provisioning.actions import posting  # it takes its time to be read, and few commands tell anybody

    place = urlsplit(webhook.url).hostname or ""  # of some systems the whole address is a secret
    body = {"event": event, "kind": kind, "ref": ref, "actor": actor, "severity": "warning", "evidence": dict(evidence)}
    try:
        headers = authorization(webhook.authorization_file)
        status = within(place, lambda: posting.posted(webhook.url, headers, body))
    except Unreachable as problem:
        return f"nobody was told: {problem}"
    except posting.NotPosted as problem:
        return f"nobody was told at {place}: {problem}"
    except InputError as problem:
        return f"nobody was told at {place}: {str(problem).removeprefix('error: ')}"
    return f"told {place}" if 200 <= status < 300 else f"nobody was told at {place}: it answers HTTP {status}"
