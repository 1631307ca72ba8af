"""Recorded series out of Prometheus: names from a list, values of labels quoted, one query."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import requests

from api.problems import unavailable

LOG = logging.getLogger("observatory.api")
LABELS = ("environment", "agent", "model", "version")
"""Labels that a caller may choose by."""

_POINTS, _SECONDS, _AT_ONCE = 500, 5.0, 4


def selector(name: str, chosen: Mapping[str, Sequence[str]]) -> str:
    """PromQL of the series of a name whose labels have one of the values that are given."""
    matchers = (
        f"{label}=~{json.dumps('|'.join(map(re.escape, values)), ensure_ascii=False)}" for label, values in chosen.items()
    )
    return f"{name}{{{','.join(matchers)}}}"


def _series(found: Any) -> dict[str, Any]:
    return {
        "labels": {label: value for label, value in found["metric"].items() if label != "__name__"},
        "points": [[at, None if text in ("NaN", "+Inf", "-Inf") else float(text)] for at, text in found["values"]],
    }


@dataclass
class Prometheus:
    """`url` is where it answers. Few questions are asked at a time."""

    url: str
    least_step: int = 15
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def range(
        self, name: str, chosen: Mapping[str, Sequence[str]], since: datetime, until: datetime
    ) -> list[dict[str, Any]]:
        """The series of a range, at most 500 points each: labels and `[[seconds, value], …]`. Raises Problem."""
        step = max(self.least_step, int((until - since).total_seconds() / _POINTS) + 1)
        given = {
            "query": selector(name, chosen), "start": str(since.timestamp()), "end": str(until.timestamp()), "step": str(step)
        }  # fmt: skip
        found = await self._asked("query_range", given)
        try:
            return [_series(one) for one in found["data"]["result"]]
        except (AttributeError, KeyError, TypeError, ValueError):
            LOG.warning("what answers at the address of Prometheus is another program")
            raise unavailable("Prometheus does not answer at the moment") from None

    async def ready(self) -> bool:
        """Whether it answers."""
        async with self._turns:
            return await asyncio.to_thread(self._ready)

    def _ready(self) -> bool:
        try:
            answer = requests.get(f"{self.url}/-/ready", timeout=_SECONDS, allow_redirects=False)
            return answer.status_code == HTTPStatus.OK
        except requests.RequestException:
            return False

    async def _asked(self, path: str, given: Mapping[str, str]) -> Any:
        async with self._turns:
            return await asyncio.to_thread(self._answer, path, given)

    def _answer(self, path: str, given: Mapping[str, str]) -> Any:
        try:
            answer = requests.post(f"{self.url}/api/v1/{path}", data=given, timeout=_SECONDS, allow_redirects=False)
            answer.raise_for_status()
            return answer.json()
        except (requests.RequestException, ValueError) as error:
            LOG.warning("Prometheus did not answer: %s", type(error).__name__)
            raise unavailable("Prometheus does not answer at the moment") from None
