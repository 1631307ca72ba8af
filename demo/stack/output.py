"""Standard output that may go away: a terminal that is closed, a pipe that nobody reads, a full disk."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import TextIO


class Output(io.TextIOBase):
    """Writes to `stream` for as long as that can be written to, then goes quiet: what is shown must not stop what is done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gone = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        if not self._gone:
            try:
                self._stream.write(text)
            except OSError:
                self._leave()
        return len(text)

    def flush(self) -> None:
        if not self._gone:
            try:
                self._stream.flush()
            except OSError:
                self._leave()

    def _leave(self) -> None:
        """What the stream still holds goes nowhere, or Python would fail on it when it ends."""
        self._gone = True
        with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())
