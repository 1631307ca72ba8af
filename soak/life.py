"""The platform and the exporter of a simulated day. Rows carry the simulated time, and the collectors are told it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg

from contract.relations import RELATIONS
from contract.settings import Settings
from demo.database import schema
from demo.world.model import WorldSpec
from exporters.collectors import collectors
from exporters.credentials import Credentials
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.negotiation import TEXT
from exporters.publication import Publication
from exporters.rollups import active_users, advance, fold, forms, retention
from exporters.scheduler import Collector

_USERS, _AGENTS, _ROWS = 200, 4, 6
_KEPT: dict[retention.Aged, timedelta] = {"minute": timedelta(hours=2), "hour": timedelta(hours=6)}
"""Shorter than configured, so that within a day as much goes as comes."""
_RAW_KEPT = timedelta(hours=3)
_COMMAND = (sys.executable, "-c", "from provisioning.cli import main; main()", "db", "install")
_STATUSES = ("success", "success", "success", "error", "timeout")
_AGING = {"agent_executions": "start_time", "messages": "created_at", "conversations": "created_at", "tickets": "created_at"}


class InstallFailed(Exception):
    """Schema analytics could not be installed; the text is what the command said."""


def prepare(dsn: str) -> None:
    """The contract's tables with users and agents in an empty database, and the data plane on them. Raises InstallFailed."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        schema.create(connection, WorldSpec(seed=0, anchor=0.0))
        for relation in RELATIONS.values():
            for statement in schema.index_statements(relation):
                connection.execute(statement.encode())
        connection.execute(
            "INSERT INTO app.agents (id, name, type, environment, is_active)"
            " SELECT n, 'agent' || n, 'chat', 'production', true FROM generate_series(1, %s) AS n",
            (_AGENTS,),
        )
        connection.execute(
            "INSERT INTO app.users (id, created_at, role, status)"
            " SELECT n, now() - interval '9 days', 'member', 'active' FROM generate_series(1, %s) AS n",
            (_USERS,),
        )
    said = subprocess.run(
        _COMMAND, env={**os.environ, "OBSERVATORY_POSTGRES_ADMIN_DSN": dsn}, capture_output=True, text=True, check=False
    )
    if said.returncode:
        raise InstallFailed(f"observatory db install failed: {(said.stderr or said.stdout).strip()}")


class Life:
    """One platform, one exporter, one clock. Equal seeds write equal rows."""

    def __init__(self, dsn: str, begin: datetime, seed: int = 0) -> None:
        self.now, self._random = begin, Random(seed)
        self._platform = psycopg.connect(dsn, autocommit=True)
        self._advancing = Session(lambda: dsn, 30.0, read_only=False)
        self._advancing.open()
        settings = Settings()
        secrets = {"OBSERVATORY_POSTGRES_DSN": dsn, "OBSERVATORY_POSTGRES_ADVANCE_DSN": dsn}
        made = collectors(settings, Credentials(settings, environ=secrets))
        self._collectors: list[Collector] = [each for each in made if not each.name.startswith("langfuse")]
        self._due = {each.name: 0.0 for each in self._collectors}
        self._publication = Publication(self._collectors, clock=lambda: self.now.timestamp())
        with self._advancing.transaction() as connection:
            self._forms = forms.forms(connection, Mapping.of(settings))
        self._minute, self._number, self._running = begin, 0, list[uuid.UUID]()

    def step(self, seconds: float) -> None:
        """Some rows come, change and go; what is new is counted; what is due is gathered and rendered."""
        self.now += timedelta(seconds=seconds)
        self._write()
        self._count()
        for each in self._collectors:
            if self.now.timestamp() >= self._due[each.name]:
                self._due[each.name] = self.now.timestamp() + each.interval
                each.collect(self.now.timestamp())
        self._publication.refresh()
        self._publication.page.plain(TEXT)
        if self.now - self._minute >= timedelta(minutes=1):
            self._minute = self.now
            self._tidy()

    def series(self) -> int:
        """Lines with a value on the exporter's page."""
        return sum(line[:1] not in (b"#", b"") for line in self._publication.page.plain(TEXT).split(b"\n"))

    def vacuum(self) -> None:
        """What autovacuum does by itself while a real hour passes: it wakes once a minute, and here an hour takes seconds."""
        self._platform.execute("VACUUM")

    @property
    def connection(self) -> psycopg.Connection:
        return self._platform

    def _write(self) -> None:
        run, random = self._platform.execute, self._random
        for _ in range(_ROWS):
            self._number += 1
            key = uuid.UUID(int=self._number)
            agent, user = 1 + random.randrange(_AGENTS), 1 + random.randrange(_USERS)
            run(
                "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, status, tool_count,"
                " retry_count, user_id, api_calls_count, environment)"
                " VALUES (%s, %s, %s, '1.0.0', %s, 'in_progress', 0, 0, %s, 0, 'production')",
                (key, agent, f"agent{agent}", self.now, user),
            )
            self._running.append(key)
            run(
                "INSERT INTO app.messages (id, conversation_id, user_id, role, created_at, tokens)"
                " VALUES (%s, %s, %s, 'user', %s, 9)",
                (self._number, self._number // 9, user, self.now),
            )
        while len(self._running) > 2 * _ROWS:
            took = random.random() * 8
            run(
                "UPDATE app.agent_executions SET status = %s, end_time = start_time + %s * interval '1 second',"
                " duration_ms = %s, tokens_used = 100 WHERE execution_id = %s",
                (random.choice(_STATUSES), took, took * 1000, self._running.pop(0)),
            )
        run(
            "INSERT INTO app.tickets (id, user_id, status, priority, created_at, updated_at, reopened_count)"
            " VALUES (%s, %s, 'open', 'normal', %s, %s, 0)",
            (self._number, user, self.now, self.now),
        )
        run(
            "UPDATE app.tickets SET status = 'resolved', resolved_at = %s, updated_at = %s WHERE id = %s",
            (self.now, self.now, self._number - 5 * _ROWS),
        )

    def _count(self) -> None:
        with self._advancing.transaction() as connection:
            new = advance.news(connection, self._forms)
        for name in new:
            with self._advancing.transaction() as connection:
                advance.advance(connection, self._forms[name])

    def _tidy(self) -> None:
        """Once a simulated minute: folding, active users, and the end of what is too old."""
        with self._advancing.transaction() as connection:
            fold.fold(connection)
            active_users.note(connection, self.now)
        for tier, kept in _KEPT.items():
            with self._advancing.transaction() as connection:
                retention.step(connection, tier, self.now - kept)
        for table, time in _AGING.items():
            self._platform.execute(f"DELETE FROM app.{table} WHERE {time} < %s".encode(), (self.now - _RAW_KEPT,))  # noqa: S608

    def close(self) -> None:
        for each in self._collectors:
            each.close()
        self._advancing.close()
        self._platform.close()


@contextmanager
def life(dsn: str, hours: float) -> Iterator[Life]:
    """A life that begins `hours` ago, so that it ends about now."""
    lived = Life(dsn, (datetime.now(UTC) - timedelta(hours=hours)).replace(second=0, microsecond=0))
    try:
        yield lived
    finally:
        lived.close()
