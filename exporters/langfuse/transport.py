"""One request to Langfuse at a time, over HTTP: deadlines, limits, repeated attempts, and what each refusal means.

One connection, no redirects followed (they would carry the keys away), an overall deadline for every answer, proxies as the
environment names them. What can go wrong becomes one of two errors: `QueryFailed` when only this question is at fault,
`SourceDown` when there is no use in asking on. Written on urllib3 alone, for what stands above it takes four megabytes.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from exporters.credentials import CredentialError, LangfuseAccess
from exporters.journal import QueryFailed, SourceDown
from exporters.langfuse.deadline import Deadline
from exporters.langfuse.request_budget import RequestBudget, seconds_to_wait
from exporters.redaction import hidden, without_secrets

LOCKED_OUT_SECONDS = 310.0
"""Langfuse remembers an unknown key for 300 s, and every further attempt begins that time anew."""

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": "observatory-exporter"}

LONGEST_EXCERPT = 200
_MOST_BYTES = 32 * 1024 * 1024


class Timeouts(NamedTuple):
    """Seconds. Langfuse gives a query 30 s, so `answer` is longer. `first_wait` comes before the second attempt."""

    connect: float = 5.0
    answer: float = 40.0
    first_wait: float = 0.5


USUAL = Timeouts()


class TooMuch(QueryFailed):
    """Langfuse could not answer in its time; a shorter window may be answered, the same one will not (422)."""


class NotServed(Exception):
    """This server does not have this endpoint (404)."""


class ServerError(Exception):
    """A 5xx that stayed after all attempts."""


class _Broken(Exception):
    """A connection that was refused or broke; a second attempt may better it."""


class _Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Used by one thread. `access` is asked on every request. `requests_by_code` counts by the contract's `api` and `code`."""

    def __init__(
        self,
        access: Callable[[], LangfuseAccess],
        budget: RequestBudget,
        timeouts: Timeouts = USUAL,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._access, self.budget, self._timeouts = access, budget, timeouts
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._deadline = Deadline()
        self._retrying = Retrying(
            stop=stop_after_attempt(3),
            wait=wait_exponential_jitter(
                multiplier=timeouts.first_wait, max=8 * timeouts.first_wait, jitter=timeouts.first_wait
            ),
            retry=retry_if_exception_type((ServerError, _Broken)),
            sleep=pause,
            reraise=True,
        )
        self._secrets: set[str] = set()
        self._base_urls: set[str] = set()
        self.requests_by_code: Counter[tuple[str, str]] = Counter()

    def ask(self, api: str, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The JSON object that an endpoint answers with, after up to three attempts; each is taken from the budget of `api`.

        Raises NotServed for 404, ServerError for 5xx, TooMuch for 422, QueryFailed for other answers that only concern this
        question, SourceDown when nothing else would be answered either.
        """
        try:
            return self._retrying(self._ask, api, path, parameters)
        except _Broken as failure:
            raise SourceDown(str(failure)) from None

    def _ask(self, api: str, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        self.budget.spend(api)
        response = self._get(api, path, parameters)
        self.budget.heard(api, response.headers.get("X-RateLimit-Remaining", ""))
        if response.status != 200:
            self._refuse(api, response)
        try:
            document = json.loads(response.body)
            rows = document["data"]
            if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError):
            self.requests_by_code[api, "2xx"] -= 1
            self.requests_by_code[api, "body"] += 1
            raise QueryFailed(f"the answer is not the JSON that was expected: {self._excerpt(response)}") from None
        return dict(document)

    def version(self, api: str, path: str) -> str:
        """What the health page says the server's version is; "" when it cannot be reached, "unknown" when it does not say."""
        try:
            return self.without_secrets(str(json.loads(self._get(api, path, {}).body)["version"]))[:LONGEST_EXCERPT]
        except _Broken:
            return ""
        except (ValueError, KeyError, TypeError, RecursionError):
            return "unknown"

    def _refuse(self, api: str, response: _Response) -> None:
        """Raises what an answer other than 200 means."""
        status, said = response.status, self._excerpt(response)
        if status == 404:
            raise NotServed
        if status == 401:
            reason = f"the keys are not accepted (401: {said}); asking again soon would prolong the lock"
            raise SourceDown(reason, LOCKED_OUT_SECONDS)
        if status == 403:
            raise SourceDown(f"the keys may not read metrics (403: {said}); use the keys of a project")
        if status == 422:
            raise TooMuch(f"refused (422): {said}")
        if status == 429:
            retry_after = seconds_to_wait(response.headers.get("Retry-After", ""), time.time())
            self.budget.refused(api, retry_after)
            raise SourceDown(f"too many requests (429); asked to wait {retry_after:.0f} s", retry_after)
        if status >= 500:
            raise ServerError(f"server error {status}: {said}")
        if 300 <= status < 400:
            target = self.without_secrets(response.headers.get("Location", "nowhere"))[:LONGEST_EXCERPT]
            raise SourceDown(f"redirected ({status}) to {target}; correct the base URL")
        raise QueryFailed(f"refused ({status}): {said}")

    def _get(self, api: str, path: str, parameters: Mapping[str, str]) -> _Response:
        """One request, counted.

        Raises QueryFailed for an endless answer, SourceDown for none in time, _Broken when the connection breaks.
        """
        try:
            access = self._access()
        except CredentialError as error:
            raise SourceDown(str(error)) from None
        self._know(access)
        base_url = self.without_secrets(access.base_url)
        code = "connection"
        try:
            response = self._read(access, path, parameters)
            code = _code(response.status)
        except QueryFailed:
            code = "body"
            raise
        except ValueError as error:
            raise SourceDown(f"cannot ask {base_url}: {type(error).__name__}") from None
        except urllib3.exceptions.NewConnectionError as error:  # which calls itself a timeout
            raise _Broken(f"no connection to {base_url}: {_cause(error)}") from None
        except urllib3.exceptions.TimeoutError:
            code = "timeout"
            raise SourceDown(f"no answer from {base_url} within {self._timeouts.answer:g} s") from None
        except urllib3.exceptions.HTTPError as error:
            raise _Broken(f"no connection to {base_url}: {_cause(error)}") from None
        finally:
            self.requests_by_code[api, code] += 1
        return response

    def _read(self, access: LangfuseAccess, path: str, parameters: Mapping[str, str]) -> _Response:
        end = time.monotonic() + self._timeouts.answer
        try:
            with self._deadline.within(self._timeouts.answer):
                response = self._received(access, path, parameters, end)
        except urllib3.exceptions.HTTPError:
            if time.monotonic() < end:
                raise
        else:
            if time.monotonic() < end:
                return response
        raise urllib3.exceptions.TimeoutError  # what was cut off may look like an end

    def _received(self, access: LangfuseAccess, path: str, parameters: Mapping[str, str], end: float) -> _Response:
        with self._pool(access.base_url).request(
            "GET",
            access.base_url + path,
            fields=parameters,
            headers=_HEADERS | {"Authorization": f"Basic {_login(access)}"},
            timeout=urllib3.Timeout(connect=self._timeouts.connect, read=self._timeouts.answer),
            retries=False,
            redirect=False,
            preload_content=False,
        ) as response:
            body = bytearray()
            while piece := response.read1(65536, decode_content=True):  # read() would wait for ever for a trickle
                body += piece
                if time.monotonic() > end:
                    raise urllib3.exceptions.TimeoutError
                if len(body) > _MOST_BYTES:
                    raise QueryFailed(f"the answer is longer than {_MOST_BYTES >> 20} MB")
            return _Response(response.status, response.headers, bytes(body))

    def _pool(self, base_url: str) -> urllib3.PoolManager:
        """Where connections to `base_url` are kept: behind a proxy, when the environment names one for it."""
        parts = urlsplit(base_url)
        proxies = {} if proxy_bypass(parts.netloc) else getproxies()
        proxy = proxies.get(parts.scheme, proxies.get("all"))
        if proxy not in self._pools:
            pool = urllib3.PoolManager() if proxy is None else _behind(proxy)
            pool.pool_classes_by_scheme = self._deadline.pool_classes
            self._pools[proxy] = pool
        return self._pools[proxy]

    def _know(self, access: LangfuseAccess) -> None:
        """Keys stay secrets after they were changed, and so does the header that carries them."""
        self._secrets |= {access.public_key, access.secret_key, _login(access)}
        self._base_urls.add(access.base_url)

    def without_secrets(self, text: str) -> str:
        """A text without the keys that were used, in case the server repeats them."""
        for base_url in self._base_urls:
            text = without_secrets(text, base_url)
        return hidden(text, self._secrets)

    def _excerpt(self, response: _Response) -> str:
        """What an answer says, for one line of a log."""
        text = response.body.decode("utf-8", "replace")
        try:
            text = str(json.loads(text)["message"])
        except (ValueError, KeyError, TypeError, RecursionError):
            kind = response.headers.get("Content-Type", "nothing known").split(";")[0]
            text = f"a body of {kind}"  # not how long: each length would be another line of the log
        return " ".join(self.without_secrets(text).split())[:LONGEST_EXCERPT]

    def close(self) -> None:
        for pool in list(self._pools.values()):  # the thread that asks may add one
            pool.clear()


def _login(access: LangfuseAccess) -> str:
    return b64encode(f"{access.public_key}:{access.secret_key}".encode()).decode()


def _behind(proxy: str) -> urllib3.ProxyManager:
    """Connections through a proxy, `http://[user:password@]host:port`. Raises ValueError for what is no such address."""
    address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    login = f"{unquote(address.username)}:{unquote(address.password or '')}" if address.username else None
    return urllib3.ProxyManager(address.geturl(), proxy_headers=urllib3.make_headers(proxy_basic_auth=login))


def _code(status: int) -> str:
    return str(status) if status in (401, 429) else f"{status // 100}xx"


def _cause(error: Exception) -> str:
    """The innermost reason of a connection error, without the address and its parameters."""
    reason: BaseException = error
    while (inner := reason.__cause__ or reason.__context__) is not None:
        reason = inner
    return getattr(reason, "strerror", None) or type(reason).__name__
