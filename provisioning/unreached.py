"""Why a server was not reached, in a few words."""

from __future__ import annotations

import re

import requests

_MOST_LETTERS = 200
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")


REFUSED_ATTEMPTS = 3
"""How often a server is asked whose port is closed: it may just be starting, but mostly the address is wrong."""


def refused(problem: BaseException) -> bool:
    """Whether nobody listens at the address, as the cause of an exception of requests."""
    causes = [*problem.args, getattr(problem, "reason", None), problem.__cause__]
    return isinstance(problem, ConnectionRefusedError) or any(
        refused(cause) for cause in causes if isinstance(cause, BaseException)
    )


def reason(problem: BaseException) -> str:
    """The innermost cause of an exception of requests, without the addresses that it repeats."""
    while causes := [cause for cause in problem.args if isinstance(cause, BaseException)]:
        problem = causes[-1]
    cause = getattr(problem, "reason", None)
    if isinstance(cause, BaseException):
        return reason(cause)
    if isinstance(problem, requests.Timeout) or "timed out" in str(problem):
        return "no answer in time"
    said = _NUMBER.sub("", str(problem).rpartition(": ")[2].strip("'\" "))
    return said[:_MOST_LETTERS] or type(problem).__name__
