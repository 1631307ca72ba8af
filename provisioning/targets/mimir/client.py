"""Mimir's HTTP interface for one tenant, and what goes wrong said in words."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import requests

from contract.settings import Settings
from exporters import credentials
from provisioning.deadline import within
from provisioning.findings import InputError, Unreachable
from provisioning.plan.target import Refused
from provisioning.unreached import REFUSED_ATTEMPTS, reason, refused

CONNECT, READ = 3.0, 15.0
"""Seconds to connect, and between two pieces of an answer."""
ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second attempt; each further one is twice as long. Mimir may ask for longer ones, up to the longest."""
_TEMPORARY = frozenset({429, 500, 502, 503, 504})
_MOST_WORDS = 600


class Absent(Exception):
    """There is no such object. The text is Mimir's."""


class _Login(requests.auth.AuthBase):
    """Only the credentials of the configuration: a login in ~/.netrc would otherwise take their place."""

    def __init__(self, user: str | None, token: str) -> None:
        self._basic = requests.auth.HTTPBasicAuth(user, token) if user else None
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._basic is not None:
            self._basic(request)
        elif self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Client:
    """Asks one Mimir for one tenant.

    Every method raises Absent for 404, Refused when Mimir accepts neither the credentials nor the request, and Unreachable when
    there is no sound answer after several attempts. `pause` waits so many seconds between two of them.
    """

    def __init__(
        self, url: str, tenant: str, user: str | None, token: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self.url, self.tenant, self._pause = url, tenant, pause
        self._session = requests.Session()
        self._session.auth = _Login(user, token)
        self._session.headers["X-Scope-OrgID"] = tenant

    def ask(self, method: str, *path: str, body: str | None = None, hidden: tuple[str, ...] = ()) -> str:
        """The text of the answer. Parts of the path are quoted; `hidden` are secrets that no error repeats."""
        address = "/".join((self.url, *(quote(part, safe="") for part in path)))
        pause = FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            why, wish, attempts = "", 0.0, ATTEMPTS
            try:
                answer = within(f"Mimir at {self.url}", lambda: self._once(method, address, body))
                if answer.status_code not in _TEMPORARY:
                    return self._taken(answer, method, "/".join(path), hidden)
                why, wish = f"answers with {answer.status_code}: {_words(answer, hidden)}", _wished(answer)
            except (requests.ConnectionError, requests.Timeout) as problem:
                why = f"does not answer: {reason(problem)}"
                attempts = REFUSED_ATTEMPTS if refused(problem) else ATTEMPTS
            except requests.RequestException as problem:
                raise Unreachable(f"Mimir at {self.url} cannot be asked: {reason(problem)}") from None
            if attempt >= attempts or wish > LONGEST_PAUSE:
                raise Unreachable(f"Mimir at {self.url} {why} (asked {attempt} times)")
            self._pause(max(pause, wish))
            pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError("the last attempt ends with an answer or an error")

    def _once(self, method: str, address: str, body: str | None) -> requests.Response:
        headers = {"Content-Type": "application/yaml"} if body is not None else {}
        data = None if body is None else body.encode()
        return self._session.request(
            method, address, data=data, headers=headers, timeout=(CONNECT, READ), allow_redirects=False
        )

    def _taken(self, answer: requests.Response, method: str, path: str, hidden: tuple[str, ...]) -> str:
        words, code = _words(answer, hidden), answer.status_code
        if 200 <= code < 300:
            return answer.text
        if code == 404:
            raise Absent(words)
        if code in (401, 403):
            raise Refused(
                f"Mimir at {self.url} does not let us {method} {path} of tenant {self.tenant}: {words}; look at "
                "targets.mimir.tenant, .user and .token_file"
            )
        if 300 <= code < 400:
            raise Unreachable(f"Mimir at {self.url} points elsewhere; is targets.mimir.url the address that it serves?")
        raise Refused(f"Mimir does not take {method} {path}: {words}")


def connected(settings: Settings) -> Client:
    """The Mimir of the settings. Raises InputError when there is none, or its token cannot be had."""
    mimir = settings.targets.mimir
    if mimir.url is None:
        raise InputError("error: targets.mimir.url names no address")
    token = ""
    if mimir.token_file is not None:
        try:
            token = credentials.secret_in(Path(mimir.token_file))
        except credentials.CredentialError as problem:
            raise InputError(f"error: targets.mimir.token_file: {problem}") from None
        if not re.fullmatch(r"[!-~]+", token):
            raise InputError(f"error: {mimir.token_file} holds no token: there is a space or a letter in it that no token has")
    return Client(mimir.url, mimir.tenant, mimir.user, token)


def _words(answer: requests.Response, hidden: tuple[str, ...]) -> str:
    words = " ".join(answer.text.split())
    for secret in hidden:
        words = words.replace(secret, "(hidden)")
    return words[:_MOST_WORDS] or answer.reason or str(answer.status_code)


def _wished(answer: requests.Response) -> float:
    """Seconds that Mimir, or what stands before it, asks to wait; 0 when it does not say."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0
