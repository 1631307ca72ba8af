"""The database goes on living: what happened between two moments is written in one transaction.

For everything that was not yet over, the rows of both moments are made and their difference is written, so that what stands in
the database afterwards is what a load at the later moment would have put there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import psycopg

from contract.relations import RELATIONS, Relation
from demo.database import schema, wishes
from demo.database.configuration import Configuration, Record
from demo.database.load import Progress
from demo.database.rows.company import LastSeen, see, write_company, write_users
from demo.database.rows.conversations import traces_from, write_conversation
from demo.database.rows.others import write_document, write_moments, write_queued, write_ticket, write_workflow
from demo.database.rows.text import Lines, moment
from demo.world.model import MAX_TICKET_SECONDS, Hour
from demo.world.observations import ObservationSink, observations, scores
from demo.world.world import SETTLED_HOURS, World

_STEP_SECONDS = 6 * 3600.0


class OtherWorld(Exception):
    """The database holds the life of another seed, anchor, length or scale."""


class LiveDatabase:
    """A loaded database and the world that it follows. Keeps one connection, which it renews when it was lost."""

    def __init__(self, dsn: str, world: World, record: Record | None = None) -> None:
        """Settings that people want are taken over by `record`, and wait without it.

        Raises schema.ForeignSchema, and OtherWorld when another world was loaded or none.
        """
        self._dsn = dsn
        self._world = world
        self._connection: psycopg.Connection | None = None
        self._configuration = Configuration(world.spec, record) if record else None
        mark = schema.read_mark(self._connect())
        if mark is None or mark.loaded_until is None:
            raise OtherWorld("the database holds no finished load; load the history first")
        if mark.spec.born != world.spec.born:
            raise OtherWorld(f"the database holds another world (seed {mark.spec.seed}); load the history anew")
        self.loaded_until = mark.loaded_until
        """How far the rows reach, in seconds since the epoch."""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def catch_up(
        self, since: float, until: float, observations: ObservationSink | None = None, progress: Progress | None = None
    ) -> None:
        """Write what happened in (since, until], however long that is, some hours at a time."""
        at = since
        while at < until:
            reached = min(until, at + _STEP_SECONDS)
            self.advance(at, reached, observations)
            at = reached
            if progress:
                progress("catching up", (at - since) / (until - since))

    def advance(self, since: float, until: float, observations: ObservationSink | None = None) -> None:
        """Write what happened in (since, until] in one transaction, then tell `observations` what ended meanwhile.

        Raises psycopg.Error when the database cannot be written; nothing is written then and the call can be repeated.
        """
        before, after, seen = self._difference(since, until)
        known = len(self._world.users(since))
        touched = [user for user in self._world.users(until) if user.user_id in seen or user.user_id > known]
        write_users(after, touched, seen)
        try:
            connection = self._connect()
            with connection.transaction():
                for table, rows in sorted(after.items()):
                    old = set(before[table])
                    _write(connection, RELATIONS[table], [row for row in rows if row not in old])
                if traces_from(since) != traces_from(until):
                    _forget_traces(connection, traces_from(until))
                schema.write_mark(connection, self._world.spec, until)
        except psycopg.OperationalError:
            self.close()
            self._connection = None
            raise
        self.loaded_until = until
        if observations:
            self._report(since, until, observations)
        wishes.act(self._connect())
        if self._configuration:
            self._configuration.act(self._connect())

    def _difference(self, since: float, until: float) -> tuple[Lines, Lines, LastSeen]:
        """Rows of everything that may have changed, as they stand at both moments, and who was seen between them."""
        before: Lines = defaultdict(list)
        after: Lines = defaultdict(list)
        seen: LastSeen = {}
        kept_from = traces_from(until)
        for lines, at in ((before, since), (after, until)):
            write_company(lines, self._world, at)
            self._write_tickets(lines, since, at)
            for hour in self._hours(since, until):
                _write_unsettled(lines, hour, since, at, kept_from)
        for hour in self._hours(since, until):
            write_moments(after, hour, since, until)
            see(seen, hour, since, until)
        return before, after, seen

    def _hours(self, since: float, until: float) -> Iterator[Hour]:
        for index in range(int(since // 3600) - SETTLED_HOURS, int(until // 3600) + 1):
            yield self._world.hour(index * 3600.0)

    def _write_tickets(self, lines: Lines, since: float, at: float) -> None:
        for index in range(int((since - MAX_TICKET_SECONDS) // 3600), int(at // 3600) + 1):
            for ticket in self._world.tickets(index * 3600.0):
                if ticket.changes[-1].at > since:
                    write_ticket(lines, ticket, at)

    def _report(self, since: float, until: float, sink: ObservationSink) -> None:
        talks = [talk for hour in self._hours(since, until) for talk in hour.conversations if talk.settled > since]
        rows = [row for talk in talks for row in observations(talk, since, until)]
        given = [score for talk in talks for score in scores(talk, since, until)]
        if rows or given:
            sink(rows, given)

    def _connect(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._dsn, autocommit=True)
        return self._connection


def _write(connection: psycopg.Connection, relation: Relation, rows: list[str]) -> None:
    """Insert rows, or replace those with the same key."""
    if not rows:
        return
    # Columns are named, since the table may have one more, in which the exporter's capture marks a row's transaction.
    names = ", ".join(column.name for column in relation.columns)
    incoming = f"incoming_{relation.name}"
    connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {incoming} (LIKE {relation.qualified}) ON COMMIT DELETE ROWS".encode())
    with connection.cursor() as cursor, cursor.copy(f"COPY {incoming} ({names}) FROM STDIN".encode()) as stream:
        stream.write("".join(rows))
    updates = ", ".join(
        f"{column.name} = excluded.{column.name}" for column in relation.columns if column.name not in relation.key
    )
    connection.execute(
        f"INSERT INTO {relation.qualified} ({names}) SELECT {names} FROM {incoming} "  # noqa: S608  names of the contract
        f"ON CONFLICT ({', '.join(relation.key)}) DO UPDATE SET {updates}".encode()
    )


def _write_unsettled(lines: Lines, hour: Hour, since: float, at: float, kept_from: float) -> None:
    """What of an hour was not over at `since`, as it stands `at`."""
    for conversation in hour.conversations:
        if conversation.at <= at and conversation.settled > since:
            write_conversation(lines, conversation, at, kept_from)
    for document in hour.documents:
        if document.finished_at > since:
            write_document(lines, document, at)
    for workflow in hour.workflows:
        if workflow.at + workflow.duration > since:
            write_workflow(lines, workflow, at)
    for message in hour.queued:
        if message.done_at > since:
            write_queued(lines, message, at)


def _forget_traces(connection: psycopg.Connection, kept_from: float) -> None:
    """Delete traces that began before `kept_from`, with their spans."""
    oldest = moment(kept_from)
    connection.execute(
        "DELETE FROM app.trace_spans USING app.traces WHERE trace_spans.trace_id = traces.trace_id AND traces.started_at < %s",
        (oldest,),
    )
    connection.execute("DELETE FROM app.traces WHERE started_at < %s", (oldest,))
