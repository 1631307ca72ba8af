"""The figures of the live line, gathered in the background."""

from __future__ import annotations

import json
import subprocess
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import requests

from demo.stack.child import launch

_ROWS = "SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE schemaname = 'app'"
_FIRING = 'count(ALERTS{alertstate="firing"})'
_TIMEOUT = 3.0
DOCTOR_EVERY, DOCTOR_AT_EASE = 60.0, 300.0
"""Seconds between two looks: while a panel has no data, and once all have some. A look takes more than a second of a core."""
_RATE_SECONDS = 60.0


class Reading(NamedTuple):
    """Figures of one moment (seconds of a monotonic clock); None where the source did not answer."""

    at: float
    rows: int | None
    series: int | None
    firing: int | None


def read(dsn: str, prometheus: str) -> Reading:
    series = _series(prometheus)
    return Reading(time.monotonic(), _rows(dsn), series, None if series is None else _firing(prometheus))


def _rows(dsn: str) -> int | None:
    try:
        with psycopg.connect(dsn, connect_timeout=int(_TIMEOUT), options="-c statement_timeout=3000") as connection:
            row = connection.execute(_ROWS).fetchone()
    except psycopg.Error:
        return None
    return int(row[0]) if row else None


def _series(prometheus: str) -> int | None:
    answer = _asked(f"{prometheus}/api/v1/status/tsdb")
    return int(answer["headStats"]["numSeries"]) if answer else None


def _firing(prometheus: str) -> int | None:
    answer = _asked(f"{prometheus}/api/v1/query", query=_FIRING)
    if answer is None:
        return None
    result = answer["result"]
    return int(result[0]["value"][1]) if result else 0  # the count of nothing is no value


def _asked(address: str, **query: str) -> dict[str, Any] | None:
    """The data of Prometheus' answer; None when there is none."""
    try:
        data: dict[str, Any] = requests.get(address, params=query, timeout=_TIMEOUT).json()["data"]
    except (requests.RequestException, ValueError, KeyError):
        return None
    return data


def text(now: Reading, before: Reading | None, panels: str) -> str:
    """The live line of two readings, the rate being that between them. `panels` is what the doctor said last."""
    rate = None
    if before and now.rows is not None and before.rows is not None and now.at > before.at:
        rate = max(now.rows - before.rows, 0) / (now.at - before.at)
    return " · ".join(
        (
            f"rows in {'–' if rate is None else f'{rate:.1f}/s'}",
            f"series {'–' if now.series is None else f'{now.series:,}'}",
            f"panels with data {panels or '–'}",
            f"alerts firing {'–' if now.firing is None else now.firing}",
        )
    )


class Doctor:
    """Runs `observatory doctor` now and then, and remembers how many panels had data. `tick` is for the main thread."""

    def __init__(self, command: tuple[str, ...], var: Path) -> None:
        self._command, self._var = command, var
        self._output = var / "log" / "doctor.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._next = 0.0
        self.panels = ""

    def tick(self, now: float) -> None:
        if self._process is None:
            if now >= self._next:
                self._output.unlink(missing_ok=True)
                self._process = launch(self._command, self._output, self._var, {})
        elif self._process.poll() is not None:
            self._process = None
            self.panels = panels_with_data(self._output) or self.panels
            there, _, wanted = self.panels.partition(" of ")
            self._next = now + (DOCTOR_AT_EASE if wanted and there == wanted else DOCTOR_EVERY)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def panels_with_data(report: Path) -> str:
    """`15 of 15` from a doctor's report; empty when it cannot be read."""
    try:
        text = report.read_text(encoding="utf-8")
        # What was written to the error output stands around the report.
        items = json.JSONDecoder().raw_decode(text, text.index("{"))[0]["items"]
        # A panel that may well be empty, and is, counts neither way.
        states = [item["state"] for item in items if item["kind"] == "panel" and (item["state"] != "empty" or item["ill"])]
        return f"{states.count('data')} of {len(states)}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


class Figures:
    """Keeps the live line up to date without ever waiting."""

    def __init__(self, read: Callable[[], Reading], doctor: Doctor | None, executor: Executor, every: float = 5.0) -> None:
        self._read, self._doctor, self._executor, self._every = read, doctor, executor, every
        self._pending: Future[Reading] | None = None
        self._last: deque[Reading] = deque(maxlen=1 + round(_RATE_SECONDS / every))
        self._next = 0.0
        self.line = ""

    def tick(self, now: float) -> bool:
        """Whether there is a new line."""
        if self._doctor:
            self._doctor.tick(now)
        if self._pending is None:
            if now >= self._next:
                self._pending = self._executor.submit(self._read)
                self._next = now + (self._every if self._last else 1.0)
            return False
        if not self._pending.done():
            return False
        reading, self._pending = self._pending.result(), None
        self.line = text(reading, self._last[0] if self._last else None, self._doctor.panels if self._doctor else "")
        self._last.append(reading)
        return len(self._last) > 1  # a rate takes two readings

    def end(self) -> None:
        if self._doctor:
            self._doctor.end()
