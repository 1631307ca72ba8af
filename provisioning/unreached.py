"""Why a server was not reached, in a few words."""

from __future__ import annotations

import requests

_MOST_LETTERS = 200


def reason(problem: BaseException) -> str:
    """The innermost cause of an exception of requests, without the addresses that it repeats."""
    while causes := [cause for cause in problem.args if isinstance(cause, BaseException)]:
        problem = causes[-1]
    cause = getattr(problem, "reason", None)
    if isinstance(cause, BaseException):
        return reason(cause)
    if isinstance(problem, requests.Timeout) or "timed out" in str(problem):
        return "no answer in time"
    return str(problem).rpartition(": ")[2].strip("'\" ")[:_MOST_LETTERS] or type(problem).__name__
