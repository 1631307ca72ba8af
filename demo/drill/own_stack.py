"""A small stack for a drill alone, started as a person starts one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.drill.living import Stack, StackLost

_SMALL = ("--scale", "0.5", "--days", "9", "--history", "1", "--busy", "--no-preview", "--no-grafana")
_READY_SECONDS = 300.0


@contextmanager
def own_stack(say: Callable[[str], None]) -> Iterator[Stack]:
    """A stack of its own, started as a person starts it. Raises StackLost when it does not come up."""
    with tempfile.TemporaryDirectory(prefix="observatory-drill-", ignore_cleanup_errors=True) as folder:
        var, said = Path(folder, "var"), Path(folder, "said")
        command = [sys.executable, "-P", "-m", "demo"]
        theirs = ("LANGFUSE_", "SLACK_", "OBSERVATORY_")
        environment = {name: text for name, text in os.environ.items() if not name.startswith(theirs)}
        say(f"starting a stack in {var} …")
        with said.open("w") as out:
            process = subprocess.Popen([*command, "up", "--var", str(var), *_SMALL], stdout=out, stderr=out, env=environment)
        try:
            _wait(process, said)
            stack = Stack(var)
            stack.wait_until_scraped()
            yield stack
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
            subprocess.run([*command, "down", "--var", str(var)], env=environment, capture_output=True, check=False)


def _wait(process: subprocess.Popen[bytes], said: Path) -> None:
    end = time.monotonic() + _READY_SECONDS
    while "Ready after" not in said.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > end:
            last = "\n".join(said.read_text(errors="replace").strip().splitlines()[-5:])
            raise StackLost(f"the stack did not come up; it last said:\n{last}")
        time.sleep(0.5)
