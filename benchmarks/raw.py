"""The 25 questions asked of the tables themselves, and what arrives between two rounds of asking."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.questions import QUESTIONS, Question

Answer = dict[tuple[str, ...], tuple[Any, ...]]
"""Values by labels."""

_ARRIVALS = Path(__file__).with_name("arrivals.sql")


def ask(connection: psycopg.Connection, question: Question, now: datetime) -> tuple[Answer, float]:
    """The answer, and the milliseconds until it was there."""
    began = time.perf_counter()
    rows = connection.execute(question.at(now).encode()).fetchall()
    taken = (time.perf_counter() - began) * 1e3
    width = len(question.labels)
    return {tuple(map(str, row[:width])): tuple(row[width:]) for row in rows}, taken


def cycles(dsn: str, repeat: int) -> tuple[list[float], dict[str, list[float]]]:
    """Milliseconds of each round of all questions, and of each question; one more round before warms the memory."""
    now = datetime.now(UTC)
    with psycopg.connect(dsn, autocommit=True) as connection:
        each: dict[str, list[float]] = {question.name: [] for question in QUESTIONS}
        for round_ in range(repeat + 1):
            for question in QUESTIONS:
                _, taken = ask(connection, question, now)
                if round_:
                    each[question.name].append(taken)
    return [sum(round_) for round_ in zip(*each.values(), strict=True)], each


def arrive(connection: psycopg.Connection, executions: int, cycle: int, now: datetime) -> None:
    """Write what a platform writes in one cycle, in one transaction. `cycle` picks which older rows the new ones are like."""
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        cursor.execute(_ARRIVALS.read_bytes(), {"n": executions, "cycle": cycle, "now": now})


def active_ms(dsn: str) -> float:
    """Milliseconds that PostgreSQL says this database has spent on statements; sessions report at their end."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute("SELECT active_time FROM pg_stat_database WHERE datname = current_database()").fetchone()
    return float(found[0]) if found else 0.0
