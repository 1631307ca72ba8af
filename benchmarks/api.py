"""The query API before the reference database: each address asked first, and fifty clients at once."""

from __future__ import annotations

import http.client
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import yaml
from psycopg.conninfo import make_conninfo

from api import tokens
from api.catalogue.endpoints import ENDPOINTS, Endpoint, Role
from benchmarks import reference
from benchmarks.measure import Bar, Measure, median, p99
from benchmarks.program import started
from benchmarks.run import Run, free_port
from exporters.database.roles import Role as Login

CLIENTS, DAYS = 50, 30
_ANSWER = Bar(200.0)
_SECONDS = 60.0


@dataclass(frozen=True)
class _Api:
    """A server, and a token for each client: the rate of one is not what is measured."""

    port: int
    tokens: list[str]

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)

    def asked(self, connection: http.client.HTTPConnection, path: str, number: int = 0) -> tuple[int, float]:
        """The status of an answer, and the milliseconds until it was there whole."""
        began = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.tokens[number]}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, (time.perf_counter() - began) * 1e3


@dataclass
class _Taken:
    milliseconds: list[float] = field(default_factory=list)
    errors: int = 0


def measure(run: Run) -> Iterator[Measure]:
    """What is asked for the first time, part by part and whole; and many clients that ask what others asked already."""
    until = datetime.fromtimestamp(reference.moment(run.folder, time.time()), UTC)
    with _served(run, reference.database(run, until.timestamp())) as api:
        connection = api.connection()
        parts = [
            (f"{endpoint.path} {query.key}", _address(endpoint, until, part=query.key))
            for endpoint in ENDPOINTS
            for query in endpoint.of(Role.ADMIN)
            if not query.needs
        ]
        first = {name: _good(api, connection, address) for name, address in parts}
        slowest = max(first, key=lambda name: first[name])
        yield median("a part that nobody asked for before", list(first.values()), bar=_ANSWER)
        yield Measure(f"the slowest of {len(first)}: {slowest}", first[slowest], "ms", _ANSWER)
        other = until - timedelta(days=1)
        plain = [endpoint for endpoint in ENDPOINTS if not endpoint.needs]
        whole = {endpoint.path: _good(api, connection, _address(endpoint, other)) for endpoint in plain}
        slowest = max(whole, key=lambda path: whole[path])
        yield median("a whole address that nobody asked for before", list(whole.values()), bar=_ANSWER)
        yield Measure(f"the slowest of {len(whole)}: {slowest}", whole[slowest], "ms", _ANSWER)
        yield from _crowd(api, [_address(endpoint, until) for endpoint in plain], run.scale.longest)


def _good(api: _Api, connection: http.client.HTTPConnection, address: str) -> float:
    status, milliseconds = api.asked(connection, address)
    assert status == 200, f"{address} answers {status}"
    return milliseconds


def _address(endpoint: Endpoint, until: datetime, **more: str) -> str:
    """With a range where one acts: an address without refuses it."""
    range_ = {"end_date": until.isoformat(), "days": str(DAYS)} if endpoint.ranged else {}
    return f"{endpoint.path}?{urlencode(range_ | more)}"


def _crowd(api: _Api, addresses: list[str], seconds: float) -> Iterator[Measure]:
    """Clients that ask one thing after the other, each in an order of its own."""
    end = time.monotonic() + seconds
    taken = [_Taken() for _ in range(CLIENTS)]

    def client(number: int) -> None:
        order, connection = random.Random(number), api.connection()
        while time.monotonic() < end:
            try:
                status, milliseconds = api.asked(connection, order.choice(addresses), number)
            except (OSError, http.client.HTTPException):
                status, milliseconds = 0, 0.0
                connection.close()
            taken[number].errors += status != 200
            taken[number].milliseconds.append(milliseconds)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [one for client_ in taken for one in client_.milliseconds]
    yield Measure(f"answers in a second to {CLIENTS} clients", len(every) / seconds, "1/s")
    yield p99(f"an answer to one of {CLIENTS} clients, 99th percentile", every, bar=_ANSWER)
    yield Measure("answers that were errors", float(sum(one.errors for one in taken)), "", Bar(0.0))


@contextmanager
def _served(run: Run, dsn: str) -> Iterator[_Api]:
    folder = run.folder / "api"
    folder.mkdir(exist_ok=True)
    made = [tokens.made(tokens.Caller(f"bench-{number}", Role.ADMIN)) for number in range(CLIENTS)]
    tokens.write(folder / "tokens", [kept for _, kept in made])
    _secret(folder / "dsn", make_conninfo(dsn, options=f"-c role={Login.GRAFANA_ADMIN}"))
    port = free_port()
    limits = {"rate": 100_000, "burst": 10_000}
    settings = {
        "listen": f"127.0.0.1:{port}", "tokens_file": str(folder / "tokens"), "dsn_files": {"admin": str(folder / "dsn")},
        "limits": limits,
    }  # fmt: skip
    (folder / "observatory.yaml").write_text(yaml.safe_dump({"api": settings}))
    program = (sys.executable, "-c", "from provisioning.cli import main; main()")
    command = [*program, "api", "--config", str(folder / "observatory.yaml")]
    with started(command, f"http://127.0.0.1:{port}/healthz", folder / "log", {}):
        yield _Api(port, [shown for shown, _ in made])


def _secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
