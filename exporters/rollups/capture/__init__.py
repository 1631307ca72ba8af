"""Ways in which new and changed rows of a table are found.

Each way is a module with a class that keeps `Capture`. `CAPTURES` finds it by the name of the mode.
"""

from __future__ import annotations

from typing import Any, Protocol

from exporters.rollups.state import Connection, State
from exporters.rollups.statement import Form, Touched


class Capture(Protocol):
    """One way of capture. All SQL that it makes holds literals, so that the planner knows how few rows it means."""

    def first_watermark(self, connection: Connection, form: Form, /) -> Any:
        """The watermark (to be stored as jsonb) of a source of which nothing was counted yet."""

    def news(self, form: Form, state: State, /) -> str | None:
        """An SQL condition that is true when there may be something to count; None: one has to look."""

    def touched(self, connection: Connection, form: Form, state: State, /) -> Touched:
        """What this step looks at. Runs under the source's lock, in the step's transaction."""
