"""Which tabs people look at, out of Grafana's own log: with `router_logging` it has a line for each request, and whose it was.

What a browser asks for names the page on which it is. Who looks is remembered as Grafana's number of the account, never told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from contract.viewers import TAB_VIEWERS, WINDOWS

MOST_BYTES = 64 * 2**20
"""That are read at a time; the rest is read the next time."""
_LONGEST = timedelta(days=max(WINDOWS.values()))
_REQUEST = re.compile(
    rb'\buserId=([1-9]\d*) .*\bt=(\S+) .*msg="Request Completed".*\breferer="?https?://[^/ "]+[^ "?]*/d/([^/ "?]+)'
)


class Unreadable(Exception):
    """The log cannot be read. The text says why."""


@dataclass
class Opened:
    """`file` is the log, in Grafana's format `text`; `tabs` are the keys of tabs by the uid of their dashboard."""

    file: Path
    tabs: Mapping[str, str]
    _last: dict[tuple[str, bytes], datetime] = field(default_factory=dict)
    _log: BinaryIO | None = field(default=None, repr=False)

    def read(self) -> bool:
        """Reads what is new, and says whether there is more; what was renamed meanwhile is read first. Raises Unreadable."""
        try:
            if self._log is None:
                self._log = self.file.open("rb")
            more = self._take(self._log)
            if not more and self._renamed(self._log):
                self._log.close()
                self._log = None  # so that a new one that is not there yet is looked for again
                self._log = self.file.open("rb")
                more = self._take(self._log)
            return more
        except OSError as problem:
            raise Unreadable(f"{self.file}: {problem.strerror}") from None

    def viewers(self, now: datetime) -> Iterator[tuple[str, str, int]]:
        """Tab, window, and how many looked at it then."""
        self._last = {who: at for who, at in self._last.items() if at >= now - _LONGEST}
        for tab in sorted(self.tabs.values()):
            times = [at for (seen, _), at in self._last.items() if seen == tab]
            for window, days in WINDOWS.items():
                yield tab, window, sum(at >= now - timedelta(days=days) for at in times)

    def page(self, now: datetime) -> str:
        """The figures as Prometheus reads them."""
        lines = [f"# HELP {TAB_VIEWERS.name} {TAB_VIEWERS.help}", f"# TYPE {TAB_VIEWERS.name} gauge"]
        lines += [f'{TAB_VIEWERS.name}{{tab="{tab}",window="{window}"}} {n}' for tab, window, n in self.viewers(now)]
        return "\n".join(lines) + "\n"

    def _take(self, log: BinaryIO) -> bool:
        end = log.tell() + MOST_BYTES
        while line := log.readline():
            if not line.endswith(b"\n"):  # it is still being written
                log.seek(-len(line), os.SEEK_CUR)
                break
            found = _REQUEST.search(line) if b"/d/" in line else None
            if found and (tab := self.tabs.get(found[3].decode(errors="replace"))):
                self._seen(tab, found[1], found[2].decode(errors="replace"))
            if log.tell() >= end:
                return True
        return False

    def _seen(self, tab: str, who: bytes, when: str) -> None:
        try:
            at = datetime.fromisoformat(when).astimezone(UTC)
        except (ValueError, OverflowError):
            return
        self._last[tab, who] = max(at, self._last.get((tab, who), at))

    def _renamed(self, log: BinaryIO) -> bool:
        """Whether another file has its name now, or it was cut."""
        held, there = os.fstat(log.fileno()), self.file.stat()
        return (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino) or log.tell() > held.st_size
