"""What can be wrong with Langfuse, as a table: what the exporter shows meanwhile, and that nothing is lost when it is over.

A real exporter but for its sockets (scheduler, collector, page) reads the stand-in, which fails on demand, with a ledger and
without one. Both go by one clock that only the test moves, so pauses of minutes take no time.
"""

from __future__ import annotations

import gc
import json
import logging
import re
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from contract.data_plane import Exporter
from contract.settings import Settings
from demo.langfuse.faults import Fault
from demo.langfuse.server import running
from demo.langfuse.standin import MODES, Keys, StandIn
from demo.langfuse.store import Store
from demo.world.observations import Observation, Score
from exporters.access import Access
from exporters.credentials import LangfuseAccess
from exporters.database.mapping import Mapping
from exporters.database.sharing import SharedSession
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.ledger_collector import LedgerCollector
from exporters.langfuse.request_budget import RequestBudget
from exporters.langfuse.transport import Timeouts
from exporters.langfuse.windows import WindowsCollector
from exporters.logs import LOG, KeyValueFormatter
from exporters.pages import Pages
from exporters.publication import Publication
from exporters.scheduler import Scheduler
from exporters.server import Request

BEGIN = datetime(2026, 2, 26, 12, 0, 30, tzinfo=UTC).timestamp()
KEYS = Keys("pk-lf-of-the-test", "sk-lf-of-the-test")
MAX_AGE = 300.0
USUAL, SHORT = Timeouts(30.0, 30.0, 0.0), Timeouts(30.0, 0.3, 0.0)
"""How long answers are waited for: shortly only where none is to come, for on a busy machine one that comes takes its time."""
_LINE = re.compile(r"^(?P<series>[a-z_]+(\{.*\})?) (?P<value>\S+)$")


@dataclass(frozen=True)
class Row:
    """A fault and what is seen of it. `code` is how its requests are counted, `said` what the one line of the log says.

    `attempts`: requests of the first failing run at least. `silent`: seconds without any request after it, at least.
    """

    fault: Fault
    code: str
    said: str
    attempts: int = 1
    silent: float = 1.9


def _lasting(kind: Any, seconds: float = 1.0) -> Fault:
    return Fault(kind=kind, times=None, seconds=seconds)


TABLE = {
    "401": Row(_lasting("unauthorized"), "401", r"the keys are not accepted \(401", silent=301),
    "403": Row(_lasting("forbidden"), "4xx", r"the keys may not read .*\(403"),
    "404": Row(_lasting("not_found"), "4xx", "are not served; is it Langfuse"),
    "404 HTML": Row(_lasting("html"), "4xx", "are not served; is it Langfuse"),
    "422": Row(_lasting("timeout"), "4xx", r"refused \(422\): Your query could not be completed"),
    "429": Row(_lasting("rate_limited", 240), "429", "too many requests .*asked to wait 240 s", silent=239),
    "500": Row(_lasting("error"), "5xx", "server error 500: Internal Server Error", attempts=3),
    "502 HTML": Row(_lasting("bad_gateway"), "5xx", "server error 502: a body of text/html", attempts=3),
    "503": Row(_lasting("unavailable"), "5xx", "server error 503: Service Unavailable", attempts=3),
    "truncated JSON": Row(_lasting("truncated"), "body", "the answer is not the JSON that was expected"),
    "30 s of silence": Row(_lasting("slow", 30), "timeout", r"no answer from http://127\.0\.0\.1:\d+ within 0\.3 s"),
    "connection reset": Row(_lasting("reset"), "connection", r"no connection to .*: Connection reset by peer", attempts=3),
    "answer cut off": Row(_lasting("drop"), "connection", r"no connection to http://127\.0\.0\.1:\d+: ", attempts=3),
}


def call(name: str, begun: float, cost: float = 0.25) -> Observation:
    """A call of two seconds with 120 tokens."""
    usage = {"input": 100, "output": 20, "total": 120}
    return Observation(
        name, f"t-{name}", None, "GENERATION", "call", "DEFAULT", None, begun, begun + 2.0, begun + 0.5, "gpt-x", usage,
        {"input": cost / 2, "output": cost / 2, "total": cost}, None, None, None, None, None, (), "production", None, None,
    )  # fmt: skip


class Lines(logging.Handler):
    """What the exporter's log says, as it is printed."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(KeyValueFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def taken(self) -> list[str]:
        """The lines since the last time."""
        found, self.lines = self.lines, []
        return found


@dataclass
class Bench:
    """An exporter and a Langfuse. `now` is everybody's clock; `shared` is the database of the ledger, if there is one."""

    mode: str
    shared: SharedSession | None
    now: float = BEGIN
    log: Lines = field(default_factory=Lines)

    def open(self, url: str, standin: StandIn, settings: Settings) -> None:
        self.standin = standin
        self.client = client = LangfuseClient(
            lambda: LangfuseAccess(url, KEYS.public, KEYS.secret),
            RequestBudget("self-hosted", self.clock),
            USUAL,
            pause=lambda _: None,
            timer=self.clock,
        )
        self.collector = (
            WindowsCollector(settings, client)
            if self.shared is None
            else LedgerCollector(settings, client, self.shared.seat(), Mapping.of(settings), lambda _: None)
        )
        self.scheduler = Scheduler([self.collector], lambda: self.publication.refresh(), self.clock, self.clock, lambda: 0.5)
        self.publication = Publication([self.collector], self.clock, about=self.scheduler.figures)
        self.pages = Pages(Access(Exporter()), self.scheduler, self.publication)

    def clock(self) -> float:
        return self.now

    def fail(self, fault: Fault) -> None:
        """From now on, until all is well again."""
        self.client._transport._timeouts = SHORT if fault.kind == "slow" else USUAL
        self.standin.faults.add(fault)

    def mend(self) -> None:
        self.client._transport._timeouts = USUAL
        self.standin.faults.clear()

    def happen(self, *names: str) -> None:
        """Calls that ended a minute ago, each with a score."""
        begun = self.now - 62.0
        given = [Score(f"s-{n}", f"t-{n}", None, "good", "EVAL", "NUMERIC", 0.5, None, begun + 2, "production") for n in names]
        self.standin.store.insert([call(name, begun) for name in names], given)

    @property
    def runs(self) -> int:
        return self.scheduler.standings["langfuse"].runs

    @property
    def pause(self) -> float:
        """Seconds until the next run."""
        return self.scheduler.standings["langfuse"].due - self.now

    def run(self) -> None:
        """Lets time pass until the collector is due, and runs it."""
        if self.shared is not None:  # the database's own clock, which does not move, keeps exporters from asking all at once
            with self.shared.seat().transaction() as connection:
                connection.execute("UPDATE analytics.sync_state SET asked_at = NULL")
        ran = self.runs
        self.now += max(0.0, self.pause) + 0.001

        def stepped() -> bool:  # the collector's own thread may not have finished with the run before
            self.scheduler.step(self.collector)
            return self.runs > ran

        until(stepped)

    def page(self) -> dict[str, float]:
        """The figures of /metrics as they are now."""
        self.publication.refresh()
        found = (_LINE.match(line) for line in self.get("/metrics")[1].splitlines() if not line.startswith("#"))
        return {match["series"]: float(match["value"]) for match in found if match}

    def get(self, path: str) -> tuple[int, str]:
        answer = self.pages.answer(Request("GET", path, {}))
        return int(answer.status), answer.body.decode()

    def requests(self, code: str = "") -> float:
        """Requests so far, of all codes or of one."""
        return total(self.page(), "exporter_api_requests_total", f'code="{code}"' if code else "")

    def told(self) -> float:
        """How many calls the page tells of."""
        return total(self.page(), "langfuse_window_calls", 'window="24h"')

    def true(self) -> int:
        """How many calls Langfuse has."""
        return len(self._theirs("observations"))

    def _theirs(self, table: str) -> list[str]:
        rows = self.standin.store.select(f"SELECT id FROM {table} ORDER BY id", {})
        return [row["id"] for row in rows]

    def hold_ledger_against_langfuse(self) -> None:
        """Every call and score once, the counters what they add up to."""
        if self.shared is None:
            return
        with psycopg.connect(self.shared.session._dsn()) as connection:
            kept = connection.execute("SELECT observation_id, total_tokens, total_cost_usd::float8 FROM analytics.llm_calls")
            assert sorted(kept.fetchall()) == [(name, 120, 0.25) for name in self._theirs("observations")]
            scores = connection.execute("SELECT score_id, value FROM analytics.llm_scores").fetchall()
            assert sorted(scores) == [(name, 0.5) for name in self._theirs("scores")]
        page, n = self.page(), self.true()
        assert total(page, "langfuse_generations_total") == total(page, "langfuse_scores_total") == n
        assert total(page, "langfuse_tokens_total") == 120 * n
        assert total(page, "langfuse_cost_usd_total") == 0.25 * n
        assert total(page, "langfuse_ledger_corrections_total") == 0


def total(page: dict[str, float], name: str, labels: str = "") -> float:
    return sum(value for series, value in page.items() if series.startswith(name + "{") and labels in series)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


@contextmanager
def opened(mode: str, shared: SharedSession | None) -> Iterator[Bench]:
    """An exporter that has told of two calls."""
    bench, store = Bench(mode, shared), Store(":memory:")
    standin = StandIn(store, MODES[mode], KEYS, bench.clock)
    LOG.addHandler(bench.log)
    level, propagate = LOG.level, LOG.propagate
    LOG.setLevel(logging.INFO)
    LOG.propagate = False  # else pytest keeps every line, which the memory would show
    try:
        with running(standin) as url:
            bench.open(url, standin, Settings.model_validate({"exporter": {"max_age": f"{MAX_AGE:.0f}s"}}))
            bench.scheduler.start()
            bench.publication.start()
            until(lambda: bench.scheduler.ready)
            bench.run()
            bench.run()
            bench.happen("before-1", "before-2")
            bench.run()
            bench.log.taken()
            yield bench
            bench.publication.stop()
            bench.scheduler.stop()
            bench.collector.close()
    finally:
        LOG.removeHandler(bench.log)
        LOG.setLevel(level)
        LOG.propagate = propagate
        store.close()


UP, AS_OF = 'exporter_source_up{source="langfuse"}', 'exporter_source_data_timestamp_seconds{source="langfuse"}'
WELL = "exporter_query_success"
RUNS = 4
"""Failed runs of each kind, over which memory is held to what it was."""


def _about(bench: Bench, name: str) -> list[float]:
    return [value for series, value in bench.page().items() if series.startswith(name + "{")]


def _event(line: str) -> str:
    """What a line says, but when it was said and how much of something it is about."""
    return re.sub("[0-9]+", "#", line.partition(" ")[2])


def _readiness(bench: Bench) -> dict[str, Any]:
    status, text = bench.get("/readyz")
    assert status == 200, "a source that is down is no reason to send nobody here any more"
    found: dict[str, Any] = json.loads(text)["collectors"]["langfuse"]
    return found


@pytest.fixture(params=["ledger of v4", "ledger of v3", "windows of v4"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    kind, _, mode = request.param.partition(" of ")
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # faults are asked for, and pytest keeps what is logged
    with opened(mode, request.getfixturevalue("shared") if kind == "ledger" else None) as found:
        yield found


@pytest.mark.parametrize("name", list(TABLE))
def test_what_is_seen_of_a_fault_and_that_nothing_is_lost(name: str, bench: Bench) -> None:
    row = TABLE[name]
    # before
    before = bench.page()
    assert before[UP] == 1 and set(_about(bench, WELL)) == {1}
    assert bench.told() == bench.true() == 2
    asked, of_code = bench.requests(), bench.requests(row.code)

    # its first run
    bench.fail(row.fault)
    bench.run()
    begun = bench.now
    during = bench.page()
    assert during[UP] == 0
    assert set(_about(bench, WELL)) <= {0, 1} and 0 in _about(bench, WELL)
    assert bench.requests(row.code) - of_code >= row.attempts
    assert bench.told() == 2, "the last good figures"
    assert during[AS_OF] == before[AS_OF], "and they say of when they are"
    lines = bench.log.taken()
    (down,) = [line for line in lines if 'event="source is down"' in line]
    assert re.search(row.said, down)
    standing = _readiness(bench)
    assert (standing["state"], standing["failures"]) == ("down", 1)
    assert re.search(row.said, standing["reason"].replace('\\"', '"'))
    assert bench.get("/healthz") == (200, "ok\n")

    # left alone as long as it asked for, and life goes on meanwhile
    asked = bench.requests()
    assert bench.pause >= row.silent
    bench.now += row.silent
    bench.scheduler.step(bench.collector)
    assert bench.requests() == asked
    bench.happen("during-1", "during-2", "during-3")

    # it lasts: nothing more is said, pauses grow to a bound, and old figures go
    for _ in range(2):
        bench.run()
    while bench.now < begun + MAX_AGE:
        bench.run()
        assert bench.pause <= max(66.0, row.silent + 10)
    assert bench.told() == 0, "figures older than max_age are not shown"
    assert bench.page()[UP] == 0
    lines += bench.log.taken()
    assert len(set(map(_event, lines))) == len(lines), "nothing is said twice"
    for line in lines:
        assert "level=warning" in line and "\n" not in line and "Traceback" not in line
        assert KEYS.secret not in line and KEYS.public not in line
    assert bench.get("/healthz") == (200, "ok\n")

    # after
    bench.mend()
    bench.run()
    assert bench.page()[UP] == 1
    assert set(_about(bench, WELL)) == {1}
    assert bench.told() == bench.true() == 5
    bench.hold_ledger_against_langfuse()
    assert _readiness(bench)["state"] == "up"
    (back,) = [line for line in bench.log.taken() if 'event="source is back"' in line]
    assert "source=langfuse" in back


def test_a_server_whose_clock_is_an_hour_ahead_changes_nothing(bench: Bench) -> None:
    bench.fail(_lasting("clock", 3600))
    bench.happen("during-1")
    bench.run()
    assert bench.page()[UP] == 1 and set(_about(bench, WELL)) == {1}
    assert bench.told() == bench.true() == 3
    bench.hold_ledger_against_langfuse()
    assert bench.pause <= 66
    assert bench.log.taken() == []


@pytest.mark.parametrize("bench", ["ledger of v4", "windows of v4"], indirect=True)
def test_faults_leave_nothing_behind_in_memory(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def suffer(runs: int) -> None:
        for row in TABLE.values():
            bench.fail(row.fault)
            for _ in range(runs):
                bench.run()
                bench.page()
            bench.mend()
        bench.run()
        bench.log.taken()

    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    def memory() -> int:
        urlsplit.cache_clear()  # the last addresses are kept there, and what was logged by pytest
        caplog.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    suffer(1)
    files, threads = held()
    tracemalloc.start()
    try:
        suffer(1)
        before = memory()
        suffer(RUNS)
        after = memory()
    finally:
        tracemalloc.stop()
    failures = RUNS * len(TABLE)
    assert after - before < failures * 2048, f"{(after - before) / failures:.0f} bytes stay of each failed run"
    until(lambda: held()[0] <= files and held()[1] <= threads)  # the stand-in's side of a broken connection ends by itself
    bench.hold_ledger_against_langfuse()
