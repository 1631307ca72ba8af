"""`up`: brings everything up, shows it, stays, and takes everything down again."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import FrameType

from contract.settings import Settings
from demo.stack import figures, record
from demo.stack.down import clear
from demo.stack.live import stay
from demo.stack.parts import python
from demo.stack.screen import Screen
from demo.stack.stack import Options, Stack

FINE, UNHEALTHY, INTERRUPTED = 0, 1, 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants the stack to end."""


def up(options: Options, configured: Settings, screen: Screen, exit_when_ready: bool) -> int:
    """Runs the stack until a signal ends it; the exit code. Raises StackError when it cannot be brought up.

    With `exit_when_ready` it ends by itself after the table, with 1 when a part is not healthy.
    """
    with record.held(options.var):
        if left := clear(options.var):
            screen.say(f"  ended {left} processes of a stack that was killed")
        stack: Stack | None = None
        code = INTERRUPTED
        try:
            with _signals_raised():
                begun = time.monotonic()
                stack = Stack(options, configured, screen)
                stack.start()
                if not exit_when_ready:
                    stack.start_preview()
                screen.table(stack.rows())
                code = FINE if stack.healthy or not exit_when_ready else UNHEALTHY
                hint = "" if exit_when_ready else " Ctrl-C ends everything."
                screen.say(f"Ready after {time.monotonic() - begun:.0f} s.{hint}")
                if not exit_when_ready:
                    _stay(stack, screen)
        except Interrupted:
            pass
        finally:
            screen.close()
            if stack:
                with screen.step("Ending everything"):
                    stack.end()
        return code


def _stay(stack: Stack, screen: Screen) -> None:
    examine = python("provisioning.cli", "doctor", "--config", stack.place.config, "--format", "json", "--tab", "overview")
    doctor = figures.Doctor(examine, stack.place.var)
    read = partial(figures.read, stack.dsn, stack.settings.sources.prometheus.url)
    with ThreadPoolExecutor(1, thread_name_prefix="figures") as executor:
        live = figures.Figures(read, doctor, executor)
        try:
            stay(stack.supervisor, screen, live)
        finally:
            live.end()


@contextlib.contextmanager
def _signals_raised() -> Iterator[None]:
    """Raises Interrupted on the first signal. Once it or anything else has ended the block, signals are ignored, so that
    nothing keeps the clean-up from ending.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted

    for number in _SIGNALS:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
