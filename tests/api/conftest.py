"""A small platform that has lived for ten days, counted, and a server of the API before it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from api import tokens
from api.catalogue.endpoints import Role
from api.process import Server, Setup
from contract.api import Api
from contract.settings import Settings
from demo.stack.prepare import Progress, Wanted, prepare
from exporters.database.roles import Role as Login
from exporters.process import listen
from provisioning.api.setup import recorded
from tests.conftest import PostgresServer
from tests.provisioning.conftest import free_port

UNTIL = datetime(2026, 11, 19, 15, tzinfo=UTC)
"""When the platform's ten days end: a Thursday afternoon."""
DAYS = 10
LOGINS = {Role.ADMIN: Login.GRAFANA_ADMIN, Role.BUSINESS: Login.GRAFANA_BUSINESS, Role.SELF: Login.SELF_SERVICE}
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here speaks TLS, so that no client has to read all certificates of the machine first."""
PATIENT = {"days": 400, "rate": 100_000, "burst": 10_000}
"""Limits that are not in the way."""


AHEAD = """
INSERT INTO analytics.active_users_daily VALUES ('2026-11-17T00:00Z', 12) ON CONFLICT DO NOTHING;
INSERT INTO analytics.forecasts
SELECT 'active_users', '2026-11-18T00:00Z'::timestamptz + i * interval '1 day', 10 + i, 8 + i, 13 + i, 'weekday', now()
FROM generate_series(0, 9) i;
INSERT INTO analytics.forecast_trials
VALUES ('active_users', 'weekday', true, 40, 3, 7, 0.8, 0.1, 0.95, 1.05, '2026-11-18T04:00Z'),
       ('active_users', 'naive', false, 40, 3, 7, 1, 0.125, 0.95, 1, '2026-11-18T04:00Z');
INSERT INTO analytics.advice
SELECT unit || place, place, kind, 'support', 'production', 'x', 'do it', 'it is so', '', '', '', 100.0 / place, 40, 160, unit,
       0.01, 'the rest', now(), now()
FROM (VALUES ('currencyUSD', 'model'), ('s', 'slow_request')) u (unit, kind), generate_series(1, 3) place;
INSERT INTO analytics.model_prices VALUES
  ('^(acme-large)$', 'input', 2.5, '2026-09-01T00:00Z', '2026-11-12T08:00Z'),
  ('^(acme-large)$', 'input', 2, '2026-11-12T08:00Z', NULL),
  ('^(acme-small)$', 'input', 0.5, '2026-09-01T00:00Z', '2026-11-02T08:00Z')
"""
"""What the exporter would have written: what is to come and what to do, for which ten days are too few, and listed prices, of
which one was another one before, and one is listed no longer.
"""


@dataclass(frozen=True)
class Lived:
    """A database and the user who wrote most in it."""

    dsn: str
    user_key: str
    other_key: str


@pytest.fixture(scope="session")
def lived(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    var = tmp_path_factory.mktemp("world")
    (var / "key").write_text("k" * 32)
    (var / "key").chmod(0o600)
    settings = Settings.model_validate({"database": {"user_key_file": str(var / "key")}})
    dsn = postgres.create()
    wanted = Wanted(7, 0.03, DAYS, fresh=True, history=0)
    prepare(var, dsn, settings, wanted, UNTIL.timestamp(), True, Progress(lambda _: None))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(AHEAD)
        for role in LOGINS.values():
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(role)))
        keys = connection.execute(
            "SELECT user_key FROM analytics.agent_executions WHERE user_key <> '' GROUP BY 1 ORDER BY count(*) DESC LIMIT 2"
        ).fetchall()
    yield Lived(dsn, keys[0][0], keys[1][0])
    postgres.drop(dsn)


@dataclass(frozen=True)
class Callers:
    """The tokens of an administrator, of the business, and of two persons; and the file that lets them in."""

    file: Path
    admin: str
    business: str
    person: str
    other: str

    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}


def tokens_file(path: Path, lived: Lived) -> Callers:
    callers = (
        tokens.Caller("boss", Role.ADMIN),
        tokens.Caller("sales", Role.BUSINESS),
        tokens.Caller("anna", Role.SELF, lived.user_key),
        tokens.Caller("ben", Role.SELF, lived.other_key),
    )
    made = [tokens.made(caller) for caller in callers]
    tokens.write(path, [token for _, token in made])
    return Callers(path, *(text for text, _ in made))


def setup_of(lived: Lived, callers: Callers, prometheus: str = "", **limits: Any) -> Setup:
    """The API before this database, each role with its own login."""
    dsns = {role: partial(make_conninfo, lived.dsn, user=login) for role, login in LOGINS.items()}
    api = Api.model_validate({"limits": {**PATIENT, **limits}})
    closed = f"http://127.0.0.1:{free_port()}"
    return Setup(api, callers.file, dsns, prometheus or closed, recorded(), "http://127.0.0.1:3000/d/observatory-overview")


@dataclass
class Served:
    """A server of this process: its address, and clients of each caller."""

    url: str
    callers: Callers
    setup: Setup

    def client(self, token: str, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.callers.headers(token), timeout=30, verify=NO_TLS, **more)

    def get(self, path: str, token: str | None = None, **parameters: Any) -> httpx.Response:
        with self.client(token or self.callers.admin) as client:
            return client.get(path, params=parameters or None)


@contextmanager
def serving(setup: Setup, callers: Callers) -> Iterator[Served]:
    listening = listen(f"127.0.0.1:{free_port()}")
    server = Server(setup)
    thread = Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    try:
        host, port = listening.getsockname()
        listening.listen()
        yield Served(f"http://{host}:{port}", callers, setup)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listening.close()


@pytest.fixture(scope="module")
def callers(lived: Lived, tmp_path_factory: pytest.TempPathFactory) -> Callers:
    return tokens_file(tmp_path_factory.mktemp("api") / "tokens", lived)


@pytest.fixture(scope="module")
def served(lived: Lived, callers: Callers) -> Iterator[Served]:
    with serving(setup_of(lived, callers), callers) as running:
        yield running
