"""A POST of JSON that is tried again while the other side is busy or away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from provisioning.unreached import reason

_ATTEMPTS, _CONNECT_SECONDS, _ANSWER_SECONDS = 3, 3.0, 5.0
_PAUSE = wait_exponential_jitter(multiplier=0.2, max=2.0)
_BUSY = frozenset({429, 500, 502, 503, 504})


class NotPosted(Exception):
    """No answer came. The text says why."""


def posted(url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> int:
    """The status of the last answer. Raises NotPosted where none came."""
    retrying = Retrying(
        stop=stop_after_attempt(_ATTEMPTS), wait=_PAUSE, retry_error_callback=_last,
        retry=retry_if_exception_type(requests.RequestException) | retry_if_result(_BUSY.__contains__),
    )  # fmt: skip
    try:
        return retrying(_once, url, headers, body)
    except requests.RequestException as problem:
        raise NotPosted(reason(problem)) from None


def _last(state: RetryCallState) -> int:
    """What the last attempt gave or raised."""
    assert state.outcome is not None
    return int(state.outcome.result())


def _once(url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> int:
    timeout = (_CONNECT_SECONDS, _ANSWER_SECONDS)
    with requests.post(
        url, json=body, headers=headers, auth=_as_it_is, timeout=timeout, allow_redirects=False, stream=True
    ) as answer:
        return answer.status_code


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """With the credentials of the headers, or none: a login in ~/.netrc would otherwise take their place."""
    return request
