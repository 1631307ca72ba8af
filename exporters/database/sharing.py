"""One connection for several collectors, each in a thread of its own: they take turns, a transaction at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from psycopg import sql

from exporters.database.sessions import Connection, DatabaseDown, Rows, Session, StatementRefused


class SharedSession:
    """A session and the turn to use it. Whoever waits longer than `patience` seconds is refused, and may try again later."""

    def __init__(self, session: Session, patience: float) -> None:
        self.session, self.patience = session, patience
        self.turn = threading.Lock()

    @property
    def connected(self) -> bool:
        return self.session.connected

    def seat(self) -> Seat:
        """A way to the connection for one collector."""
        return Seat(self)

    def close(self) -> None:
        self.session.close()


class Seat:
    """What one collector sees of a shared connection. Only `abort` and `close` may be called from another thread."""

    def __init__(self, shared: SharedSession) -> None:
        self._shared = shared
        self._mine = self._given_back = False

    @contextlib.contextmanager
    def _turn(self) -> Iterator[Session]:
        if not self._shared.turn.acquire(timeout=self._shared.patience):
            raise StatementRefused(f"not asked: the connection was in use for {self._shared.patience:g} s")
        self._mine = True
        try:
            if self._given_back:  # looked at once it is ours, so that `close` is either seen here or cuts what follows
                raise DatabaseDown("the connection was given back")
            yield self._shared.session
        finally:
            self._mine = False
            self._shared.turn.release()

    def open(self) -> None:
        """Connects unless the connection lives. Raises DatabaseDown, StatementRefused, and what reading the secret raises."""
        with self._turn() as session:
            session.open()

    @contextlib.contextmanager
    def transaction(self, statement_seconds: float | None = None) -> Iterator[Connection]:
        """A transaction under the session's limits. Raises DatabaseDown or StatementRefused."""
        with self._turn() as session:
            if not session.connected:  # another collector found it cut
                session.open()
            with session.transaction(statement_seconds) as connection:
                yield connection

    def answers(self, *transactions: Sequence[sql.Composable | str]) -> list[Rows]:
        """The rows of several statements, in one or more transactions, as `Session.answers` gives them."""
        with self._turn() as session:
            if not session.connected:  # another collector found it cut
                session.open()
            return session.answers(*transactions)

    def rows(self, question: sql.Composable | str) -> Rows:
        """All rows of one query in a transaction of its own. Raises DatabaseDown or StatementRefused."""
        return self.answers([question])[0]

    def abort(self) -> None:
        """Cuts the connection if this collector is waiting for it; others are left alone."""
        if self._mine:
            self._shared.session.abort()

    def close(self) -> None:
        """Gives the connection back for good: what waits for it is cut, and nothing is asked any more. Waits for nobody.

        Other collectors open the connection again when they need it.
        """
        self._given_back = True
        self.abort()
        if self._shared.turn.acquire(blocking=False):
            self._shared.close()
            self._shared.turn.release()

    def without_secrets(self, text: str) -> str:
        return self._shared.session.without_secrets(text)
