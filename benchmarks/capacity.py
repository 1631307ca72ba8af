"""What `observatory capacity` predicts, against pages that are counted, an exporter that runs, and a Prometheus that scrapes.

The platform's pages are made once and served as they are; the exporter has a database with as many agents. The largest is
scraped every 60 s, as such a site would do it.
"""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import requests
import yaml

from benchmarks import data, ours
from benchmarks.fleet_pages import ENVIRONMENTS, agents, registry
from benchmarks.measure import Bar, Measure
from benchmarks.program import ProgramError
from benchmarks.run import Run
from contract.catalogue import series_catalogue
from contract.metrics import Source
from contract.settings import Settings
from demo.platform.exposition import CONTENT_TYPE, render
from provisioning.capacity.fleet import Fleet
from provisioning.capacity.series import scraped
from provisioning.rules.server import Workshop, serving

_OFF = Bar(20.0)
_SCRAPES = 3
_PATIENCE = 60.0
"""Seconds beyond the scrapes themselves."""
_EXECUTIONS = {10: 50_000, 100: 100_000, 1000: 300_000}
_VERSIONS = 3
_COUNTED = b"platform_executions_total{"


def measure(run: Run) -> Iterator[Measure]:
    """For 10, 100 and 1,000 agents; the tiny run takes the first only."""
    sizes = (10, 100, 1000) if run.scale.agents > 10 else (10,)
    for number in sizes:
        yield from _platform(run, number, 60 if number == 1000 else 2)
        yield from _exporter(run, number)


def _platform(run: Run, number: int, interval: int) -> Iterator[Measure]:
    made = registry(agents(number))
    page = gzip.compress(render(made), 1)
    count = len(made.series) * len(ENVIRONMENTS)
    predicted = sum(one.series for one in scraped(Fleet(agents=number), Source.PLATFORM, Settings()))
    del made
    run.say(f"{number:,} agents: {count:,} series, {len(page) / 1e6:.1f} MB a page, compressed")
    yield Measure(f"platform of {number:,} agents: series", count, "", peer=predicted, against="predicted")
    yield Measure("the prediction is off by", abs(100 * (predicted / count - 1)), "%", _OFF)
    with TemporaryDirectory(dir=run.folder, prefix="capacity-") as name, _served(page) as address:
        folder = Path(name)
        with serving(folder, folder / "data", "--web.enable-lifecycle") as url:
            before = _own(url)["process_resident_memory_bytes"]
            _scrape(url, folder, address, interval)
            found = _waited(url, count, interval)
            memory = (found["process_resident_memory_bytes"] - before) / count
            seconds = max(
                float(one["value"][1]) for one in Workshop(url).instant("scrape_duration_seconds", time.time())["result"]
            )
    head = f"Prometheus after {_SCRAPES} scrapes, one every {interval} s"
    yield Measure(f"{head}: memory a series", memory, "bytes")
    yield Measure(f"{head}: slowest scrape", seconds, "s", Bar(float(interval)))


def _scrape(url: str, folder: Path, address: str, interval: int) -> None:
    targets = [{"targets": [address], "labels": {"environment": name, "__metrics_path__": f"/{name}"}} for name in ENVIRONMENTS]
    job = {"job_name": "platform", "static_configs": targets}
    times = {"scrape_interval": f"{interval}s", "scrape_timeout": f"{interval}s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"global": times, "scrape_configs": [job]}))
    answer = requests.post(f"{url}/-/reload", timeout=60)
    if answer.status_code != 200:
        raise ProgramError(f"Prometheus does not take its configuration: {answer.text.strip()}")


def _waited(url: str, count: int, interval: int) -> Mapping[str, float]:
    """Prometheus' own figures after every target was scraped so often. Raises ProgramError when that takes too long."""
    server, end = Workshop(url), time.monotonic() + _SCRAPES * interval + _PATIENCE + interval
    while time.monotonic() < end:
        found = server.instant(f"count_over_time(up[{_SCRAPES * interval + 120}s])", time.time())["result"]
        if len(found) == len(ENVIRONMENTS) and all(float(one["value"][1]) >= _SCRAPES for one in found):
            own = _own(url)
            if own["prometheus_tsdb_head_series"] < count:
                raise ProgramError(f"Prometheus has {own['prometheus_tsdb_head_series']:,.0f} of {count:,} series")
            return own
        time.sleep(1.0)
    raise ProgramError(f"Prometheus did not scrape {_SCRAPES} times in time")


def _own(url: str) -> dict[str, float]:
    """What Prometheus says of itself, without labels."""
    page = requests.get(f"{url}/metrics", timeout=60).text
    lines = (line.split(" ") for line in page.splitlines() if line and line[0] != "#" and "{" not in line)
    return {name: float(value) for name, value in lines}


@contextmanager
def _served(page: bytes) -> Iterator[str]:
    """The address, as host and port, of a server with this page at every path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: Any) -> None:
            """Nobody looks."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _exporter(run: Run, number: int) -> Iterator[Measure]:
    """What the exporter serves of a database with so many agents. Metrics of tables that are empty there are left out.

    What is predicted is what there is once everything has happened to every agent: the most, which young databases have not.
    """
    name = f"capacity_{number}"
    dsn = data.database_of(run.dsn(), name)
    with psycopg.connect(run.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
    executions = _EXECUTIONS[number] if run.scale.agents > 10 else run.scale.rows
    with psycopg.connect(dsn, autocommit=True) as connection:
        data.fill(connection, executions, datetime.now(UTC), lambda _: None, number)
    ours.install(dsn)
    with ours.counting(dsn) as counting:
        counting.backfill()
    with ours.exporter(run.folder, dsn) as exporter:
        end = time.monotonic() + _PATIENCE
        while _COUNTED not in (page := exporter.scrape()[0]):
            if time.monotonic() > end:
                raise ProgramError("the exporter shows no counted execution")
            time.sleep(0.5)
        memory = exporter.memory_mb()
    with psycopg.connect(run.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    names = (line.partition(b"{")[0].partition(b" ")[0].decode() for line in page.splitlines() if line[:1] != b"#")
    found = Counter(series_catalogue()[one].name for one in names if one in series_catalogue())
    fleet = Fleet(agents=number, versions=_VERSIONS, exporters=1)
    predicted = {one.metric.name: one.series for one in scraped(fleet, Source.POSTGRES, Settings())}
    present = {metric for metric in found if metric in predicted}
    count, foretold = sum(found[metric] for metric in present), sum(predicted[metric] for metric in present)
    yield Measure(f"exporter with {number:,} agents: series", count, "", Bar(foretold), peer=foretold, against="predicted")
    yield Measure("memory of the exporter", memory, "MB")
    for metric in sorted(present, key=lambda one: -abs(predicted[one] - found[one]))[:3]:
        run.say(f"{metric}: {found[metric]:,}, predicted {predicted[metric]:,}")
