"""What PostgreSQL itself says of every query of every dashboard: it parses and plans them, and runs none.

It is asked with the login of the panels, in a transaction that only reads and is rolled back. Planning also shows which rights
are missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg
from psycopg import sql

from contract.settings import Settings
from provisioning import boards
from provisioning.check.queries import statements
from provisioning.findings import Finding, Unreachable, error

REFUSED = "sql/refused"
_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 10_000


def prepared_findings(artefacts: Mapping[str, bytes], settings: Settings, dsn: str) -> Iterator[Finding]:
    """What the database refuses. Raises Unreachable when it does not let us in."""
    try:
        connection = psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS)
    except psycopg.Error as problem:
        said = str(problem).strip().splitlines()[0].rsplit("failed: ", 1)[-1].removeprefix("FATAL:").strip()
        raise Unreachable(f"error: PostgreSQL cannot be asked: {said}") from None
    connection.read_only = True
    connection.prepare_threshold = None  # nothing is prepared but what is asked about
    with connection:
        limit = sql.Literal(_STATEMENT_MILLISECONDS)
        connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(limit))
        for place, text in statements(boards.read(artefacts), settings):
            yield from _of_one(connection, place, text)
        connection.rollback()


def _of_one(connection: psycopg.Connection, place: str, text: str) -> Iterator[Finding]:
    """PREPARE takes one statement only, so nothing can follow it; EXPLAIN plans it, and holds it against rights."""
    try:
        with connection.transaction():
            connection.execute(b"PREPARE observatory_check AS " + text.rstrip().rstrip(";").encode())
            connection.execute("EXPLAIN EXECUTE observatory_check")
    except psycopg.OperationalError as problem:
        if connection.closed:
            raise Unreachable("error: PostgreSQL went away while it was asked") from None
        yield error(place, _said(problem), "ask less at once, or raise nothing and look at the plan", REFUSED)
    except psycopg.Error as problem:
        yield error(place, _said(problem), _remedy(problem), REFUSED)
    if not connection.closed:
        connection.execute(sql.SQL("DEALLOCATE ALL"))


def _said(problem: psycopg.Error) -> str:
    return f"PostgreSQL refuses it: {(problem.diag.message_primary or str(problem)).strip()}"


def _remedy(problem: psycopg.Error) -> str:
    match problem:
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return "`observatory db install`, or map the name in the configuration"
        case psycopg.errors.InsufficientPrivilege():
            return "grant this login SELECT on it"
    return problem.diag.message_hint or ""
