"""What a platform does with its rows, one small step at a time: each step is a function of a writer and two drawn numbers.

Times are given by the writers' clocks, which run apart by up to five minutes and often show the same second.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.rollups.writers import Platform, Row, Writer

AGENTS = ("billing", "research")
SKEWS = (0, -250, 290, 61)
"""Seconds by which the clocks of the writers are off, one a writer."""
WORDS = ("success", "Failed", "timeout", "canceled", "odd")
"""Status words of ended executions; the platform's own spelling, and one that nobody knows."""
PACES = (0, 0, 1, 7, 61, 3599)
"""Seconds by which the clock moves on at a step: rows that tie, and rows beyond the next minute and hour."""


@dataclass
class Stories:
    """The platform with its clock and its sequences."""

    platform: Platform
    now: datetime
    skews: tuple[int, ...] = SKEWS
    numbers: int = 0
    reserved: list[int] = field(default_factory=list)

    def tick(self, value: int) -> None:
        self.now += timedelta(seconds=PACES[value % len(PACES)])

    def clock(self, writer: Writer) -> datetime:
        place = self.platform.writers.index(writer)
        return self.now + timedelta(seconds=self.skews[place % len(self.skews)])

    def number(self) -> int:
        """The next number of the sequence; every second time one that was reserved earlier, where there is one."""
        self.numbers += 1
        if self.reserved and self.numbers % 2:
            return self.reserved.pop()
        return self.numbers

    def reserve(self, value: int) -> None:
        """An application takes a block of numbers, for rows that it may write later, or never."""
        count = 1 + value % 3
        self.reserved += range(self.numbers + 1, self.numbers + count + 1)
        self.numbers += count

    def pick(self, writer: Writer, relation: str, pick: int) -> Any | None:
        keys = writer.changeable(relation)
        return keys[pick % len(keys)] if keys else None


def begin_execution(stories: Stories, writer: Writer, pick: int, value: int) -> None:
    stories.numbers += 1
    row: Row = {
        "execution_id": uuid.UUID(int=stories.numbers * 7919 % 2**64),
        "agent_id": pick % 2,
        "agent_name": AGENTS[pick % 2],
        "version": (None, "1.0.0")[value % 2],
        "start_time": stories.clock(writer),
        "end_time": None,
        "duration_ms": None,
        "status": "in_progress",
        "tool_count": 0,
        "api_calls_count": 0,
        "retry_count": 0,
        "environment": ("production", "staging")[value % 2],
        "tokens_used": None,
        "error_type": None,
    }
    if value % 3 == 0:  # written when it is over, as most platforms do
        row |= _ending(stories, writer, pick, value)
    writer.insert("agent_executions", row)


def _ending(stories: Stories, writer: Writer, pick: int, value: int) -> Row:
    return {
        "end_time": (stories.clock(writer) + timedelta(milliseconds=37 * value), None)[value % 7 == 6],
        "duration_ms": (None, 2000.0, 37.5 * value, 0.25)[pick % 4],
        "status": WORDS[value % len(WORDS)],
        "tokens_used": (None, value * 10)[pick % 2],
        "retry_count": value % 3,
        "error_type": (None, "tool", "unheard_of")[value % 3],
    }


def end_execution(stories: Stories, writer: Writer, pick: int, value: int) -> None:
    """Ends an execution, or ends one anew that had ended: a correction."""
    key = stories.pick(writer, "agent_executions", pick)
    if key is not None:
        writer.update("agent_executions", key, **_ending(stories, writer, pick, value))


def correct_execution(stories: Stories, writer: Writer, pick: int, value: int) -> None:
    """Writes to an execution what it already holds, moves it to another agent, version or time, or opens it again."""
    key = stories.pick(writer, "agent_executions", pick)
    if key is None:
        return
    changes: tuple[Row, ...] = (
        {"tool_count": 1},
        {"agent_name": AGENTS[value % 2], "agent_id": value % 2},
        {"version": str(pick % 3)},
        {"status": "in_progress", "end_time": None, "duration_ms": None},
        {"start_time": stories.clock(writer)},
    )
    writer.update("agent_executions", key, **changes[value % len(changes)])


def delete_execution(stories: Stories, writer: Writer, pick: int, value: int) -> None:
    key = stories.pick(writer, "agent_executions", pick)
    if key is not None:
        writer.delete("agent_executions", key)


def open_ticket(stories: Stories, writer: Writer, pick: int, value: int) -> None:
    at = stories.clock(writer)
    writer.insert(
        "tickets",
        {
            "id": stories.number(),
            "user_id": 1,
            "assignee_id": None,
            "status": "open",
            "priority": ("low", "urgent", "odd")[pick % 3],
            "created_at": at,
            "updated_at": at,
            "first_response_at": None,
            "resolved_at": None,
            "reopened_count": 0,
            "sla_first_response_due_at": (None, at + timedelta(seconds=60))[value % 2],
            "sla_resolution_due_at": (None, at + timedelta(seconds=3600))[pick % 2],
        },
    )


def move_ticket(stories: Stories, writer: Writer, pick: int, value: int) -> None:
    """A ticket is answered, resolved, opened again, given to somebody, or given another priority or category."""
    key = stories.pick(writer, "tickets", pick)
    if key is None:
        return
    row = writer.sees(("tickets", key))
    assert row is not None
    at = stories.clock(writer)
    changes: tuple[Row, ...] = (
        {"first_response_at": at, "status": "in_progress"},
        {"resolved_at": at, "status": "resolved"},
        {"resolved_at": None, "status": "open", "reopened_count": row["reopened_count"] + 1},
        {"assignee_id": 7},
        {"priority": ("high", "low")[pick % 2]},
        {"category": ("bug", "billing")[pick % 2]},
    )
    writer.update("tickets", key, updated_at=at, **changes[value % len(changes)])


def delete_ticket(stories: Stories, writer: Writer, pick: int, value: int) -> None:
    key = stories.pick(writer, "tickets", pick)
    if key is not None:
        writer.delete("tickets", key)


def search(stories: Stories, writer: Writer, pick: int, value: int) -> None:
    """A row that never changes afterwards."""
    writer.insert(
        "kb_searches",
        {
            "id": stories.number(),
            "user_id": None,
            "at": stories.clock(writer),
            "duration_ms": (5.0, 0.1, 37.0 * value)[pick % 3],
            "result_count": value % 2,
        },
    )


def forget_search(stories: Stories, writer: Writer, pick: int, value: int) -> None:
    key = stories.pick(writer, "kb_searches", pick)
    if key is not None:
        writer.delete("kb_searches", key)


Step = Callable[[Stories, Writer, int, int], None]
STEPS: dict[str, dict[str, Step]] = {
    "agent_executions": {
        "begin execution": begin_execution,
        "end execution": end_execution,
        "correct execution": correct_execution,
        "delete execution": delete_execution,
    },
    "tickets": {"open ticket": open_ticket, "move ticket": move_ticket, "delete ticket": delete_ticket},
    "kb_searches": {"search": search, "forget search": forget_search},
}
