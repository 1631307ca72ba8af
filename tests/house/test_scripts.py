"""What the scripts of the first installation do to a machine."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.exporters.serving import until

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_compiles_ends_with_the_installation(tmp_path: Path, number: signal.Signals) -> None:
    """It works in several processes, which would write on into an environment that the next installation removes."""
    python, begun = tmp_path / "bin" / "python", tmp_path / "begun"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\nsleep {_PATIENCE} & echo $! >{begun}.new; mv {begun}.new {begun}; wait\n")
    python.chmod(0o755)
    script = f". {ROOT}/scripts/say.sh; step 'their modules' {tmp_path}/log compiled {tmp_path}"
    with subprocess.Popen(["sh", "-euc", script], stdout=subprocess.DEVNULL) as shell:
        until(begun.exists, _PATIENCE)
        shell.send_signal(number)
        assert shell.wait(_PATIENCE) == 130
    until(lambda: not _runs(int(begun.read_text())))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
