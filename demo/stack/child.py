"""One part of the stack as a child process: started, asked whether it is well, started again when it dies."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import requests

from demo.stack import leash
from demo.stack.processes import Identity, environment, identify


class State(StrEnum):
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    RESTARTING = "restarting"
    FAILED = "failed"
    ENDED = "ended"


@dataclass(frozen=True)
class Part:
    """What runs. `ready` is an address that answers with a status below 400 once the part can be used."""

    name: str
    title: str
    address: str
    ready: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 30.0  # seconds until it has to be ready
    starting: str = ""  # what to say until then
    folder: Path | None = None  # to run in; None is wherever the stack was started


MOST_RESTARTS = 5
_WELL_AFTER = 300.0  # seconds of health that make earlier deaths forgotten
_ASK_EVERY = {State.STARTING: 0.2, State.UNHEALTHY: 1.0, State.HEALTHY: 5.0}
_ASK_TIMEOUT = 3.0
_GONE_SECONDS = 1.0


_SAID = re.compile(r'(?:^|\s)err="((?:[^"\\]|\\.)*)"')


def last_line(log: Path, after: int = 0) -> str:
    """The last line with text of a log beyond its first `after` bytes, cut to a readable length; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(after, log.stat().st_size - 4096))
            lines = deque((line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()), maxlen=1)
    except OSError:
        return ""
    if not lines:
        return ""
    # Programs that log key=value pairs have said the essential in one of them.
    pair = _SAID.search(lines[0])
    return (pair[1].replace('\\"', '"') if pair else lines[0].strip())[:200]


def launch(
    command: tuple[str, ...], log: Path, var: Path, extra: Mapping[str, str], folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own that does not outlive this process, its output appended to `log`.

    Call it from the main thread only: the kernel takes the end of the calling thread for the end of the parent.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=folder,
            env=environment(var, extra),
        )


def end_session(process: subprocess.Popen[bytes], seconds: float) -> None:
    """SIGTERM to the process and all of its session's group, at most `seconds` of patience, then SIGKILL."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 2.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(patience, 0.0))
            break
    deadline = time.monotonic() + _GONE_SECONDS
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:  # what its children left; a killed process is gone a moment later
            os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.01)


class Child:
    """A running part. `tick` is to be called often, from the main thread; it never waits."""

    def __init__(self, part: Part, var: Path, asking: Executor) -> None:
        self.part = part
        self.state = State.STARTING
        self.reason = ""
        self.restarts = 0
        self.log = var / "log" / f"{part.name}.log"
        self.identity: Identity | None = None
        self._var = var
        self._asking = asking
        self._answer: Future[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._since = self._ask_at = self._start_at = 0.0
        self._log_begins = 0  # bytes of the log that earlier starts have written

    def start(self, now: float) -> None:
        """`now` and all times here are seconds of a monotonic clock."""
        self._log_begins = self.log.stat().st_size if self.log.exists() else 0
        self._process = launch(self.part.command, self.log, self._var, self.part.environment, self.part.folder)
        self.identity = identify(self._process.pid)
        self._answer, self._ask_at = None, now
        self._set(State.STARTING, self.part.starting, now)

    def tick(self, now: float) -> None:
        if self.state in (State.FAILED, State.ENDED):
            return
        if self.state is State.RESTARTING:
            if now >= self._start_at:
                self.start(now)
        elif self._process is not None and (code := self._process.poll()) is not None:
            self._died(code, now)
        else:
            self._ask(now)

    def end(self, seconds: float) -> None:
        if self._process is not None and self.state is not State.ENDED:
            end_session(self._process, seconds)
        self._set(State.ENDED, "", 0.0)

    def _set(self, state: State, reason: str, now: float) -> None:
        if state is not self.state or state is State.STARTING:
            self._since = now
        self.state, self.reason = state, reason

    def _died(self, code: int, now: float) -> None:
        if self.state is State.HEALTHY and now - self._since > _WELL_AFTER:
            self.restarts = 0
        assert self._process is not None
        end_session(self._process, 0.0)
        self._process = None  # its number may be given to another process from now on
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        why = f"{how}: {self._said() or 'no output'}"
        if self.restarts >= MOST_RESTARTS:
            self._set(State.FAILED, f"{why}; given up after {self.restarts} restarts", now)
            return
        delay = min(0.5 * 2**self.restarts, 15.0)
        self.restarts += 1
        self._start_at = now + delay
        self._set(State.RESTARTING, why, now)

    def _said(self) -> str:
        """Last words since its start; older ones are not the cause of anything."""
        return last_line(self.log, self._log_begins)

    def _ask(self, now: float) -> None:
        if self._answer is None:
            if now >= self._ask_at:
                self._answer = self._asking.submit(ask, self.part.ready)
            return
        if not self._answer.done():
            return
        trouble, self._answer = self._answer.result(), None
        if not trouble:
            self._set(State.HEALTHY, "", now)
        elif self.state is State.HEALTHY:
            self._set(State.UNHEALTHY, trouble, now)
        elif now - self._since > self.part.patience and self.state is State.STARTING:
            said = self._said()
            self._set(
                State.UNHEALTHY, f"not ready after {self.part.patience:.0f} s, {trouble}{': ' if said else ''}{said}", now
            )
        self._ask_at = now + _ASK_EVERY[self.state]


def ask(address: str) -> str:
    """What is wrong with the server at `address`; empty when it answers well."""
    try:
        answer = requests.get(address, timeout=_ASK_TIMEOUT)
    except requests.Timeout:
        return f"no answer within {_ASK_TIMEOUT:.0f} s"
    except requests.RequestException:
        return "nothing listens at its address"
    return f"answers with status {answer.status_code}" if answer.status_code >= 400 else ""
