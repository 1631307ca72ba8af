"""The text format of COPY, and short texts that stand where a real platform has people's words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from demo.world.catalogue import USER_AGENTS

Lines = dict[str, list[str]]
"""Rows by table."""

NULL = "\\N"
_minutes: dict[int, str] = {}


def moment(at: float) -> str:
    """A time in PostgreSQL's words, to the microsecond. Seconds may read 60, by which PostgreSQL means the next minute."""
    minute = int(at // 60)
    if (prefix := _minutes.get(minute)) is None:
        if len(_minutes) > 10_000:
            _minutes.clear()
        prefix = _minutes[minute] = datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%d %H:%M:")
    return f"{prefix}{at - minute * 60:09.6f}+00"


def by(when: float | None, at: float) -> str:
    """A time that is known at `at`, or no value while it still lies ahead."""
    return moment(when) if when is not None and when <= at else NULL


def names(items: Iterable[str]) -> str:
    """A JSON list of plain words."""
    return "[" + ", ".join(f'"{item}"' for item in items) + "]"


def question(intent: str) -> str:
    return f"A question about {intent.replace('_', ' ')}"


def answer(intent: str, tokens: int) -> str:
    return f"An answer of {tokens} tokens about {intent.replace('_', ' ')}"


def visitor(session_id: str) -> tuple[str, str]:
    """Browser and address of a session; addresses are of the ranges that are kept for documentation (RFC 5737)."""
    lot = int(session_id[:6], 16)
    network = ("192.0.2", "198.51.100", "203.0.113")[lot % 3]
    return USER_AGENTS[lot // 3 % len(USER_AGENTS)], f"{network}.{1 + lot // 64 % 254}"
