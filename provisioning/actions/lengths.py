"""Lengths of time as people write them in options, within bounds."""

from __future__ import annotations

from contract.values import duration_seconds
from provisioning.findings import InputError


def seconds_within(option: str, text: str, least: str, most: str) -> float:
    """Seconds of a text such as `2h`. Raises InputError for what is none, or not between two others."""
    try:
        seconds = duration_seconds(text)
    except ValueError as problem:
        raise InputError(f"error: {option}: {problem}") from None
    if not duration_seconds(least) <= seconds <= duration_seconds(most):
        raise InputError(f"error: {option} {text} is not between {least} and {most}")
    return seconds
