"""The process that works out forecasts and advice: it is started when it is needed, gets no secret, and cannot stay.

It runs at a low priority on one core: nothing waits for it, and a busy machine does not keep it from ever ending.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from exporters.journal import QueryFailed

LONGEST_SECONDS = 240.0
_ROOT = Path(__file__).resolve().parents[2]
_CODE = "import os, runpy; os.nice(10); runpy.run_module('exporters.outlook', run_name='__main__')"
_PROGRAM = (sys.executable, "-P", "-c", _CODE)
_ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_WORDS = 300
"""Letters of what it said last that are passed on."""


class Launch:
    """At most one process at a time. `end` and `close` may be called from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = self._closed = False

    def run(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the process makes of it. Raises QueryFailed when it fails, takes too long or is ended."""
        environment = {**_ONE_CORE, "PYTHONPATH": str(_ROOT), "PATH": os.environ.get("PATH", "")}
        with self._lock:
            if self._closed:
                raise QueryFailed("forecasts and advice are not made any more")
            self._ended = False
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(_PROGRAM, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        try:
            answer, complaint = self._process.communicate(json.dumps(given).encode(), timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            raise QueryFailed(f"forecasts and advice took longer than {LONGEST_SECONDS:g} s") from None
        finally:
            self._process.kill()  # harmless where it has ended
            self._process.wait()
        if self._ended:
            raise QueryFailed("forecasts and advice were broken off")
        if self._process.returncode:
            last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
            raise QueryFailed(f"the process of forecasts and advice failed: {last[:_WORDS]}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def end(self) -> None:
        """Ends the process, if one runs."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Ends the process, and starts none any more."""
        self._closed = True
        self.end()
