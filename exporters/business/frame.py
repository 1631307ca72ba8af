"""What the collectors on PostgreSQL have in common: a seat on a connection, named queries, an end to every run."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING

from psycopg import sql

from contract.durations import duration_seconds
from contract.metrics import Source
from contract.relations import RELATIONS
from exporters.credentials import CredentialError
from exporters.database.mapping import Mapping
from exporters.database.sessions import CONNECT_SECONDS, DatabaseDown, Rows, StatementRefused
from exporters.database.sharing import Seat
from exporters.journal import LONGEST_WAIT, Answer, Journal, QueryFailed, SourceDown
from exporters.snapshot import Sample, Snapshot

if TYPE_CHECKING:
    from contract.settings import Settings

_CYCLE_TIMEOUTS = 3
"""A run may take this many query timeouts; what is left then waits for the next run."""


_MISSING_SCHEMAS = sql.SQL("""
SELECT schema, current_database() FROM unnest({schemas}::text[]) AS schema
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema)
""")


@dataclass(frozen=True)
class Question:
    """A statement, and what its rows answer."""

    statement: sql.Composable | str
    answer: Callable[[Rows], Answer]


class DatabaseCollector(ABC):
    """One collector. Its subclasses say in `ask_all` what is asked; a query that fails does not keep the others from going on.

    `name` is the source in `exporter_*` metrics, `seldom` are queries that not every run asks, so that
    what is said of them stays, and `more` gives further samples. All times are in seconds.
    """

    answers_needed = True
    """Whether PostgreSQL counts as down when not one query of a run was answered."""

    def __init__(
        self, name: str, interval: str, settings: Settings, seat: Seat, queries: Iterable[str], mapping: Mapping
    ) -> None:
        exporter = settings.exporter
        self.name = name
        self.interval = duration_seconds(interval)
        self.query_timeout = min(duration_seconds(exporter.query_timeout), LONGEST_WAIT)
        self.timeout = CONNECT_SECONDS + (_CYCLE_TIMEOUTS + 1) * self.query_timeout
        self.max_age = max(duration_seconds(exporter.max_age), 2 * self.interval)
        self.snapshot: Snapshot | None = None
        self.seat = seat
        self.seldom: Collection[str] = ()
        self.more: Callable[[], Iterable[Sample]] = tuple
        self.journal = Journal(name, Source.POSTGRES, queries, seat.without_secrets, exporter.series_limit)
        self._schemas = sorted({table[0] for relation in RELATIONS if (table := mapping.driving(relation))})
        self._deadline = 0.0
        self._asked: list[bool] = []

    def collect(self, now: float) -> None:
        """Asks everything once. Raises SourceDown, with the snapshot saying so as well."""
        up = False
        self.journal.begin(self.seldom)
        self._deadline = time.monotonic() + _CYCLE_TIMEOUTS * self.query_timeout
        self._asked = []
        try:
            try:
                self.seat.open()
                self.ask_all(now)
            except (DatabaseDown, StatementRefused, CredentialError) as error:
                raise SourceDown(str(error)) from None
            if self.answers_needed and not any(self._asked):
                raise SourceDown(self.explanation() or f"PostgreSQL did not answer one query: {self.journal.last_failure}")
            up = True
        finally:
            self.snapshot = self.journal.snapshot(up, self.more())

    @abstractmethod
    def ask_all(self, now: float) -> None:
        """Asks every query by `ask`. Anything but a failing query may be raised."""

    def ask(self, query: str, now: float, run: Callable[[], Answer], late: bool = False, spent: float = 0.0) -> bool:
        """Runs one query under its name; whether it succeeded. What the server refuses is noted, and the next may be asked.

        When the run has taken too long, only what may come `late` is asked. `spent`: the seconds that a statement took which
        has answered it already, and others with it.
        """

        def answer() -> Answer:
            if time.monotonic() > self._deadline and not late:
                raise QueryFailed("not asked: the queries before it took too long")
            try:
                return run()
            except StatementRefused as refused:
                raise QueryFailed(str(refused)) from None

        self._asked.append(self.journal.ask(query, now, answer, spent))
        return self._asked[-1]

    def ask_together(
        self, now: float, questions: dict[str, Question], known: Sequence[Rows] = (), late: bool = False, spent: float = 0.0
    ) -> None:
        """Asks several questions in one round trip, unless their rows are `known`, which took the seconds `spent`.

        If that fails, each is asked by itself.
        """
        if not known:
            spent, begun = 0.0, time.perf_counter()
            with contextlib.suppress(StatementRefused):
                known = self.seat.answers([question.statement for question in questions.values()])
                spent = time.perf_counter() - begun
        for (name, question), rows in zip_longest(questions.items(), known):
            self.ask(name, now, partial(self._answered, question, rows), late, spent)

    def _answered(self, question: Question, rows: Rows | None) -> Answer:
        return question.answer(self.seat.rows(question.statement) if rows is None else rows)

    def explanation(self) -> str:
        """A likely reason why no query was answered, or "": the platform's schema is not there, so it is another database."""
        try:
            rows = self.seat.rows(_MISSING_SCHEMAS.format(schemas=self._schemas))
        except StatementRefused:
            return ""
        missing = ", ".join(schema for schema, _ in rows)
        return f"the database {rows[0][1]} has no schema {missing}, where the platform's tables should be" if rows else ""

    def abort(self) -> None:
        self.seat.abort()

    def without_secrets(self, text: str) -> str:
        return self.seat.without_secrets(text)

    def close(self) -> None:
        self.seat.close()
