"""What the collectors say that they give is what they give, and together it is all that the contract wants of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
from ledger_world import KEYS, PATIENT, World, call, score, world

from contract.catalogue import catalogue
from contract.metrics import Source
from contract.settings import Settings
from exporters.credentials import Credentials, LangfuseAccess
from exporters.database.mapping import Mapping
from exporters.langfuse import cost, ledger_collector, windows
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.collectors import langfuse_collectors, user_pseudonyms
from exporters.langfuse.cost import CostCollector
from exporters.langfuse.request_budget import RequestBudget
from exporters.langfuse.windows import WindowsCollector
from exporters.scheduler import Collector

if TYPE_CHECKING:
    import pytest

    from exporters.database.sharing import SharedSession


def given(collector: Collector) -> dict[str, set[str]]:
    """The names of the metrics that each query gave."""
    assert collector.snapshot is not None
    return {reading.query: {item.metric.name for item in reading.samples} for reading in collector.snapshot.readings}


def filled(here: World) -> None:
    """A little of everything: conversations and successes, caches, scores, streams, and calls without a price."""
    begun = here.now[0]
    with psycopg.connect(here.dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, status, tool_count,"
            " retry_count, conversation_id, trace_id, api_calls_count, environment)"
            " VALUES (gen_random_uuid(), 1, 'planner', '7', %s, 'success', 0, 0, 42, 't-1', 0, 'production')",
            (begun,),
        )
        for fact, labels in (("started", "planner\x1fproduction\x1fweb"), ("ended", "planner\x1fproduction\x1fachieved\x1fx")):
            query = "INSERT INTO analytics.fresh (fact, at, labels, n) VALUES (%s, date_trunc('minute', %s), %s, 1)"
            connection.execute(query, (f"conversations_{fact}", begun, labels))
    here.insert(
        call("1", begun, completion_start=begun.timestamp() + 0.5, session_id="s"), call("2", begun, model="new", cost={}),
        *(call(f"d{n}", begun - timedelta(days=n), cost={"total": 500.0}) for n in range(1, 9)),
        score("s", begun, 1.0),
    )  # fmt: skip


def test_what_is_given_is_what_was_said(shared: SharedSession) -> None:
    with world(shared) as here:
        ledger = here.exporter("core")
        here.run(ledger)
        filled(here)
        here.run(ledger)
        here.run(ledger)
        shown = given(ledger)
        assert {query: set(names) for query, names in ledger_collector.YIELDS.items()} == {
            query: names for query, names in shown.items() if query in ledger_collector.YIELDS
        }
        assert not any(names for query, names in shown.items() if query not in ledger_collector.YIELDS)
        here.run(ledger, timedelta(minutes=20))  # when the hour with the calls has settled
        assert ledger.snapshot is not None
        assert set(ledger_collector.ABOUT) <= {item.metric.name for item in ledger.snapshot.about}
        money = CostCollector(Settings(), shared.seat())
        money.collect(here.now[0].timestamp())
        assert given(money) == {query: set(names) for query, names in cost.YIELDS.items()}
        client = LangfuseClient(lambda: LangfuseAccess(here.url, KEYS.public, KEYS.secret), RequestBudget("core"), PATIENT)
        without = WindowsCollector(Settings(), client)
        without.collect(here.now[0].timestamp())
        assert given(without) == {query: set(names) for query, names in windows.YIELDS.items()}


def test_together_it_is_all_that_the_contract_wants() -> None:
    names = {name for module in (ledger_collector, cost) for each in module.YIELDS.values() for name in each}
    names |= {*ledger_collector.ABOUT, *cost.ABOUT}
    wanted = {metric.name for metric in catalogue().values() if metric.source is Source.LANGFUSE}
    assert wanted <= names
    assert {name for each in windows.YIELDS.values() for name in each} <= names


def test_a_ledger_where_one_can_be_written(shared: SharedSession, caplog: pytest.LogCaptureFixture) -> None:
    def kinds(mode: str, writing: SharedSession | None) -> list[str]:
        settings = Settings.model_validate({"sources": {"langfuse": {"mode": mode}}})
        found = langfuse_collectors(settings, Credentials(settings, environ={}), writing, Mapping.of(settings))
        return [type(collector).__name__ for collector in found]

    assert kinds("auto", shared) == kinds("ledger", shared) == ["LedgerCollector", "CostCollector"]
    assert kinds("metrics", shared) == kinds("auto", None) == ["WindowsCollector"]
    assert not caplog.records
    assert kinds("ledger", None) == ["WindowsCollector"]
    assert caplog.records[-1].getMessage() == "no ledger"


def test_users_are_pseudonyms_or_nothing() -> None:
    settings = Settings()
    assert user_pseudonyms(Credentials(settings, environ={}))("erika") is None
    user_key = user_pseudonyms(Credentials(settings, environ={"OBSERVATORY_USER_KEY": "0123456789abcdef"}))
    assert user_key("erika") == user_key("erika") != user_key("max")
    assert "erika" not in str(user_key("erika"))
