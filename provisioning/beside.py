"""Work in a second process: two cores share a command that would keep one of them busy."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def beside(work: Callable[[], Result]) -> Callable[[], Result]:
    """Begin `work` in a copy of this process, and go on; what is returned waits for its result, or raises what it raised.

    What the work changes in memory is lost, and its result and errors have to be such as can be pickled. On one core, or where
    processes cannot be copied, the work is done when its result is asked for; so it is when the copy came to grief.
    """
    if (os.cpu_count() or 1) < 2 or not hasattr(os, "fork"):
        return work
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as answer:
                answer.write(pickle.dumps(_outcome(work)))
        finally:
            os._exit(0)  # nothing of this process may be written or closed twice
    os.close(writing)

    def wait() -> Result:
        with os.fdopen(reading, "rb") as answer:
            said = answer.read()
        os.waitpid(child, 0)
        if not said:
            return work()
        result, problem = pickle.loads(said)  # noqa: S301  our own process wrote it
        if problem is not None:
            raise problem
        return result  # type: ignore[no-any-return]

    return wait


def _outcome(work: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    try:
        return work(), None
    except Exception as problem:
        return None, problem
