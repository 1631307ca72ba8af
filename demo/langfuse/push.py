"""Sends the platform's past model calls and scores to a Langfuse server, as a client of its own would: spans by OTLP.

Nothing is remembered: sent twice, rows stand twice on a real server until it merges them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import requests

from demo.langfuse import spans
from demo.langfuse.otlp import NEWEST_INGESTION
from demo.world.observations import Observation, Score, observations, scores
from demo.world.world import SETTLED_HOURS, World

_Row = TypeVar("_Row")
_HOUR = 3600.0
_ROWS_AT_ONCE = 500
"""Rows of a request: well below the 5 MB and 3.5 MB that Langfuse takes."""
_TIMEOUT_SECONDS = (5.0, 60.0)


class PushError(Exception):
    """The server is away or refuses; one line for the person who asked."""


@dataclass(frozen=True)
class Server:
    """Where to send, and the key pair of the project."""

    url: str
    public_key: str
    secret_key: str = field(repr=False)


def push(world: World, since: float, until: float, server: Server, sent: Callable[[int, int], None]) -> tuple[int, int]:
    """Sends what ended in (since, until], an hour at a time; numbers of observations and scores, told to `sent` as they grow.

    Raises PushError.
    """
    calls = judgements = 0
    with requests.Session() as session:
        session.auth = (server.public_key, server.secret_key)
        for found, given in _hours(world, since, until):
            for part in _parts(found):
                _post(session, server, "otel/v1/traces", spans.batch(part))
            for judged in _parts(given):
                answer = _post(session, server, "ingestion", spans.score_events(judged))
                if errors := answer.get("errors"):
                    raise PushError(f"{server.url} refuses {len(errors)} of {len(judged)} scores: {errors[0].get('error')}")
            calls, judgements = calls + len(found), judgements + len(given)
            sent(calls, judgements)
    return calls, judgements


def _hours(world: World, since: float, until: float) -> Iterator[tuple[list[Observation], list[Score]]]:
    start = since
    while start < until:
        end = min(until, (start // _HOUR + 1) * _HOUR)
        hours = range(int(start // _HOUR) - SETTLED_HOURS, int(end // _HOUR) + 1)
        talks = [talk for index in hours for talk in world.hour(index * _HOUR).conversations if talk.settled > start]
        yield (
            [row for talk in talks for row in observations(talk, start, end)],
            [score for talk in talks for score in scores(talk, start, end)],
        )
        start = end


def _parts(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    return (rows[at : at + _ROWS_AT_ONCE] for at in range(0, len(rows), _ROWS_AT_ONCE))


def _cause(error: BaseException) -> str:
    """The innermost reason, without addresses and objects."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or type(error).__name__


def _post(session: requests.Session, server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {
        "content-type": "application/json",
        "content-encoding": "gzip",
        "x-langfuse-ingestion-version": str(NEWEST_INGESTION),
    }
    try:
        answer = session.post(
            f"{server.url.rstrip('/')}/api/public/{path}",
            data=gzip.compress(json.dumps(body).encode(), 5),
            headers=headers,
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise PushError(f"{server.url} cannot be reached: {_cause(error)}") from None
    try:
        found = answer.json()
    except requests.JSONDecodeError:
        found = None
    if answer.status_code not in (200, 207) or not isinstance(found, dict):
        why = found.get("message") or found.get("error") if isinstance(found, dict) else "no JSON"
        raise PushError(f"{server.url} answers {answer.status_code} to /api/public/{path}: {why}")
    return found
