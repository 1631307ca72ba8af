"""What a person sees: progress of long steps, the table of parts, and one live line."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from demo.stack.output import Output

_STYLES = {"healthy": "green", "starting": "yellow", "installing": "yellow", "restarting": "yellow", "not started": "dim"}
_SHOWN_AFTER, _PLAIN_EVERY = 2.0, 10.0
_PLAIN_WIDTH = 160


@dataclass(frozen=True)
class Row:
    """A line of the table. `detail` says why a part is not healthy, or more about it."""

    title: str
    address: str
    state: str
    detail: str = ""


class Screen:
    """A terminal gets moving progress and one line that is drawn anew; everything else gets plain lines.

    Once standard output cannot be written to any more, nothing is shown, and nothing is raised for it.
    """

    def __init__(self, console: Console | None = None) -> None:
        width = None if sys.stdout.isatty() else _PLAIN_WIDTH
        self._console = console or Console(file=Output(sys.stdout), highlight=False, soft_wrap=True, width=width)  # type: ignore[arg-type]
        self._live: Live | None = None
        self._last_line, self._last_shown = "", float("-inf")

    def say(self, text: str) -> None:
        self._console.print(escape(text))

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Shows that a step is under way. The function it yields is to be called often, with what is being done just now."""
        started = time.monotonic()
        if self._console.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("[dim]{task.fields[now]}"),
            )
            with Progress(*columns, console=self._console, transient=True) as progress:
                task = progress.add_task(escape(title), total=None, now="")
                yield lambda now: progress.update(task, now=escape(now[:60]))
        else:
            shown = started + _SHOWN_AFTER - _PLAIN_EVERY

            def beat(now: str) -> None:
                nonlocal shown
                if time.monotonic() - shown >= _PLAIN_EVERY:
                    shown = time.monotonic()
                    self.say(f"  {title} … {time.monotonic() - started:.0f} s{f' ({now})' if now else ''}")

            yield beat
        self.say(f"  {title}: {time.monotonic() - started:.1f} s")

    def table(self, rows: Iterable[Row]) -> None:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("Part", "Address", "State"):
            table.add_column(heading, overflow="fold")
        for row in rows:
            state = Text(row.state, style=_STYLES.get(row.state, "red"))
            if row.detail:
                state.append(f": {row.detail}", style="default")
            table.add_row(Text(row.title), Text(row.address), state)
        self._console.print()
        self._console.print(table, soft_wrap=False)
        self._console.print()

    def line(self, text: str, every: float = 60.0) -> None:
        """The live line. Where it cannot be drawn anew it is printed at most every so many seconds."""
        if self._console.is_terminal:
            if self._live is None:
                self._live = Live(console=self._console, auto_refresh=False, transient=True)
                self._live.start()
            self._live.update(Text(text, style="dim", overflow="ellipsis", no_wrap=True), refresh=True)
        elif text != self._last_line and time.monotonic() - self._last_shown >= every:
            self._last_line, self._last_shown = text, time.monotonic()
            self.say(text)

    def close(self) -> None:
        """Takes the live line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None
