"""What is going on around a piece of code: the session, the workflow and the execution that it belongs to.

Kept in a context variable, so that it follows threads of control, asynchronous ones too, without being passed on.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from observatory_tracking.spans import Execution, Session, Workflow


@dataclass(frozen=True)
class Current:
    """`correlation_id` is shared by everything that was begun for the same reason."""

    session: Session | None = None
    workflow: Workflow | None = None
    execution: Execution | None = None
    correlation_id: str = ""


CURRENT: ContextVar[Current] = ContextVar("observatory_tracking", default=Current())  # noqa: B039 - it is frozen


def correlation_id() -> str:
    """The id to send along with calls of other services, empty outside of everything that is tracked."""
    return CURRENT.get().correlation_id
