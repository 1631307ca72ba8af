"""pgbench, which comes with the embedded PostgreSQL: many clients that repeat one small transaction."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.program import ProgramError
from demo.database.server import binaries

_DONE = re.compile(r"^number of transactions actually processed: (\d+).*^tps = ([0-9.]+)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Done:
    """Transactions of all clients together: how many, and how many a second."""

    transactions: int
    a_second: float


def written(dsn: str, script: str, clients: int, seconds: int, transactions: int | None = None, **variables: int) -> Done:
    """What `clients` get done in so many seconds, or with so many transactions each. Their commits do not wait for the disk,
    whose speed varies. Raises ProgramError with what pgbench says.
    """
    until = f"--time={seconds}" if transactions is None else f"--transactions={transactions}"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [
                str(Path(binaries()) / "pgbench"), "--no-vacuum", f"--file={file.name}", f"--client={clients}", "--jobs=2",
                until, *(f"--define={name}={value}" for name, value in variables.items()), dsn,
            ],
            env={**os.environ, "PGOPTIONS": "-c synchronous_commit=off"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = _DONE.search(done.stdout)
    if done.returncode or not found:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ProgramError(f"pgbench failed: {last}")
    return Done(int(found[1]), float(found[2]))
