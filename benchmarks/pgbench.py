"""pgbench, which comes with the embedded PostgreSQL: many clients that repeat one small transaction."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks.program import ProgramError
from demo.database.server import binaries

_TRANSACTIONS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


def transactions_a_second(dsn: str, script: str, clients: int, seconds: int, **variables: int) -> float:
    """How many transactions a second `clients` get done with commits that do not wait for the disk, whose speed varies.

    Raises ProgramError with what pgbench says.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [
                str(Path(binaries()) / "pgbench"), "--no-vacuum", f"--file={file.name}", f"--client={clients}", "--jobs=2",
                f"--time={seconds}", *(f"--define={name}={value}" for name, value in variables.items()), dsn,
            ],
            env={**os.environ, "PGOPTIONS": "-c synchronous_commit=off"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = _TRANSACTIONS.search(done.stdout)
    if done.returncode or not found:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ProgramError(f"pgbench failed: {last}")
    return float(found[1])
