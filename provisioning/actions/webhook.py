"""An incident that was opened or closed is told to the site's own system, as JSON with a POST.

It is told when the change stands and is recorded, so a system that is away takes nothing back: the command says that nobody was
told. Every request has the same `ref` for the same matter, and may come twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from contract.actions import Webhook
from provisioning.actions.authorization import authorization
from provisioning.deadline import within
from provisioning.findings import InputError, Unreachable
from provisioning.unreached import reason

_ATTEMPTS, _CONNECT_SECONDS, _ANSWER_SECONDS = 3, 3.0, 5.0
_PAUSE = wait_exponential_jitter(initial=0.2, max=2.0)
_BUSY = frozenset({429, 500, 502, 503, 504})
Event = Literal["opened", "closed"]


def told(webhook: Webhook | None, event: Event, kind: str, ref: str, actor: str, evidence: Mapping[str, Any]) -> str:
    """Tells it, and says in a line what came of it; "" where nobody is to be told. It raises nothing, and does not hang."""
    if webhook is None:
        return ""
    place = urlsplit(webhook.url).hostname or ""  # of some systems the whole address is a secret
    body = {"event": event, "kind": kind, "ref": ref, "actor": actor, "severity": "warning", "evidence": dict(evidence)}
    try:
        headers = authorization(webhook.authorization_file)
        status = within(place, lambda: _posted(webhook.url, headers, body))
    except Unreachable as problem:
        return f"nobody was told: {problem}"
    except requests.RequestException as problem:
        return f"nobody was told at {place}: {reason(problem)}"
    except InputError as problem:
        return f"nobody was told at {place}: {str(problem).removeprefix('error: ')}"
    return f"told {place}" if 200 <= status < 300 else f"nobody was told at {place}: it answers HTTP {status}"


def _posted(url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> int:
    """The status of the last answer. Raises requests.RequestException where none came."""
    retrying = Retrying(
        stop=stop_after_attempt(_ATTEMPTS), wait=_PAUSE, retry_error_callback=_last,
        retry=retry_if_exception_type(requests.RequestException) | retry_if_result(_BUSY.__contains__),
    )  # fmt: skip
    return retrying(_once, url, headers, body)


def _last(state: RetryCallState) -> int:
    """What the last attempt gave or raised."""
    assert state.outcome is not None
    return int(state.outcome.result())


def _once(url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> int:
    timeout = (_CONNECT_SECONDS, _ANSWER_SECONDS)
    with requests.post(url, json=body, headers=headers, timeout=timeout, allow_redirects=False, stream=True) as answer:
        return answer.status_code
