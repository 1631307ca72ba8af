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
MOST_OF_A_LINE = 64 * 2**10
"""Bytes; what is longer is no line of interest, and is left out."""
_LONGEST = timedelta(days=max(WINDOWS.values()))
# What a browser says stands in quotes where it could be taken for more than one field. Both take no longer than a line is long.
_FIELD = re.compile(rb'(?:^| )([^ ="]+)=("(?:[^"\\]|\\.)*"|\S*)')
_PAGE = re.compile(rb'"?https?://[^?"]*/d/([^/?"]+)')


class Unreadable(Exception):
    """The log cannot be read. The text says why."""


@dataclass
class Opened:
    """`file` is the log, in Grafana's format `text`; `tabs` are the keys of tabs by the uid of their dashboard."""

    file: Path
    tabs: Mapping[str, str]
    _last: dict[tuple[str, bytes], datetime] = field(default_factory=dict)
    _told: Mapping[tuple[str, bytes], datetime] = field(default_factory=dict)
    """What `_last` was when the last reading ended: `viewers` may be asked while another thread reads."""
    _log: BinaryIO | None = field(default=None, repr=False)
    _within: bool = field(default=False, repr=False)
    """Whether the rest of a line that is too long comes next."""

    def read(self, now: datetime) -> bool:
        """Reads what is new, and says whether there is more; what was renamed meanwhile is read first. Raises Unreadable."""
        try:
            if self._log is None:
                self._log = self._open()
            renamed = self._renamed(self._log)  # asked first: nothing is written to it afterwards
            more = self._take(self._log)
            if renamed and not more:
                self._log.close()
                self._log, self._within = None, False  # so that a new one that is not there yet is looked for again
                self._log = self._open()
                more = self._take(self._log)
        except OSError as problem:
            raise Unreadable(f"{self.file}: {problem.strerror}") from None
        self._last = {who: at for who, at in self._last.items() if at >= now - _LONGEST}
        self._told = self._last.copy()
        return more

    def viewers(self, now: datetime) -> Iterator[tuple[str, str, int]]:
        """Tab, window, and how many looked at it then."""
        told = self._told
        for tab in sorted(self.tabs.values()):
            times = [at for (seen, _), at in told.items() if seen == tab]
            for window, days in WINDOWS.items():
                yield tab, window, sum(at >= now - timedelta(days=days) for at in times)

    def page(self, now: datetime) -> str:
        """The figures as Prometheus reads them."""
        lines = [f"# HELP {TAB_VIEWERS.name} {TAB_VIEWERS.help}", f"# TYPE {TAB_VIEWERS.name} gauge"]
        lines += [f'{TAB_VIEWERS.name}{{tab="{tab}",window="{window}"}} {n}' for tab, window, n in self.viewers(now)]
        return "\n".join(lines) + "\n"

    def _open(self) -> BinaryIO:
        if self.file.exists() and not self.file.is_file():
            raise Unreadable(f"{self.file}: is no file")  # a pipe would be waited for
        return self.file.open("rb")

    def _take(self, log: BinaryIO) -> bool:
        end = log.tell() + MOST_BYTES
        while line := log.readline(MOST_OF_A_LINE):
            whole = line.endswith(b"\n")
            if not whole and len(line) < MOST_OF_A_LINE:  # it is still being written
                log.seek(-len(line), os.SEEK_CUR)
                break
            if whole and not self._within and b"/d/" in line:
                self._request(line)
            self._within = not whole
            if log.tell() >= end:
                return True
        return False

    def _request(self, line: bytes) -> None:
        said: dict[bytes, bytes] = dict(_FIELD.findall(line))
        who, page = said.get(b"userId", b""), _PAGE.match(said.get(b"referer", b""))
        if said.get(b"msg") != b'"Request Completed"' or not who.isdigit() or not who.strip(b"0") or page is None:
            return
        if tab := self.tabs.get(page[1].decode(errors="replace")):
            self._seen(tab, who, said.get(b"t", b"").decode(errors="replace"))

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
