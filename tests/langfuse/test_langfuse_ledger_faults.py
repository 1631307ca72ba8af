"""Kills, competition and trouble: nothing is lost, nothing counted twice, and the figures say how old they are."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from ledger_world import NOON, World, call, figures, score, world

from demo.langfuse.faults import Fault
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from exporters.journal import SourceDown
from exporters.langfuse import client, ledger
from exporters.rollups.fold import fold

if TYPE_CHECKING:
    from exporters.database.sessions import Connection

MINUTE = timedelta(minutes=1)
GOOD, BAD = ("gpt-x", "production", "success"), ("gpt-x", "production", "error")


@pytest.fixture
def here(shared: SharedSession) -> Iterator[World]:
    with world(shared) as found:
        yield found


def assert_equal_to_langfuse(here: World, found: dict[tuple[str, ...], Any]) -> None:
    """Counters, windows and rows against the stand-in's own rows."""
    counted = NOON + MINUTE
    query = (
        "SELECT count(*), sum(level = 'ERROR'), sum(total_tokens), sum(total_cost) FROM observations"
        " WHERE copy = 0 AND type IN ('GENERATION', 'EMBEDDING') AND started >= :since"
    )
    calls, failed, tokens, cost = here.standin.store.select(query, {"since": round(counted.timestamp() * 1e6)})[0]
    assert found["langfuse_generations_total", *GOOD] + found["langfuse_generations_total", *BAD] == calls
    assert found["langfuse_generations_total", *BAD] == failed
    assert found["langfuse_cost_usd_total", *GOOD[:2]] == pytest.approx(cost / 1e12)
    assert found["langfuse_window_calls", *GOOD[:2], "24h"] == calls
    assert here.rows("SELECT count(*), sum(total_tokens) FROM analytics.llm_calls") == [(calls, tokens)]


def some_calls(here: World, chance: random.Random, number: int) -> None:
    """Calls of a few minutes, and one that has ended already."""
    here.insert(call(f"quick-{here.now[0].timestamp()}", here.now[0], 0.5))
    for _ in range(number):
        start = here.now[0] + timedelta(seconds=chance.uniform(0, 50))
        level = chance.choice(["DEFAULT", "DEFAULT", "ERROR"])
        here.insert(call(f"{start.timestamp()}", start, chance.uniform(0.1, 400), level=level))


def dying(stage: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on the backend is killed in the next transaction, right before a stage of it; the result heals that."""
    original = getattr(ledger, stage)
    deaths = []

    def kill(connection: Connection, *rest: Any) -> Any:
        if not deaths:
            deaths.append(stage)
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return original(connection, *rest)

    monkeypatch.setattr(ledger, stage, kill)

    def heal() -> None:
        monkeypatch.setattr(ledger, stage, original)
        assert deaths, f"{stage} was not reached"

    return heal


@pytest.mark.parametrize("stage", ["stored_calls", "upsert_calls", "add_changes", "write_state", "read_state"])
def test_killed_at_any_stage(stage: str, here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, chance = here.exporter(), random.Random(stage)
    here.run(exporter)
    before: dict[tuple[str, ...], Any] = {}
    for n in range(6):
        some_calls(here, chance, 5)
        if n % 2:
            heal = dying(stage, monkeypatch)
            with pytest.raises(SourceDown, match="no ledger: connection to PostgreSQL lost"):
                here.run(exporter)
            heal()
        found = here.run(exporter)
        for key, value in before.items():
            if key[0] in ("langfuse_generations_total", "langfuse_cost_usd_total"):
                assert found[key] >= value
        before = found
    here.run(exporter, 10 * MINUTE)
    assert_equal_to_langfuse(here, here.run(exporter, 10 * MINUTE))


def test_several_exporters_folds_and_small_pages(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ROW_LIMIT", 3)
    chance = random.Random(7)
    others = [SharedSession(Session(lambda: here.dsn, 10.0, read_only=False), 5.0) for _ in range(2)]
    exporters = [here.exporter(), *(here.exporter(shared=other) for other in others)]
    for exporter in exporters:
        here.run(exporter, timedelta(seconds=20))
    last: dict[tuple[str, ...], float] = {}
    for _ in range(15):
        some_calls(here, chance, 6)
        found = here.run(chance.choice(exporters), timedelta(seconds=chance.uniform(5, 200)))
        if chance.random() < 0.5:
            with psycopg.connect(here.dsn) as connection:
                fold(connection)
        for key, value in found.items():
            if key[0].endswith("_total") and key[0].startswith("langfuse_"):
                assert value >= last.get(key, 0.0), key
                last[key] = value
    for exporter in exporters:
        here.run(exporter, 8 * MINUTE)
    shown = [here.run(exporter, timedelta(seconds=1)) for exporter in exporters]
    counters = [{k: v for k, v in one.items() if k[0].startswith("langfuse_") and k[0].endswith("_total")} for one in shown]
    assert counters[0] == counters[1] == counters[2], "every replica shows the same"
    calls = here.rows("SELECT count(*) FROM analytics.llm_calls")[0][0]
    assert calls == here.standin.store.select("SELECT count(*) FROM observations WHERE copy = 0", {})[0][0]
    for other in others:
        other.close()


def test_one_of_several_exporters_asks(here: World) -> None:
    first, second = here.exporter(), here.exporter()
    here.run(first)
    second.collect(here.now[0].timestamp())
    assert figures(second, here.now[0])["exporter_query_success", "langfuse", "observations"] == 1
    asked = {key[2]: value for key, value in figures(second, here.now[0]).items() if key[0] == "exporter_api_requests_total"}
    assert asked["2xx"] <= 2, "the health page and the price list"


def test_whoever_failed_asks_again_at_once(here: World) -> None:
    exporter = here.exporter()
    here.run(exporter)
    here.standin.faults.add(Fault(kind="unavailable", path="/api/public/v2/observations", times=None))
    for _ in range(2):
        here.now[0] += MINUTE
        with psycopg.connect(here.dsn, autocommit=True) as connection:
            connection.execute("UPDATE analytics.sync_state SET asked_at = asked_at - interval '1 minute'")
        for _ in range(2):
            exporter.collect(here.now[0].timestamp())
            found = figures(exporter, here.now[0])
            assert found["exporter_query_success", "langfuse", "observations"] == 0, "nobody else has asked meanwhile"


def test_silence_ages_the_figures_and_loses_nothing(here: World) -> None:
    exporter, chance = here.exporter(), random.Random(3)
    here.run(exporter)
    some_calls(here, chance, 20)
    here.run(exporter)
    here.standin.faults.add(Fault(kind="unavailable", times=None))
    some_calls(here, chance, 20)
    with pytest.raises(SourceDown):
        here.run(exporter)
    found = figures(exporter, here.now[0])
    assert found["exporter_source_up", "langfuse"] == 0
    assert ("langfuse_generations_total", *GOOD) in found, "the last figures are served"
    assert found["exporter_source_data_timestamp_seconds", "langfuse"] == here.now[0].timestamp() - 60
    with pytest.raises(SourceDown):
        here.run(exporter, timedelta(hours=2))
    assert ("langfuse_generations_total", *GOOD) not in figures(exporter, here.now[0]), "until they are too old"
    here.standin.faults.clear()
    here.run(exporter, 10 * MINUTE)
    assert_equal_to_langfuse(here, here.run(exporter, 10 * MINUTE))


def test_a_window_that_is_too_much_is_halved(here: World) -> None:
    exporter, chance = here.exporter(), random.Random(4)
    here.run(exporter)
    some_calls(here, chance, 20)
    here.standin.faults.add(Fault(kind="timeout", path="/api/public/v2/observations", times=3))
    here.run(exporter, 10 * MINUTE)
    assert_equal_to_langfuse(here, here.run(exporter, 10 * MINUTE))


def test_an_answer_cut_in_the_middle_of_a_list(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ROW_LIMIT", 5)
    exporter = here.exporter()
    here.run(exporter)
    for n in range(20):
        here.insert(call(f"{n}", here.now[0], 1 + n))
    kept, answers = client.LangfuseClient.calls, iter([True, True, False])

    def broken(self: Any, *rest: Any) -> Any:
        if not next(answers, True):
            here.standin.faults.add(Fault(kind="truncated", path="/api/public/v2/observations", times=1))
        return kept(self, *rest)

    monkeypatch.setattr(client.LangfuseClient, "calls", broken)
    exporter = here.exporter()
    found = here.run(exporter, 10 * MINUTE)
    assert found["exporter_query_success", "langfuse", "observations"] == 0
    assert here.rows("SELECT count(*) FROM analytics.llm_calls") == [(10,)], "what was read stays"
    here.run(exporter)
    assert_equal_to_langfuse(here, here.run(exporter))


def test_rows_that_no_client_means_do_not_stop_the_lists(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is left out; what can neither be stored nor added up is unknown."""
    exporter = here.exporter()
    here.run(exporter)
    spoilt: dict[str, dict[str, Any]] = {
        "bad": {"usageDetails": {"input": "a lot"}},
        "wasteful": {"usageDetails": {"input": 2**53}},
        "dear": {"costDetails": {"total": 1e10}},
        "versioned": {"promptName": "p", "promptVersion": 10**30},
        "late": {"timeToFirstToken": 2**53},
        "boundless": {"value": 2**53},
        **{f"endless-{number}": {"endTime": "2299-12-31T00:00:00Z"} for number in range(1100)},
    }
    known = {"good", "dear", "versioned", "late", *(name for name in spoilt if name.startswith("endless"))}
    here.insert(*(call(id_, here.now[0]) for id_ in known | spoilt.keys() - {"boundless"}))
    here.insert(score("boundless", here.now[0], 1.0), score("fair", here.now[0], 1.0))

    def as_sent(kept: Any) -> Any:
        def listed(self: Any, *rest: Any) -> Any:
            page = kept(self, *rest)
            for row in page.rows:
                row.update(spoilt.get(row["id"], {}))
            return page

        return listed

    for kind in ("calls", "scores"):
        monkeypatch.setattr(client.LangfuseClient, kind, as_sent(getattr(client.LangfuseClient, kind)))
    exporter = here.exporter()
    found = here.run(exporter)
    assert found["langfuse_generations_total", *GOOD] == len(known)
    assert found["langfuse_scores_total", "helpful", "EVAL", "production"] == 1
    assert {id_ for (id_,) in here.rows("SELECT observation_id FROM analytics.llm_calls")} == known
    with psycopg.connect(here.dsn) as connection:
        assert fold(connection), "sums of all of them are whole numbers of 64 bits"


def test_without_the_schema_it_says_what_to_do(database: str) -> None:
    bare = SharedSession(Session(lambda: database, 10.0, read_only=False), 5.0)
    with world(bare) as here:
        exporter = here.exporter()
        with pytest.raises(SourceDown, match="observatory db install"):
            exporter.collect(here.now[0].timestamp())
    bare.close()


def test_no_text_is_asked_for_or_kept(here: World) -> None:
    exporter = here.exporter()
    here.run(exporter)
    secret = "what the user wrote"
    here.insert(
        call("1", here.now[0], level="ERROR", status_message=f"invalid: {secret}", user_id="erika@example.com"),
        score("s", here.now[0], secret, "TEXT"),
    )
    here.run(exporter)
    for table in ("llm_calls", "llm_scores", "sync_state"):
        for (row,) in here.rows(f"SELECT t::text FROM analytics.{table} AS t"):
            assert secret not in row
            assert "erika" not in row
    assert here.rows("SELECT user_key, error_type FROM analytics.llm_calls") == [("key-of-eri", "validation")]
