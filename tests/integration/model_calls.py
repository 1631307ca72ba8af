"""Model calls, scores and what the platform knows of them, straight from the stand-in's own tables and schema `app`.

What panels say of the ledger is added up from these rows again, in Python.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from demo.langfuse.rows import USD
from tests.integration.moment import Moment

BOUNDS = tuple(0.01 * 2**n for n in range(14))
"""Between which times of model calls are told apart, in seconds."""


class Row(NamedTuple):
    """A model call. `cost` is USD, None without a price; agent, role and department are what the platform says."""

    at: datetime
    model: str
    environment: str
    input: int
    output: int
    cached: int
    total: int
    cost: float | None
    failed: bool
    seconds: float | None
    first: float | None
    prompt: str | None
    version: int | None
    trace: str
    chat: bool
    agent: str
    conversation: Any
    role: str
    department: str

    @property
    def day(self) -> datetime:
        return midnight(self.at)

    @property
    def usd(self) -> float:
        return self.cost or 0.0


class Judged(NamedTuple):
    """A score, and the last call of its trace that wrote something."""

    at: datetime
    name: str
    source: str
    kind: str
    value: float | None
    environment: str
    answer: Row | None


def midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


class Ledger:
    """All rows of one moment."""

    def __init__(self, moment: Moment) -> None:
        self.now = datetime.fromtimestamp(moment.at, UTC)
        known = {
            trace: (agent, conversation, role or "unknown", department or "unknown")
            for trace, agent, conversation, role, department in moment.sql(
                "SELECT e.trace_id, e.agent_name, e.conversation_id, u.role, u.department"
                " FROM app.agent_executions e LEFT JOIN app.users u ON u.id = e.user_id WHERE e.trace_id IS NOT NULL"
            )
        }
        store = sqlite3.connect(f"file:{moment.stack.var / 'langfuse.sqlite'}?mode=ro", uri=True)
        store.row_factory = sqlite3.Row
        self.rows = [
            _row(row, known)
            for row in store.execute(
                "SELECT * FROM observations WHERE type IN ('GENERATION', 'EMBEDDING') AND copy = 0 AND ended IS NOT NULL"
                " ORDER BY started, id"
            )
        ]
        with moment.stack.database as database:  # the ledger goes back a while, Langfuse further
            [(first,)] = database.execute("SELECT past FROM analytics.sync_state WHERE source = 'observations'").fetchall()
        self.rows = [row for row in self.rows if row.at >= first]
        answers = {row.trace: row for row in self.rows if row.chat}
        self.scores = [
            Judged(
                _time(row["started"]), row["name"], row["source"], row["data_type"], row["value"], row["environment"],
                answers.get(row["trace_id"]),
            )
            for row in store.execute("SELECT * FROM scores ORDER BY started, id")
        ]  # fmt: skip
        store.close()

    def days(self, seconds: float, environment: str | None = "production") -> list[Row]:
        """Calls of the days (UTC) that the `seconds` before the moment touch."""
        since = midnight(self.now - timedelta(seconds=seconds))
        return [row for row in self.rows if row.at >= since and environment in (None, row.environment)]

    def judged(self, seconds: float) -> list[Judged]:
        """Scores of these days from 0 to 1 about a known answer in production."""
        since = midnight(self.now - timedelta(seconds=seconds))
        return [
            score
            for score in self.scores
            if score.at >= since and score.environment == "production" and score.answer is not None
            and score.value is not None and 0 <= score.value <= 1
        ]  # fmt: skip


_KNOWN: WeakKeyDictionary[Moment, Ledger] = WeakKeyDictionary()


def ledger(moment: Moment) -> Ledger:
    """The rows of a moment, read once."""
    if moment not in _KNOWN:
        _KNOWN[moment] = Ledger(moment)
    return _KNOWN[moment]


def _time(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _row(row: sqlite3.Row, known: dict[str, tuple[Any, ...]]) -> Row:
    usage, cost = json.loads(row["usage"]), json.loads(row["cost"])
    agent, conversation, role, department = known.get(row["trace_id"], (row["trace_name"], None, "unknown", "unknown"))
    version = row["prompt_version"]
    return Row(
        _time(row["started"]), row["model"], row["environment"],
        sum(n for key, n in usage.items() if key.startswith("input")),
        sum(n for key, n in usage.items() if key.startswith("output")),
        usage.get("input_cached_tokens", 0), usage["total"], cost["total"] / USD if cost else None, row["level"] == "ERROR",
        _took(row, "ended"), None if row["first_token"] is None else _took(row, "first_token"),
        row["prompt_name"], None if version is None else int(version), row["trace_id"], row["type"] == "GENERATION",
        agent, conversation, role, department,
    )  # fmt: skip


def _took(row: sqlite3.Row, until: str) -> float:
    """Seconds between two times as they are sent, each cut to a millisecond: it may be another side of a bucket's bound."""
    return float(row[until] // 1000 - row["started"] // 1000) / 1000


def by(rows: Iterable[Any], key: Callable[[Any], Hashable]) -> dict[Any, list[Any]]:
    """Rows in groups."""
    found: defaultdict[Hashable, list[Any]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)


def cost(rows: Iterable[Row]) -> float:
    return math.fsum(row.usd for row in rows)


def same_bucket(shown: float, values: Sequence[float], share: float) -> bool:
    """Whether a percentile lies between the same bounds as the exact one."""
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    lower = max((bound for bound in BOUNDS if bound < exact), default=0.0)
    upper = min((bound for bound in BOUNDS if bound >= exact), default=math.inf)
    return lower <= shown <= upper
