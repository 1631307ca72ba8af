"""How old live figures are: from the commit of a row until the exporter's page and the query API's stream show it."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import psycopg
import yaml
from psycopg.conninfo import make_conninfo

from api import tokens
from api.catalogue.endpoints import Role
from benchmarks import data, ours
from benchmarks.measure import Bar, Measure, percentile
from benchmarks.program import ProgramError, started
from benchmarks.run import Run, free_port
from exporters.database.roles import Role as Login

INTERVAL = "500ms"
"""The shortest that can be configured."""

_COMMITS, _MOST_SECONDS = 40, 30.0
_SECOND = Bar(1.0)
_BEGUN = """
    INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, start_time, status, tool_count, retry_count,
                                      api_calls_count, environment)
    VALUES (gen_random_uuid(), 1, 'alive', now(), 'in_progress', 0, 0, 0, 'production')
    """
_ENDED = _BEGUN.replace("start_time,", "start_time, end_time,").replace("now(), 'in_progress'", "now(), now(), 'success'")


def measure(run: Run) -> Iterator[Measure]:
    """Rows that are committed at odd moments, one after the other."""
    name, _ = data.template(run.dsn(), run.scale.small, run.say)
    with data.copy_of(run.dsn(), name) as dsn:
        ours.install(dsn)
        with ours.counting(dsn) as counting:
            counting.backfill()
        with ours.exporter(run.folder, dsn, INTERVAL) as exporter, psycopg.connect(dsn, autocommit=True) as connection:
            yield from _figures("on the exporter's page", _taken(connection, _ENDED, lambda: _counted(exporter.scrape()[0])))
            with _stream(run, dsn) as begun:
                yield from _figures("in the API's stream", _taken(connection, _BEGUN, begun))


def _figures(where: str, taken: list[float]) -> Iterator[Measure]:
    spread = (min(taken), max(taken))
    yield Measure(f"a commit is {where}, median", statistics.median(taken), "s", _SECOND, spread=spread)
    yield Measure(f"a commit is {where}, 95 of 100", percentile(taken, 0.95), "s", _SECOND)


def _taken(connection: psycopg.Connection, insert: str, shown: Callable[[], float]) -> list[float]:
    """Seconds of each commit. The first one, which waits for the start of what shows it, is left out."""
    taken, before = [], shown()
    for number in range(1, _COMMITS + 1):
        connection.execute(insert.encode())
        committed = time.monotonic()
        while shown() < before + number:
            if time.monotonic() > committed + _MOST_SECONDS:
                raise ProgramError(f"a row was not shown {_MOST_SECONDS:g} s after its commit")
            time.sleep(0.01)
        taken.append(time.monotonic() - committed)
        time.sleep(0.137 * (number % 7))  # so that commits fall anywhere between two cycles
    return taken[1:]


def _counted(page: bytes) -> float:
    """How many executions of the agent that this measurement invents are on the page."""
    lines = [line for line in page.splitlines() if line.startswith(b"platform_executions_total{") and b'"alive"' in line]
    return sum(float(line.rpartition(b" ")[2]) for line in lines)


@contextmanager
def _stream(run: Run, dsn: str) -> Iterator[Callable[[], float]]:
    """What the next event of the stream says of executions that run. Raises ProgramError when nothing comes."""
    folder = run.folder / "live"
    folder.mkdir(exist_ok=True)
    token, kept = tokens.made(tokens.Caller("bench", Role.BUSINESS))
    tokens.write(folder / "tokens", [kept])
    (folder / "dsn").touch(mode=0o600)
    (folder / "dsn").write_text(make_conninfo(dsn, options=f"-c role={Login.GRAFANA_BUSINESS}"))
    port = free_port()
    settings = {
        "listen": f"127.0.0.1:{port}", "tokens_file": str(folder / "tokens"), "dsn_files": {"business": str(folder / "dsn")},
    }  # fmt: skip
    (folder / "observatory.yaml").write_text(yaml.safe_dump({"api": settings}))
    command = [*ours.OBSERVATORY, "api", "--config", str(folder / "observatory.yaml")]
    with started(command, f"http://127.0.0.1:{port}/healthz", folder / "log", {}):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_MOST_SECONDS)
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        connection.request("GET", "/api/analytics/live", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise ProgramError(f"the API's stream answers {answer.status}; its log is {folder / 'log'}")
        try:
            yield lambda: running(answer)
        finally:
            connection.close()


def running(answer: IO[bytes]) -> float:
    """How many executions run, by the next event. Raises ProgramError when none comes."""
    try:
        while line := answer.readline():
            if line.startswith(b"data: "):
                return float(json.loads(line.removeprefix(b"data: "))["total"]["running"])
    except TimeoutError:
        pass
    raise ProgramError("the API's stream ended, or said nothing for too long")
