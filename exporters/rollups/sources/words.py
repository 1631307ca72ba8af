"""Pieces of SQL that the declarations of sources share. They are made of column names and constants of the contract only."""

from __future__ import annotations

from collections.abc import Iterable

from contract.labels import OVERFLOW
from exporters.rollups.model import Field, Join, plausible

UNKNOWN = "unknown"
"""The label value of what a row does not say."""

_LONGEST = 100
_MOST = 10**12
_DAYS = 3650
_DAYS_OF_WORK = 366
"""A duration of more than these is none: the sums of many of them have to stay whole numbers of 64 bits. Of what agents do
there is more than of what people do, and a begin that is the same for all, as a default, comes in thousands of rows."""

CONVERSATION = Join("conversations", "c", "c.id = r.conversation_id")
AGENT_OF_CONVERSATION = Join("agents", "a", "a.id = c.agent_id")


def word(column: str) -> str:
    """The value of an open label. Nearly all are fine as they are, which is told sooner than they are mended."""
    said = f'{column}::text COLLATE "C"'
    fine = f"octet_length({said}) BETWEEN 1 AND {_LONGEST} AND strpos({said}, E'\\x1f') = 0"
    mended = f"coalesce(nullif(left(replace({said}, E'\\x1f', ''), {_LONGEST}), ''), '{UNKNOWN}')"
    return f"CASE WHEN {fine} THEN {said} ELSE {mended} END"


def one_of(column: str, values: Iterable[str], other: str = OVERFLOW) -> str:
    """The value of a closed label."""
    return f"CASE WHEN {column} IN ({quoted(values)}) THEN {column} ELSE '{other}' END"


def quoted(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def text(sql: str) -> Field:
    return Field("text", sql)


def time(sql: str) -> Field:
    return Field("timestamptz", sql)


def whole(sql: str) -> Field:
    """A whole number; 0 for what is unknown, negative, not a number, or more than a million million."""
    return Field("bigint", f"CASE WHEN {sql} BETWEEN 0 AND {_MOST} THEN {sql} ELSE 0 END::bigint")


def truth(sql: str) -> Field:
    return Field("boolean", f"coalesce({sql}, false)")


def microseconds(milliseconds: str, begin: str, end: str) -> Field:
    """A duration of work in whole microseconds: as it was measured, else from begin to end; NULL when neither is known."""
    measured = f"round({_measured(milliseconds)} * 1000)::bigint"
    return Field("bigint", _not_negative(f"coalesce({measured}, {_between(begin, end, _DAYS_OF_WORK)})"))


def microseconds_between(begin: str, end: str) -> Field:
    return Field("bigint", _not_negative(_between(begin, end, _DAYS)))


def _not_negative(sql: str) -> str:
    """What is unknown stays so: `greatest` would make it 0."""
    return f"CASE WHEN {sql} < 0 THEN 0 ELSE {sql} END"


def _measured(milliseconds: str) -> str:
    """NULL for what is no number, infinite, or too long to be one."""
    most = _DAYS_OF_WORK * 86_400_000
    return f"CASE WHEN {milliseconds} BETWEEN {-most} AND {most} THEN {milliseconds} END"


def _between(begin: str, end: str, days: int) -> str:
    within = f"{end} - {begin} BETWEEN interval '{-days} days' AND interval '{days} days'"
    return (
        f"CASE WHEN {plausible(begin)} AND {plausible(end)}"
        f" THEN CASE WHEN {within} THEN (extract(epoch FROM {end} - {begin}) * 1000000)::bigint END END"
    )


def end(column: str, begin: str, milliseconds: str) -> Field:
    """When something ended: as the row says, else its begin and duration, else its begin."""
    reckoned = f"CASE WHEN {plausible(begin)} THEN {begin} + {_measured(milliseconds)} * interval '1 millisecond' END"
    return Field("timestamptz", f"coalesce({column}, {reckoned}, {begin})")
