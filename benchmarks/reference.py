"""The reference database of dashboards: the synthetic platform at twice its size over 90 days, counted, with 50,000 users.

That is about a million model calls and messages, and half a million executions, with forecasts and advice made of them. Made
once and kept.
"""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.data import database_of
from benchmarks.program import ProgramError
from benchmarks.run import Run
from contract.settings import Settings
from demo.stack import counting, secrets
from demo.stack.prepare import Progress, Wanted, prepare
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.database.sharing import Seat, SharedSession
from exporters.outlook.collector import OutlookCollector

_SEED = 7
_LONGEST_SECONDS = 600.0
_NEVER_CAME_BACK = """
INSERT INTO app.users (id, created_at, role, status, department)
SELECT 10000000 + i, to_timestamp(%(until)s) - i * (interval '360 days' / %(people)s), 'user', 'inactive', NULL
FROM generate_series(1, %(people)s - (SELECT count(*)::int FROM app.users)) i
"""
"""People who signed up and wrote nothing."""


def database(run: Run, until: float) -> str:
    """Connection string of the database that ends at `until` (seconds since the epoch); the same again on later runs."""
    name = f"reference_{int(until)}"
    folder = run.folder / name
    dsn = database_of(run.dsn(), name)
    folder.mkdir(parents=True, exist_ok=True)
    secrets.kept(folder / "user_key")
    settings = Settings.model_validate({"database": {"user_key_file": str(folder / "user_key")}})
    if (folder / "whole").exists():
        _look_ahead(run, dsn, settings, counting.install(dsn, settings), until)
        return dsn
    with psycopg.connect(run.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    wanted = Wanted(_SEED, run.scale.world, run.scale.days, fresh=True, history=0)
    prepare(folder, dsn, settings, wanted, until, True, Progress(lambda text: run.say(f"reference database: {text}")))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_NEVER_CAME_BACK, {"until": until, "people": run.scale.people})
        connection.execute("VACUUM (ANALYZE)")
    _look_ahead(run, dsn, settings, counting.install(dsn, settings), until)
    (folder / "whole").touch()
    return dsn


def _look_ahead(run: Run, dsn: str, settings: Settings, mapping: Mapping, until: float) -> None:
    """Forecasts and advice, unless they are there: made as the exporter makes them."""
    with psycopg.connect(dsn) as connection:
        if connection.execute("SELECT 1 FROM analytics.outlook_runs").fetchone():
            return
    run.say("reference database: forecasts and advice")
    collector = OutlookCollector(settings, mapping, _seat(dsn, read_only=True), _seat(dsn, read_only=False))
    try:
        for seconds in range(2):  # the first run after a start makes nothing
            collector.collect(until + seconds)
    finally:
        collector.close()
    with psycopg.connect(dsn) as connection:
        if not connection.execute("SELECT 1 FROM analytics.forecasts").fetchone():
            raise ProgramError(f"no forecast could be made of the reference database: {collector.journal.last_failure}")


def _seat(dsn: str, read_only: bool) -> Seat:
    return SharedSession(Session(lambda: dsn, _LONGEST_SECONDS, read_only=read_only), _LONGEST_SECONDS).seat()


def moment(folder: Path, now: float) -> float:
    """The moment at which all that is kept ends: `now` the first time, the same again on later runs."""
    kept = folder / "reference.json"
    if not kept.exists():
        kept.write_text(json.dumps({"until": now // 3600 * 3600}))
    return float(json.loads(kept.read_text())["until"])
