"""When the page is made anew, in which forms, and what stands on it."""

from __future__ import annotations

import gzip
import logging

import pytest

from contract.labels import OVERFLOW
from contract.metrics import Source
from exporters.journal import Answer, Journal
from exporters.negotiation import OPENMETRICS, TEXT
from exporters.publication import Publication
from exporters.scheduler import Scheduler
from exporters.snapshot import Figure, Reading, Snapshot, sample


class Standing:
    """A collector that only knows something."""

    interval, timeout, max_age = 60.0, 30.0, 900.0

    def __init__(self, name: str = "postgres", snapshot: Snapshot | None = None) -> None:
        self.name, self.snapshot = name, snapshot

    def collect(self, now: float) -> None:
        pass

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass

    def without_secrets(self, text: str) -> str:
        return text


class Time:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def users(count: float, as_of: float = 1_000_000.0) -> Snapshot:
    return Snapshot("postgres", (Reading("users", as_of, (sample("platform_users", "admin", value=count),)),), ())


def lines(publication: Publication) -> list[str]:
    return [line for line in publication.page.plain(TEXT).decode().splitlines() if line.startswith("platform_")]


def test_compressed_forms_are_the_plain_ones_and_end_as_openmetrics_wants() -> None:
    publication = Publication([Standing(snapshot=users(3))], Time())
    for form in (TEXT, OPENMETRICS):
        packed, compressed = publication.body(form, True)
        plain, not_compressed = publication.body(form, False)
        assert (compressed, not_compressed) == (True, False)
        assert gzip.decompress(packed) == plain
        assert b'platform_users{role="admin"} 3.0\n' in plain
        assert b"process_resident_memory_bytes" in plain
    assert publication.body(OPENMETRICS, False)[0].endswith(b"\n# EOF\n")
    assert b"# EOF" not in publication.body(TEXT, False)[0]


def test_a_form_that_nobody_wants_is_not_compressed_until_somebody_asks_again() -> None:
    clock = Time()
    publication = Publication([Standing(snapshot=users(3))], clock)
    for _ in range(4):
        clock.now += 300
        publication.refresh()
        assert publication.body(TEXT, True)[1]
    assert publication.body(OPENMETRICS, True) == (publication.page.plain(OPENMETRICS), False), "plain is what is ready"
    clock.now += 15
    publication.refresh()
    assert publication.body(OPENMETRICS, True)[1]


def test_the_page_is_made_anew_only_when_something_changed() -> None:
    clock, collector = Time(), Standing(snapshot=users(3))
    failures: list[Figure] = [sample("exporter_collector_failures", "postgres", value=0)]
    publication = Publication([collector], clock, about=lambda: tuple(failures))
    first = publication.page
    publication.refresh()
    assert publication.page is first
    collector.snapshot = users(4)
    publication.refresh()
    assert lines(publication) == ['platform_users{role="admin"} 4.0']
    second = publication.page
    failures[0] = sample("exporter_collector_failures", "postgres", value=1)
    publication.refresh()
    assert publication.page is not second
    third = publication.page
    clock.now += 15
    publication.refresh()
    assert publication.page is not third, "the process itself has changed meanwhile"
    clock.now += 886
    publication.refresh()
    assert lines(publication) == [], "901 s old"


def test_a_collector_that_has_not_run_yet_shows_what_the_one_before_it_knew() -> None:
    collector = Standing()
    publication = Publication([collector], Time(), {"postgres": users(3), "gone": users(9)})
    assert lines(publication) == ['platform_users{role="admin"} 3.0']
    collector.snapshot = Snapshot("postgres", (), ())
    publication.refresh()
    assert lines(publication) == []


def test_a_scheduler_that_follows_another_knows_how_its_collectors_did() -> None:
    clock = Time()
    first = Scheduler([Standing()], lambda: None, clock, clock, lambda: 0.5)
    assert [(item.metric.name, item.value) for item in first.figures()] == [("exporter_collector_failures", 0.0)]
    first.step(first.collectors[0])  # type: ignore[arg-type]
    clock.now += 10
    second = Scheduler([Standing(), Standing("new")], lambda: None, clock, clock, lambda: 0.5, first.standings)
    assert second.standings["postgres"].last_success == 1_000_000.0
    assert second.standings["postgres"].due == clock.now, "what was wrong may have been corrected"
    assert not second.ready, "one has never run"
    found = {(item.metric.name, item.labels[0]): item.value for item in second.figures()}
    assert found["exporter_collector_next_run_timestamp_seconds", "postgres"] == 1_000_060.0
    assert ("exporter_collector_next_run_timestamp_seconds", "new") not in found


def test_a_secret_in_a_label_reaches_no_page_and_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal("postgres", Source.POSTGRES, ["users"], lambda text: text.replace("s3cret", "***"))
    figures = tuple(sample("platform_users", role, value=1) for role in ("admin", "postgresql://me:s3cret@there/"))
    with caplog.at_level(logging.WARNING, "observatory.exporter"):
        for at in (1_000_000.0, 1_000_015.0):
            journal.ask("users", at, lambda: Answer(figures, 2))
    publication = Publication([Standing(snapshot=journal.snapshot(True))], Time())
    assert lines(publication) == ['platform_users{role="admin"} 1.0', f'platform_users{{role="{OVERFLOW}"}} 1.0']
    said = [record.__dict__["pairs"]["problem"] for record in caplog.records]
    assert len(said) == 1
    assert "1 label values hold a secret and are not shown" in said[0]
    assert "s3cret" not in publication.page.plain(TEXT).decode() + said[0]
