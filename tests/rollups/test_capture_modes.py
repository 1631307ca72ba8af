"""Known traps of ways to find new rows without a column: each is counted once, whatever its id, time or commit is like."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from exporters.database.sessions import limits
from exporters.rollups import advance
from exporters.rollups.capture import gaps, ids, window
from exporters.rollups.capture.choice import Mode
from exporters.rollups.capture.window import HiddenTransactions
from tests.rollups import ledger
from tests.rollups.interleaving import Play, Stage, Step
from tests.rollups.writers import Row, Writer

WITHOUT_COLUMN: tuple[Mode, ...] = ("ids", "window", "scan")


@pytest.fixture
def stage(database: str) -> Iterator[Stage]:
    stage = Stage(database)
    yield stage
    stage.close()


def _begun(stage: Stage, mode: Mode, source: str = "kb_searches") -> Play:
    play = Play(stage, source, mode, datetime.now(UTC))
    play.open([])
    return play


def _search(number: int, at: datetime) -> Row:
    return {"id": number, "user_id": None, "at": at, "duration_ms": 5.0, "result_count": 1}


def _now(writer: Writer) -> datetime:
    row = writer.connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def _count(play: Play) -> int:
    """Searches counted so far, after one more step."""
    with play.stage.exporters[0].transaction():
        play.stage.exporters[0].execute(limits(30, read_only=False))
        advance.advance(play.stage.exporters[0], play.form)
    return sum(figures["n"] for (fact, _), figures in ledger.counters(play.stage.admin).items() if fact == "kb_searches")


@pytest.mark.parametrize("mode", WITHOUT_COLUMN)
def test_a_transaction_that_commits_late_loses_nothing(stage: Stage, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows have lower ids and earlier times than what was counted meanwhile. No skew is allowed for here."""
    monkeypatch.setattr(window, "SKEW_SECONDS", 0)
    play = _begun(stage, mode)
    late, quick, _ = play.platform.writers
    late.begin()
    late.insert("kb_searches", _search(1, _now(late)))
    for number in range(2, 6):
        quick.begin()
        quick.insert("kb_searches", _search(number, _now(quick)))
        quick.commit()
        assert _count(play) == number - 1
    late.insert("kb_searches", _search(6, _now(late)))
    late.commit()
    assert _count(play) == 6
    assert _count(play) == 6


@pytest.mark.parametrize("mode", WITHOUT_COLUMN)
def test_rows_of_one_instant_are_all_counted(stage: Stage, mode: Mode) -> None:
    play = _begun(stage, mode)
    at = _now(play.platform.writers[0])
    for number in range(1, 4):
        play.platform.writers[0].insert("kb_searches", _search(number, at))
        assert _count(play) == number


@pytest.mark.parametrize("mode", WITHOUT_COLUMN)
@pytest.mark.parametrize("skew", [-295, 0, 295])
def test_clocks_that_are_off_by_minutes_lose_nothing(stage: Stage, mode: Mode, skew: int) -> None:
    play = _begun(stage, mode)
    right, wrong, _ = play.platform.writers
    for number in range(1, 7):
        writer, off = (right, 0) if number % 2 else (wrong, skew)
        writer.insert("kb_searches", _search(number, _now(writer) + timedelta(seconds=off)))
        assert _count(play) == number


def test_ids_that_were_reserved_may_come_in_later_transactions(stage: Stage) -> None:
    """An application takes blocks of ids: nobody holds them in a transaction while others count beyond them."""
    play = _begun(stage, "ids")
    writer = play.platform.writers[0]
    at = _now(writer)
    for number, counted in ((100, 1), (3, 2), (101, 3), (50, 4), (1, 5), (99, 6)):
        writer.insert("kb_searches", _search(number, at))
        assert _count(play) == counted
    assert advance.news(stage.admin, {"kb_searches": play.form}) == []


def test_a_gap_is_waited_for_as_long_as_its_holder_runs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that is: the grace is over at once here, so that only the transaction speaks for the gap."""
    monkeypatch.setattr(gaps, "GRACE", -1e9)
    play = _begun(stage, "ids")
    late, quick, _ = play.platform.writers
    late.begin()
    late.insert("kb_searches", _search(1, _now(late)))
    for number in range(2, 30):
        quick.insert("kb_searches", _search(number, _now(quick)))
        assert _count(play) == number - 1
    late.commit()
    assert _count(play) == 29


def test_a_gap_that_nobody_fills_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    play = _begun(stage, "ids")
    writer = play.platform.writers[0]
    writer.insert("kb_searches", _search(5, _now(writer)))
    _count(play)
    assert _gaps(stage) == [[1, 4]]
    monkeypatch.setattr(gaps, "GRACE", 0.0)
    writer.insert("kb_searches", _search(6, _now(writer)))
    _count(play)
    assert _gaps(stage) == []


def _gaps(stage: Stage) -> list[list[int]]:
    row = stage.admin.execute("SELECT watermark -> 'gaps' FROM analytics.sources").fetchone()
    assert row is not None
    return [gap[:2] for gap in row[0]]


@pytest.mark.parametrize("mode", ["ids", "window"])
def test_a_long_history_is_counted_in_portions(stage: Stage, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "PORTION", 4)
    monkeypatch.setattr(window, "PORTION", 4)
    play = Play(stage, "kb_searches", mode, datetime.now(UTC))
    begin = _now(play.platform.writers[0]) - timedelta(days=3)
    for number in range(1, 12):
        play.platform.writers[0].insert("kb_searches", _search(number, begin + timedelta(hours=number // 3)))
    play.open([])
    counted = [_count(play) for _ in range(7)]
    assert counted == sorted(counted)
    assert 0 < counted[0] < 11
    assert counted[-1] == 11
    assert advance.news(stage.admin, {"kb_searches": play.form}) == []


@pytest.mark.parametrize("mode", WITHOUT_COLUMN)
def test_open_rows_are_followed_until_they_are_final(stage: Stage, mode: Mode) -> None:
    source = "tickets" if mode == "ids" else "executions"
    play = _begun(stage, mode, source)
    first, change, relation = {
        "tickets": ("open ticket", "move ticket", "tickets"),
        "executions": ("begin execution", "end execution", "agent_executions"),
    }[source]
    play.perform(Step(first, 0, 1, 1))
    play.perform(Step("advance"))
    assert sum(ledger.stocks(stage.admin).values()) > 0
    play.perform(Step(change, 0, 0, 1))
    play.perform(Step("advance"))
    assert not any(stock == "executions_in_progress" for stock, _ in ledger.stocks(stage.admin))
    assert ledger.counters(stage.admin).keys() == play.truth.counters.keys()
    assert ledger.stocks(stage.admin) == play.truth.stocks()
    assert len(play.platform.rows(relation)) == 1


def test_the_window_stays_small(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "SKEW_SECONDS", 0)
    play = _begun(stage, "window")
    writer = play.platform.writers[0]
    for number in range(1, 30):
        writer.begin()
        writer.insert("kb_searches", _search(number, _now(writer)))
        writer.commit()
        assert _count(play) == number
    assert _count(play) == 29
    assert stage.admin.execute("SELECT count(*) FROM analytics.seen").fetchone() == (0,)


def test_rows_of_jobs_and_of_subscriptions_are_waited_for(stage: Stage) -> None:
    """The server's own processes that only read, or clean up, are not."""
    kinds = ("client backend", "logical replication worker", "pg_cron", "autovacuum worker", "parallel worker", "walsender")
    rows = ", ".join(f"('{kind}', now() - interval '{hours} hours')" for hours, kind in enumerate(kinds, start=1))
    stage.admin.execute(
        "CREATE SCHEMA seen; CREATE VIEW seen.pg_stat_activity AS"
        " SELECT backend_type, xact_start, current_database() AS datname, 0 AS pid"
        f" FROM (VALUES {rows}) AS running (backend_type, xact_start)".encode()
    )
    with stage.admin.transaction():
        stage.admin.execute("SET LOCAL search_path = seen, pg_catalog")
        found = datetime.fromisoformat(window.horizon(stage.admin, "-infinity"))
    began = datetime.now(UTC) - timedelta(hours=1 + kinds.index("pg_cron"), seconds=window.SKEW_SECONDS)
    assert abs(found - began) < timedelta(minutes=5)


def test_hidden_transactions_are_refused_in_words(stage: Stage) -> None:
    play = _begun(stage, "window")
    stage.admin.execute("DROP ROLE IF EXISTS capture_blind")
    stage.admin.execute("CREATE ROLE capture_blind")
    try:
        stage.admin.execute("GRANT USAGE ON SCHEMA app, analytics TO capture_blind")
        stage.admin.execute("GRANT ALL ON ALL TABLES IN SCHEMA app, analytics TO capture_blind")
        blind = stage.exporters[1]
        blind.execute("SET ROLE capture_blind")
        with pytest.raises(HiddenTransactions, match="pg_read_all_stats"), blind.transaction():
            advance.advance(blind, play.form)
        blind.execute("RESET ROLE")
    finally:
        stage.admin.execute("DROP OWNED BY capture_blind")
        stage.admin.execute("DROP ROLE capture_blind")
