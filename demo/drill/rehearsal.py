"""All incidents in virtual time on a database of its own, to see what fires: how the table of `expected` comes about."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from demo.database.server import EmbeddedPostgres
from demo.drill import lives, rulebook, virtual
from demo.drill.expected import NOTHING
from provisioning.rules.report import Report
from provisioning.rules.server import free_port, over


def rehearse(kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each kind, and what fires and when, for people. Raises what `prepare` raises, ServerError, InputError and Unreachable."""
    groups = rulebook.built(lives.SETTINGS)
    with tempfile.TemporaryDirectory(prefix="observatory-drill-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        with EmbeddedPostgres(place / "postgres", free_port(), place / "password") as dsn:
            past = lives.past(place / "past", copied(dsn, "past"))
            for kind in kinds:
                database = copied(dsn, f"life_{kind}", "past")
                life = lives.go_on(past, place / kind, database, None if kind == NOTHING else kind)
                with over(life.metrics) as history:
                    yield kind, Report(virtual.replayed(life, history, groups)).as_text()


def copied(dsn: str, name: str, template: str = "template1") -> str:
    """The connection string of a new database `name`, which is a copy of `template`; nobody may be connected to that one."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    return psycopg.conninfo.make_conninfo(dsn, dbname=name)
