"""Load on one address: requests at a steady rate, with a bound on how many wait for an answer, for a bounded time.

A request is timed from the moment when it was due, not from when there was room to send it: an address that keeps everybody
waiting is not made to look quick by the requests that were never sent meanwhile.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

import urllib3

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 30.0
_CHUNK = 65536


@dataclass(frozen=True)
class Load:
    """`per_second` requests for `seconds`, of which at most `at_once` wait for their answers."""

    url: str
    per_second: float
    seconds: float
    at_once: int
    method: str = "GET"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def planned(self) -> int:
        """How many requests that is."""
        return max(1, math.floor(self.per_second * self.seconds + 1e-9))


class Stop(Protocol):
    """What ends a load before its time: a threading.Event."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


@dataclass(frozen=True)
class Answer:
    """`status` of HTTP, 0 where none came; `seconds` from when the request was due until its answer was whole."""

    status: int
    seconds: float

    @property
    def good(self) -> bool:
        return 200 <= self.status < 400


@dataclass(frozen=True)
class Outcome:
    """The answers that came, the seconds that it took, and how many requests were never sent for want of room or time."""

    answers: tuple[Answer, ...]
    seconds: float
    not_sent: int

    def as_json(self) -> dict[str, Any]:
        """Figures: times in seconds, of good answers."""
        times = sorted(answer.seconds for answer in self.answers if answer.good)
        statuses = Counter(str(answer.status) if answer.status else "no answer" for answer in self.answers)
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
        return {
            "requests": len(self.answers),
            "errors": sum(not answer.good for answer in self.answers),
            "not_sent": self.not_sent,
            "per_second": round(len(self.answers) / self.seconds, 3) if self.seconds else 0.0,
            "seconds": round(self.seconds, 3),
            **{name: round(nearest_rank(times, share), 4) if times else None for name, share in shares.items()},
            "statuses": dict(sorted(statuses.items())),
        }


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The least value that this share of all does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def put(load: Load, stop: Stop) -> Outcome:
    """Does it, until it is over or `stop` is set. Ends within the load's seconds and twice the time that an answer may take."""
    pool = urllib3.PoolManager(maxsize=load.at_once, retries=False, timeout=urllib3.Timeout(CONNECT_SECONDS, ANSWER_SECONDS))
    answers: list[Answer] = []
    numbers, lock, begin = count(), threading.Lock(), time.monotonic()

    def work() -> None:
        while True:
            with lock:
                number = next(numbers)
            due = begin + number / load.per_second
            early = due - time.monotonic()
            if number >= load.planned or stop.wait(max(0.0, early)):
                return
            if early < 0 and time.monotonic() > begin + load.seconds:  # there was no room for it in time
                return
            status = _asked(pool, load)
            answers.append(Answer(status, time.monotonic() - due))

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(load.at_once, load.planned))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0.0, begin + load.seconds + 2 * ANSWER_SECONDS - time.monotonic()))
    found = tuple(answers)
    return Outcome(found, time.monotonic() - begin, load.planned - len(found))


def _asked(pool: urllib3.PoolManager, load: Load) -> int:
    """The status of one answer, read to its end; 0 where it does not come in time."""
    deadline = time.monotonic() + ANSWER_SECONDS
    body = load.body.encode() if load.method == "POST" else None
    headers = {"User-Agent": "agent-observatory load test", **load.headers}
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    try:
        answer = pool.request(load.method, load.url, body=body, headers=headers, redirect=False, preload_content=False)
        try:
            while answer.read1(_CHUNK):
                if time.monotonic() > deadline:
                    answer.close()
                    return 0
        finally:
            answer.release_conn()
        return answer.status
    except (urllib3.exceptions.HTTPError, ValueError):  # or it is nothing that can be sent
        return 0
