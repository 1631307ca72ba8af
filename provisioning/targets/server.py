"""What Prometheus and Alertmanager answer over HTTP, and how they are told that their files have changed."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from contract.served import ServedFolder
from contract.values import duration_seconds
from provisioning.findings import Unreachable
from provisioning.unreached import reason

_SECONDS = 10.0
"""So long may an answer take. A reload may take as long as its own bound."""
_TRIES = 4
_PAUSE = 0.2
"""Seconds before the second try; each further pause is twice as long."""
_LONGEST_PAUSE = 5.0
_TEMPORARY = frozenset({429, 502, 503, 504})
_MOST_WORDS = 600


@dataclass(frozen=True)
class Loaded:
    """What a server says of its configuration: whether the last reload succeeded, and when the last one did that did."""

    well: bool
    at: float


class Server:
    """Prometheus or Alertmanager (`called`, and in lower case the beginning of its metrics), at an address."""

    def __init__(self, url: str, called: str, served: ServedFolder) -> None:
        self.url, self.called, self._served = url, called, served
        self._within = duration_seconds(served.within)

    def get(self, path: str, *keys: str) -> Any:
        """What stands under these keys in the JSON at a path. Raises Unreachable when there is none in time."""
        answer = self._answer(path)
        try:
            found = answer.json()
            for key in keys:
                found = found[key]
        except (ValueError, KeyError, TypeError):
            said = f"does not answer as {self.called} does; is it the address?"
            raise Unreachable(f"{self.url}{path} {said}") from None
        return found

    def loaded(self) -> Loaded:
        """Raises Unreachable when the server does not say."""
        page = self._answer("/metrics").text
        prefix = f"{self.called.lower()}_config_last_reload_success"
        well = re.search(rf"^{prefix}ful(?:{{[^}}]*}})? (\S+)", page, re.MULTILINE)
        at = re.search(rf"^{prefix}_timestamp_seconds(?:{{[^}}]*}})? (\S+)", page, re.MULTILINE)
        if not well or not at:
            raise Unreachable(f"{self.url}/metrics does not say how {self.called} was loaded; is it the address?")
        return Loaded(float(well[1]) == 1, float(at[1]))

    def reload(self, until: Callable[[], bool] = lambda: True, fresh: bool = True) -> str:
        """Have the server load its files, and wait until it has and `until` holds; else what is wrong, in words.

        `fresh`: the files have changed, so one that notices by itself will load them once more.
        """
        try:
            before = self.loaded()
            again = fresh or self._served.reload != "itself"
            if said := self._told():
                return said
            end = time.monotonic() + self._within
            while True:
                now = self.loaded()
                if now.well and (now.at > before.at or not again) and until():
                    return ""
                if before.well and not now.well:
                    return f"{self.called} cannot load what stands in its folder; its log says why"
                if time.monotonic() > end:
                    return f"{self.called} has not loaded what stands in its folder within {self._served.within}"
                time.sleep(_PAUSE)
        except Unreachable as problem:
            return str(problem)

    def _told(self) -> str:
        """Tell the server to load its files; what hinders it, or what it says against them."""
        if self._served.reload == "http":
            return self._asked()
        return self._signalled() if self._served.reload == "signal" else ""

    def _asked(self) -> str:
        try:
            answer = requests.post(f"{self.url}/-/reload", timeout=max(self._within, _SECONDS))
        except requests.RequestException as problem:
            return f"{self.called} at {self.url} does not answer: {reason(problem)}"
        if answer.ok:
            return ""
        said = _line(answer.text)
        if answer.status_code in (403, 404, 405):
            return (
                f"{self.called} takes no reload over HTTP ({said}); start it with --web.enable-lifecycle, or reload by signal"
            )
        return f"{self.called} says: {said}"

    def _signalled(self) -> str:
        place = Path(self._served.pid_file or "")
        try:
            number = int(place.read_text())
            if number < 2:
                return f"{place} holds {number}, which is no process id of {self.called}"
            command = Path(f"/proc/{number}/cmdline")
            program = command.read_bytes().split(b"\0")[0].decode(errors="replace") if command.exists() else self.called
            if self.called.lower() not in Path(program).name.lower():
                return f"process {number}, which {place} names, is not {self.called}"  # a signal would end it
            os.kill(number, signal.SIGHUP)
        except ValueError:
            return f"{place} does not hold a process id"
        except OSError as problem:
            return f"{self.called} cannot be signalled: {problem.strerror} ({place})"
        return ""

    def _answer(self, path: str) -> requests.Response:
        said = ""
        for attempt in range(_TRIES):
            pause = min(_PAUSE * 2**attempt, _LONGEST_PAUSE)
            try:
                answer = requests.get(f"{self.url}{path}", timeout=_SECONDS)
                if answer.ok:
                    return answer
                said = f"answers {answer.status_code}: {_line(answer.text)}"
                if answer.status_code not in _TEMPORARY:
                    break
                pause = _asked_for(answer, pause)
            except requests.RequestException as problem:
                said = f"does not answer: {reason(problem)}"
            if attempt < _TRIES - 1:
                time.sleep(pause)
        raise Unreachable(f"{self.called} at {self.url} {said}")


def _asked_for(answer: requests.Response, otherwise: float) -> float:
    """The pause that a server asks for, within our bound."""
    wanted = answer.headers.get("Retry-After", "")
    return min(float(wanted), _LONGEST_PAUSE) if wanted.isdecimal() else otherwise


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_WORDS] or "nothing"
