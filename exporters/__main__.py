"""The exporter as a program that checks nothing: `python -m exporters COMMAND…`, as `observatory exporter` becomes it.

COMMAND reads the configuration, and prints what `contract.plain` understands, or says on standard error why it cannot be used.
It is run again for every SIGHUP. So what it takes to check a configuration is in memory for a moment only.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from contract.plain import plain
from exporters.process import ConfigurationRefused, run

if TYPE_CHECKING:
    from contract.settings import Settings

_SECONDS = 60.0
_INTERRUPTED = 130


def read(command: Sequence[str]) -> Settings:
    """What the command prints. Raises ConfigurationRefused with what it says when it fails, or takes longer than a minute."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ConfigurationRefused(f"the configuration was not read within {_SECONDS:g} s") from None
    if done.returncode:
        raise ConfigurationRefused(done.stderr.strip() or f"the configuration was not read: exit code {done.returncode}")
    return plain(done.stdout)


def main(command: Sequence[str]) -> int:
    """Serves until a signal ends it; the exit code."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it serves it would end by one, and what it reads is new anyway
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it starts in the background
    try:
        return run(lambda: read(command))
    except KeyboardInterrupt:  # while the configuration was read
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
