"""When collectors run, how long they wait after failures, and that none holds up another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from contract.metrics import Source
from exporters.journal import LONGEST_WAIT, Answer, Journal, QueryFailed, SourceDown
from exporters.negotiation import TEXT
from exporters.publication import Publication
from exporters.scheduler import LONGEST_RETRY, Scheduler, pause
from exporters.snapshot import Sample, Snapshot, sample


class Time:
    """A clock that only moves when it is told to."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Scripted:
    """A collector that does what the test says. Its figure is the number of its runs."""

    def __init__(self, name: str, metric: str, interval: float = 60.0) -> None:
        self.name, self._metric = name, metric
        self.interval, self.timeout, self.max_age = interval, 30.0, 900.0
        self.snapshot: Snapshot | None = None
        self.behave: Callable[[], None] = lambda: None
        self.runs: list[float] = []
        self.aborted = threading.Event()
        self._journal = Journal(name, Source.POSTGRES, ["figure"])

    def collect(self, now: float) -> None:
        self.runs.append(now)
        self._journal.begin()
        up = False
        try:
            self.behave()
            self._journal.ask("figure", now, lambda: Answer((sample(self._metric, "x", value=len(self.runs)),), 1))
            up = True
        finally:
            self.snapshot = self._journal.snapshot(up)

    def abort(self) -> None:
        self.aborted.set()

    def close(self) -> None:
        self.aborted.set()

    def without_secrets(self, text: str) -> str:
        return text.replace("s3cret", "***")


def down(retry_after: float = 0.0) -> Callable[[], None]:
    def fail() -> None:
        raise SourceDown("nobody answers", retry_after)

    return fail


def page_lines(publication: Publication) -> dict[str, str]:
    publication.refresh()
    lines = (line for line in publication.page.plain(TEXT).decode().splitlines() if not line.startswith("#"))
    return {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in lines}


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


def test_pauses_double_after_failures_up_to_a_bound() -> None:
    middle = 0.5  # of the jitter
    assert [pause(15, n, 0, middle) for n in range(8)] == [15, 2, 4, 8, 16, 32, 60, 60]
    assert pause(4800, 40, 0, middle) == 4800, "a long interval is its own bound"
    assert pause(15, 1, 310, middle) == 310, "a source may ask for more"
    assert pause(15, 1, 99999999999, middle) == pause(1e300, 0, 0, middle) == LONGEST_WAIT, "but not for ever"
    assert pause(100, 0, 0, 0.0) == 95
    assert pause(100, 0, 0, 1.0) == 105


def test_a_collector_runs_on_its_interval_and_backs_off_when_its_source_is_down() -> None:
    now = Time()
    collector = Scripted("postgres", "platform_users")
    gathered: list[float] = []
    scheduler = Scheduler([collector], lambda: gathered.append(now()), now, now, lambda: 0.5)
    assert not scheduler.ready
    assert scheduler.step(collector) == 60
    assert scheduler.ready
    now.now += 59
    assert scheduler.step(collector) == 1
    collector.behave = down()
    now.now += 1
    waits = []
    for _ in range(7):
        wait = scheduler.step(collector)
        waits.append(wait)
        now.now += wait
    assert waits == [2, 4, 8, 16, 32, LONGEST_RETRY, LONGEST_RETRY]
    standing = scheduler.standings["postgres"]
    assert (standing.failures, standing.reason, standing.last_success) == (7, "nobody answers", 1_000_000.0)
    collector.behave = lambda: None
    assert scheduler.step(collector) == 60
    assert scheduler.standings["postgres"].failures == 0
    assert len(collector.runs) == len(gathered) == 9


def test_ready_means_that_the_first_runs_are_on_the_page() -> None:
    now = Time()
    one, other = Scripted("postgres", "platform_users"), Scripted("langfuse", "langfuse_calls")
    ready_while_gathering: list[bool] = []
    scheduler = Scheduler([one, other], lambda: ready_while_gathering.append(scheduler.ready), now, now, lambda: 0.5)
    scheduler.step(one)
    assert not scheduler.ready
    scheduler.step(other)
    assert scheduler.ready
    assert ready_while_gathering == [False, False]


def test_a_source_that_asks_to_be_left_alone_is() -> None:
    now = Time()
    collector = Scripted("postgres", "platform_users")
    collector.behave = down(retry_after=310.0)
    scheduler = Scheduler([collector], lambda: None, now, now, lambda: 0.5)
    assert scheduler.step(collector) == 310
    now.now += 309
    scheduler.step(collector)
    assert len(collector.runs) == 1


def test_last_good_values_stay_until_they_are_too_old_and_others_are_not_touched() -> None:
    now = Time()
    failing, well = Scripted("one", "platform_users"), Scripted("two", "platform_documents")
    publication = Publication([failing, well], now)
    scheduler = Scheduler([failing, well], publication.refresh, now, now, lambda: 0.5)
    for collector in (failing, well):
        scheduler.step(collector)
    failing.behave = down()

    def tick(seconds: float) -> dict[str, str]:
        now.now += seconds
        for collector in (failing, well):
            scheduler.step(collector)
        return page_lines(publication)

    lines = tick(60)
    assert lines['platform_users{role="x"}'] == "1.0"
    assert lines['exporter_source_up{source="one"}'] == "0.0"
    assert lines['exporter_source_up{source="two"}'] == "1.0"
    assert lines['exporter_query_success{query="figure",source="one"}'] == "0.0"
    assert lines['platform_documents{status="x"}'] == "2.0"
    lines = tick(840)
    assert lines['platform_users{role="x"}'] == "1.0", "900 s old: still served"
    lines = tick(1)
    assert 'platform_users{role="x"}' not in lines, "901 s old: gone"
    assert float(lines['exporter_source_data_timestamp_seconds{source="one"}']) == 1_000_000.0, "and its age goes on growing"
    assert lines['platform_documents{status="x"}'] == "3.0"
    failing.behave = lambda: None
    assert tick(60)['platform_users{role="x"}'] == f"{float(len(failing.runs))}"


def test_a_bug_in_a_collector_ends_neither_its_thread_nor_the_page(caplog: pytest.LogCaptureFixture) -> None:
    now = Time()
    broken, well = Scripted("one", "platform_users"), Scripted("two", "platform_documents")

    def stumble() -> None:
        raise ZeroDivisionError

    broken.behave = stumble
    publication = Publication([broken, well], now)
    scheduler = Scheduler([broken, well], publication.refresh, now, now, lambda: 0.5)
    with caplog.at_level(logging.ERROR, "observatory.exporter"):
        assert scheduler.step(broken) == 2
    assert scheduler.standings["one"].reason == "unexpected ZeroDivisionError"
    scheduler.step(well)
    assert page_lines(publication)['platform_documents{status="x"}'] == "1.0"
    assert page_lines(publication)['exporter_source_up{source="one"}'] == "0.0"


@pytest.mark.parametrize(
    "error", [OverflowError("timestamp\nout of range, s3cret"), SystemExit("timestamp out of range, s3cret")]
)
def test_no_exception_ends_a_thread_and_each_is_said_once(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    now = Time()
    broken = Scripted("one", "platform_users")

    def stumble() -> None:
        raise error

    broken.behave = stumble
    scheduler = Scheduler([broken], lambda: None, now, now, lambda: 0.5)
    with caplog.at_level(logging.WARNING, "observatory.exporter"):
        for wait in (2, 4, 8):
            assert scheduler.step(broken) == wait
            now.now += wait
    reason = f"unexpected {type(error).__name__}: timestamp out of range, ***"
    assert (scheduler.standings["one"].failures, scheduler.standings["one"].reason) == (3, reason)
    said = [record.__dict__["pairs"]["problem"] for record in caplog.records if record.levelno == logging.ERROR]
    assert said == [reason]
    assert "s3cret" not in str([record.__dict__["pairs"] for record in caplog.records])


def test_threads_outlive_endless_waits_and_a_page_that_cannot_be_made(caplog: pytest.LogCaptureFixture) -> None:
    refused, slow = (Scripted(name, "platform_users", 0.01) for name in ("refused", "slow"))
    refused.behave = down(retry_after=99999999999.0)
    slow.timeout = slow.interval = 1e11

    begun = threading.Event()

    def about() -> Iterator[Sample]:
        yield sample("exporter_scrapes_refused_total", value=1)
        if begun.is_set():
            raise MemoryError("no page")

    publication = Publication([refused, slow], about=about)
    before = publication.page
    begun.set()
    scheduler = Scheduler([refused, slow], publication.refresh)
    with caplog.at_level(logging.ERROR, "observatory.exporter"):
        scheduler.start()
        publication.start()
        try:
            until(lambda: scheduler.ready)
            for thread in scheduler._threads:
                thread.join(0.1)
            assert scheduler.alive
            assert publication.alive
            assert scheduler.standings["slow"].reason == ""
            assert publication.page is before
        finally:
            scheduler.stop()
            publication.stop()
    assert [record.__dict__["pairs"]["problem"] for record in caplog.records] == ["MemoryError: no page"]


def test_a_hanging_collector_is_broken_off_and_holds_up_nobody() -> None:
    hanging, well = Scripted("one", "platform_users", 0.01), Scripted("two", "platform_documents", 0.01)
    hanging.timeout = 0.05
    release = threading.Event()

    def hang() -> None:
        release.wait(10)
        raise SourceDown("broken off")

    hanging.behave = hang
    scheduler = Scheduler([hanging, well], lambda: None)
    scheduler.start()
    try:
        until(hanging.aborted.is_set)
        until(lambda: len(well.runs) >= 3)
        assert len(hanging.runs) == 1, "one run at a time"
        assert not scheduler.ready
        assert scheduler.alive
        release.set()
        until(lambda: scheduler.ready)
        assert scheduler.standings["one"].reason == "broken off"
    finally:
        release.set()
        scheduler.stop()
    assert not scheduler.alive


def test_a_run_that_is_broken_off_at_the_end_is_no_fault_of_its_source(caplog: pytest.LogCaptureFixture) -> None:
    collector = Scripted("one", "platform_users", 0.01)

    def hang() -> None:
        assert collector.aborted.wait(10)
        raise SourceDown("broken off")

    collector.behave = hang
    scheduler = Scheduler([collector], lambda: None)
    with caplog.at_level(logging.WARNING, "observatory.exporter"):
        scheduler.start()
        until(lambda: bool(collector.runs))
        scheduler.stop()
    assert not scheduler.alive
    assert scheduler.standings["one"].reason == "broken off"
    assert caplog.records == []


def test_one_step_at_a_time() -> None:
    collector = Scripted("one", "platform_users")
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        release.wait(10)

    collector.behave = hold
    scheduler = Scheduler([collector], lambda: None)
    thread = threading.Thread(target=scheduler.step, args=(collector,))
    thread.start()
    assert entered.wait(5)
    scheduler.step(collector)
    release.set()
    thread.join()
    assert len(collector.runs) == 1


def test_the_journal_counts_and_says_a_problem_once(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal("postgres", Source.POSTGRES, ["a", "b"])

    def missing() -> Answer:
        raise QueryFailed('relation "app.users" does not exist')

    with caplog.at_level(logging.INFO, "observatory.exporter"):
        for at in (10.0, 20.0, 30.0):
            journal.begin()
            assert journal.ask("a", at, missing) is False
            assert journal.ask("b", at, lambda: Answer((sample("platform_users", "x", value=1),), 7, truncated=True)) is True
        journal.begin()
        assert journal.ask("a", 40.0, lambda: Answer((), 0)) is True
    said = [record.__dict__["pairs"] for record in caplog.records]
    assert [(item["query"], item.get("problem", "well")) for item in said] == [
        ("a", 'relation "app.users" does not exist'),
        ("b", "the answer was cut at the row limit"),
        ("a", "well"),
    ]
    about = {(item.metric.name, item.labels): item.value for item in journal.snapshot(True).about}
    assert about["exporter_query_success", ("postgres", "a")] == 1
    assert about["exporter_query_success", ("postgres", "b")] == 0, "this run has not asked it"
    assert about["exporter_truncated_results_total", ("postgres", "b")] == 3
    assert about["exporter_query_rows", ("postgres", "b")] == 7
    assert about["exporter_query_last_success_timestamp_seconds", ("postgres", "b")] == 30
