"""What is read next from one of Langfuse's lists, and where reading stands afterwards. Pure: no clock, no database.

Rows are placed by the time at which their work began, and appear when it has ended, sometimes much later. So the newest rows
are read again and again: the last two minutes on every run, and every few minutes as far back as the configuration says. A
window is read from its newest page to its oldest; when it is interrupted, it goes on at the page where it stopped. Between
runs the next window begins before the newest row that was seen, not before now: whatever the clock here says, no row is missed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

OVERLAP = timedelta(minutes=2)
"""Read again on every run."""

AHEAD = timedelta(hours=1)
"""Rows may carry a time that has not come yet: clocks of the platform's machines differ."""

_FARTHEST_BEHIND = timedelta(days=1)
"""Without any new row the next window begins no longer ago than this."""

_LONGEST_STEP, SHORTEST_STEP = timedelta(days=2), timedelta(seconds=1)


@dataclass(frozen=True)
class Window:
    """The page at `cursor` of the rows in `[begin, end)`. `past` says that it belongs to the filling in of the past."""

    begin: datetime
    end: datetime
    cursor: str
    past: bool = False


@dataclass(frozen=True)
class Reading:
    """A row of `analytics.sync_state`: see there. `step` is how long a window may be."""

    counted_from: datetime
    read_until: datetime
    newest: datetime
    position: datetime
    window_end: datetime | None
    opened_at: datetime | None
    cursor: str
    step: timedelta
    reread_at: datetime
    reread_from: datetime
    past: datetime
    past_begin: datetime | None
    past_cursor: str

    @classmethod
    def begin(cls, now: datetime, reread: timedelta) -> Reading:
        """Reading that never happened before: a while back, so that what is going on is seen whole; counters begin now."""
        start, unseen = now - reread, now - _FARTHEST_BEHIND
        return cls(now, start, unseen, start, None, None, "", _LONGEST_STEP, now, now, start, None, "")

    def window(self, now: datetime) -> Window:
        """What to read for the present."""
        end = self.window_end or min(now + AHEAD, self.position + self.step)
        return Window(self.position, end, self.cursor)

    def past_window(self, oldest: datetime) -> Window | None:
        """What to read for the past; None when it is filled in back to `oldest`."""
        begin = self.past_begin or max(oldest, self.past - self.step)
        return Window(begin, self.past, self.past_cursor, past=True) if begin < self.past else None

    def after(self, window: Window, cursor: str, newest: datetime | None, now: datetime, reread: timedelta) -> Reading:
        """Where reading stands after a page: `cursor` is that of the next one, `newest` the time of its newest row."""
        if window.past:
            if cursor:
                return replace(self, past_begin=window.begin, past_cursor=cursor)
            return replace(self, past=window.begin, past_begin=None, past_cursor="", step=self._longer())
        seen = self if newest is None else replace(self, newest=max(self.newest, min(newest, now)))
        opened = self.opened_at or now
        if cursor:
            return replace(seen, window_end=window.end, opened_at=opened, cursor=cursor)
        done = replace(seen, window_end=None, opened_at=None, cursor="", step=self._longer())
        if window.end < opened:  # else its newest page may have been read before its newest rows were there
            return replace(done, position=window.end)
        return replace(done._again(now, reread), read_until=max(self.read_until, opened))

    def too_much(self, window: Window) -> Reading:
        """After a window that Langfuse could not answer in its time: the next is half as long, and begins at the same end."""
        step = max((window.end - window.begin) / 2, SHORTEST_STEP)
        if window.past:
            return replace(self, past_begin=None, past_cursor="", step=step)
        return replace(self, window_end=None, opened_at=None, cursor="", step=step)

    def anew(self, window: Window) -> Reading:
        """Reads a window from its first page again: the cursor is not understood any more."""
        if window.past:
            return replace(self, past_begin=None, past_cursor="")
        return replace(self, window_end=None, opened_at=None, cursor="")

    def back_to(self, begin: datetime) -> Reading:
        """Reads on from `begin` when that is before the place where reading stands."""
        return self if begin >= self.position else replace(self, position=begin, window_end=None, opened_at=None, cursor="")

    def _again(self, now: datetime, reread: timedelta) -> Reading:
        """Back from the present to what is to be read again.

        The long way back begins at what was the newest row when it was taken last: what came late since then was read once
        at most, and too early.
        """
        if abs(now - self.reread_at) < reread / 4:
            return replace(self, position=max(self.newest - OVERLAP, now - _FARTHEST_BEHIND))
        position = max(min(self.reread_from, self.newest) - reread, now - _FARTHEST_BEHIND)
        return replace(self, position=position, reread_at=now, reread_from=self.newest)

    def _longer(self) -> timedelta:
        return min(self.step * 2, _LONGEST_STEP)
