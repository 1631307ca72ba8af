"""Grafana's HTTP interface: one service account, one organisation, and what goes wrong said in words."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests

from api.bearer import Bearer
from contract.settings import Settings
from contract.values import checked_url
from exporters import credentials
from provisioning.deadline import within
from provisioning.findings import InputError, Unreachable
from provisioning.plan.target import Refused
from provisioning.unreached import REFUSED_ATTEMPTS, reason, refused

URL_VARIABLE = "OBSERVATORY_GRAFANA_URL"
TOKEN_VARIABLE = "OBSERVATORY_GRAFANA_TOKEN"  # noqa: S105  the variable's name
CONNECT, READ = 3.0, 15.0
"""Seconds to connect, and between two pieces of an answer."""
ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second attempt; each further one is twice as long. Grafana may ask for longer ones, up to the longest."""
_MOST_WORDS = 300


class Absent(Exception):
    """There is no such object (404)."""


class Forbidden(Refused):
    """The token may not do this (403); or there is nothing there, and it may not know that."""


class Stale(Exception):
    """Somebody changed the object, or made one of the same name, since it was read (409, 412). The text is Grafana's."""


class _Passing(Exception):
    """It may go well the next time. `wish` is how many seconds Grafana asks to wait; `untaken`: it surely did nothing.

    `attempts` is how often it is worth to try.
    """

    def __init__(self, text: str, wish: float = 0.0, untaken: bool = False, attempts: int = ATTEMPTS) -> None:
        super().__init__(text)
        self.wish = wish
        self.untaken = untaken
        self.attempts = attempts


@dataclass(frozen=True)
class Answer:
    """What Grafana said, and when by its own clock (seconds since 1970)."""

    body: Any
    at: float


class Client:
    """Asks one Grafana with one token.

    Every method raises Absent for 404, Stale for 409 and 412, Refused when the token or the request is not accepted, and
    Unreachable when there is no sound answer after several attempts. `pause` waits so many seconds between two of them.
    """

    def __init__(self, url: str, token: str, pause: Callable[[float], None] = time.sleep) -> None:
        self.url = url
        self._pause = pause
        self._session = requests.Session()
        self._session.auth = Bearer(token)
        self._session.headers["Accept"] = "application/json"

    def get(self, path: str, **query: str | int) -> Any:
        return self.ask("GET", path, query=query).body

    def post(self, path: str, body: Any) -> Any:
        return self.ask("POST", path, body).body

    def put(self, path: str, body: Any) -> Any:
        return self.ask("PUT", path, body).body

    def delete(self, path: str) -> None:
        """Take an object away. One that is gone already is fine."""
        try:
            self.ask("DELETE", path)
        except Absent:
            return

    def post_once(self, path: str, body: Any) -> None:
        """Send what would be there twice if it were sent again after a lost answer."""
        self.ask("POST", path, body, again=False)

    def ask(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str | int] | None = None, again: bool = True
    ) -> Answer:
        """One request. Without `again` it is only repeated when Grafana says that it did not take it."""
        pause = FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return within(f"Grafana at {self.url}", lambda: self._once(method, path, body, query))
            except _Passing as passing:
                often = "" if attempt == 1 else f" (asked {attempt} times)"
                if attempt >= passing.attempts or passing.wish > LONGEST_PAUSE or not (again or passing.untaken):
                    raise Unreachable(f"Grafana at {self.url} {passing}{often}") from None
                self._pause(max(pause, passing.wish))
                pause = min(pause * 2, LONGEST_PAUSE)
        raise AssertionError("the last attempt ends with an answer or an error")

    def _once(self, method: str, path: str, body: Any, query: Mapping[str, str | int] | None) -> Answer:
        address = f"{self.url}{path}"
        try:
            response = self._session.request(
                method, address, params=query, json=body, timeout=(CONNECT, READ), allow_redirects=False
            )
        except requests.exceptions.SSLError as problem:
            raise Unreachable(f"Grafana at {self.url}: its certificate is not trusted: {reason(problem)}") from None
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as problem:
            attempts = REFUSED_ATTEMPTS if refused(problem) else ATTEMPTS
            raise _Passing(f"does not answer: {reason(problem)}", attempts=attempts) from None
        except requests.RequestException as problem:
            raise Unreachable(f"Grafana at {self.url} cannot be asked: {reason(problem)}") from None
        if response.status_code == 429:
            wish = _wished_pause(response)
            waits = f"; it asks to wait {wish:.0f} seconds" if wish else ""
            raise _Passing(f"allows no more requests at the moment (429){waits}", wish, untaken=True)
        if response.status_code >= 500:
            said = f"fails: {method} {path}: {response.status_code} {_words(response)}".rstrip()
            raise _Passing(said, _wished_pause(response), untaken=response.status_code == 503)
        return self._answer(response, method, path)

    def _answer(self, response: requests.Response, method: str, path: str) -> Answer:
        code, words = response.status_code, _words(response)
        if 200 <= code < 300:
            return Answer(self._json(response), _at(response))
        if code == 404:
            self._json(response)  # what is absent from Grafana is told in JSON
            raise Absent(f"{method} {path}: {words or 'not found'}")
        if code in (409, 412):
            raise Stale(words)
        if 300 <= code < 400:
            there = response.headers.get("Location", "another address").split("?")[0]
            raise Unreachable(
                f"Grafana at {self.url} points to {there} instead of answering; is sources.grafana.url the address that it "
                "serves, with its scheme and its path?"
            )
        if code == 401:
            raise Refused(
                f"Grafana at {self.url} does not accept the token: {words or 'unauthorized'}. Make a new token for the service "
                f"account, and give it in {TOKEN_VARIABLE} or sources.grafana.token_file"
            )
        if code == 403 and (right := re.search(r"Permissions needed: (.+)", words)):
            raise Forbidden(
                f"Grafana refuses {method} {path}: the token lacks the right {right[1]}; docs/grafana.md lists them all"
            )
        raise Refused(f"Grafana refuses {method} {path}: {code} {words}".rstrip())

    def _json(self, response: requests.Response) -> Any:
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            kind = response.headers.get("Content-Type", "something")
            why = f"{kind} where JSON was expected; is a login page in front of it?"
            raise Unreachable(f"what answers at {self.url} is not Grafana: {why}") from None


def connected(settings: Settings, pause: Callable[[float], None] = time.sleep) -> Client:
    """The Grafana of the settings. Raises InputError when there is no token, or the address is none."""
    url = os.environ.get(URL_VARIABLE, "").strip()
    try:
        address = checked_url(url) if url else settings.sources.grafana.url
    except ValueError as problem:
        raise InputError(f"error: {URL_VARIABLE}: {problem}") from None
    return Client(address, _token(settings), pause)


def _token(settings: Settings) -> str:
    token, place = os.environ.get(TOKEN_VARIABLE, "").strip(), TOKEN_VARIABLE
    if not token and (file := settings.sources.grafana.token_file):
        try:
            token, place = credentials.secret_in(Path(file)), file
        except credentials.CredentialError as problem:
            raise InputError(f"error: sources.grafana.token_file: {problem}") from None
    if not token:
        how = "docs/grafana.md says how to make one"
        raise InputError(f"error: no token for Grafana: set {TOKEN_VARIABLE}, or sources.grafana.token_file; {how}")
    if not re.fullmatch(r"[!-~]+", token):
        raise InputError(f"error: {place} holds no token: there is a space, a line break or a letter in it that no token has")
    return token


def _words(response: requests.Response) -> str:
    """What Grafana says about it, in one line."""
    try:
        body = response.json()
    except ValueError:
        return response.reason or ""
    words = body.get("message", "") if isinstance(body, dict) else ""
    return " ".join(str(words).split())[:_MOST_WORDS]


def _wished_pause(response: requests.Response) -> float:
    """Seconds that Grafana, or what stands before it, asks to wait; 0 when it does not say."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - _at(response))
    except ValueError:
        return 0.0


def _at(response: requests.Response) -> float:
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except ValueError:
        return time.time()
