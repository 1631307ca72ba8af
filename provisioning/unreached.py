"""Why a server was not reached, in a few words."""

from __future__ import annotations

import re

import requests

_MOST_LETTERS = 200
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")


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
