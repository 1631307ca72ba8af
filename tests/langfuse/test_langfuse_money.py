"""Prices, attribution, reconciliation and what the collector of money makes of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from ledger_world import NOON, World, call, score, world

from contract.data_plane import Price
from contract.settings import Settings
from exporters.langfuse.cost import CostCollector
from exporters.langfuse.month_end import exhaustion
from exporters.langfuse.price_list import store_prices, stored_prices
from exporters.langfuse.prices import PriceList, configured, listed

if TYPE_CHECKING:
    from exporters.database.sharing import SharedSession

MINUTE = timedelta(minutes=1)
MODEL = ("gpt-x", "production")
OWN = {"model": "home-*", "input": 1.0, "output": 4.0, "cache_read": 0.25}


@pytest.fixture
def here(shared: SharedSession) -> Iterator[World]:
    with world(shared, prices=[OWN]) as found:
        yield found


def costs(here: World, **settings: Any) -> dict[tuple[str, ...], float]:
    collector = CostCollector(Settings.model_validate({"sources": {"langfuse": here.settings}, **settings}), here.shared.seat())
    collector.collect(here.now[0].timestamp())
    assert collector.snapshot is not None
    return {(item.metric.name, *item.labels): item.value for item in collector.snapshot.samples(here.now[0].timestamp(), 900)}


def test_unpriced_calls_are_priced_here(here: World) -> None:
    exporter = here.exporter()
    here.run(exporter)
    usage = {"input": 600_000, "input_cached_tokens": 400_000, "output": 250_000, "output_reasoning_tokens": 250_000}
    here.insert(
        call("priced", here.now[0], model="home-grown", usage=usage, cost={}),
        call("unknown", here.now[0], model="elsewhere", usage=usage, cost={}),
        call("recorded", here.now[0], model="home-grown", cost={"total": 0.5}),
    )
    found = here.run(exporter)
    assert found["langfuse_cost_usd_total", "home-grown", "production"] == pytest.approx(0.6 + 0.1 + 2.0 + 0.5)
    assert found["langfuse_unpriced_calls_total", "home-grown", "production"] == 0
    assert found["langfuse_unpriced_calls_total", "elsewhere", "production"] == 1
    stored = here.rows("SELECT observation_id, cost_source, total_cost_usd::float8 FROM analytics.llm_calls ORDER BY 1")
    assert stored == [("priced", "priced", pytest.approx(2.7)), ("recorded", "recorded", 0.5), ("unknown", None, None)]


def test_the_price_list_keeps_its_history(here: World) -> None:
    exporter = here.exporter()
    here.run(exporter)
    assert here.rows("SELECT count(*) FROM analytics.model_prices WHERE valid_to IS NULL") == [(3,)]
    changed = [{"modelName": "gpt-x", "matchPattern": "(?i)^(gpt-x)$", "prices": {"input": {"price": 3e-6}}}]
    with psycopg.connect(here.dsn) as connection:
        store_prices(connection, listed(changed))
    with psycopg.connect(here.dsn) as connection:
        store_prices(connection, listed(changed))
        (price,) = stored_prices(connection)
    assert price.names.fullmatch("GPT-X")
    assert price.usd == {"input": pytest.approx(3e-6)}
    assert here.rows("SELECT usage_type FROM analytics.model_prices WHERE valid_to IS NOT NULL ORDER BY 1") == [
        ("input",), ("input_cached_tokens",), ("output",),
    ]  # fmt: skip


def test_prices_that_cannot_be_used_are_left_out() -> None:
    rows: list[dict[str, Any]] = [
        {"modelName": "a", "matchPattern": "(", "prices": {"input": 1e-6}},
        {"modelName": "b", "matchPattern": "b", "inputPrice": None, "prices": {}},
        {"modelName": "c.d", "inputPrice": "0.000001", "outputPrice": None},
        {"modelName": "e", "matchPattern": "e", "totalPrice": 2e-6},
    ]
    prices = PriceList(listed(rows))
    assert prices.of("a", NOON) is None
    assert prices.of("b", NOON) is None
    assert prices.of("cxd", NOON) is None
    found = prices.cost("c.d", {"input": 10, "output": 10, "total": 20}, NOON)
    assert found is not None
    assert found.total == pytest.approx(1e-5)
    total = prices.cost("e", {"total": 100}, NOON)
    assert total is not None
    assert total.total == pytest.approx(2e-4)


def test_a_cache_without_a_price_costs_as_other_input_and_saves_nothing() -> None:
    prices = PriceList(configured([Price(model="x", input=2.0, output=8.0)]))
    found = prices.cost("X", {"input": 1_000_000, "input_cached_tokens": 1_000_000}, NOON)
    assert found is not None
    assert found.total == pytest.approx(4.0)
    assert prices.saved_per_cached_token("x", NOON) == 0


def test_a_price_holds_from_its_day_on() -> None:
    """Before it the next one that fits, at last Langfuse's, whenever that was listed."""
    own = configured([Price(model="x*", since="2026-07-01", input=2.0, output=8.0), Price(model="xl", input=3.0, output=9.0)])
    prices = PriceList((*own, *listed([{"modelName": "xs", "inputPrice": 5e-6}])))
    last, first = datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    for model, at, million in (("xl", first, 2.0), ("xl", last, 3.0), ("xs", first, 2.0), ("xs", last, 5.0)):
        found = prices.cost(model, {"input": 1_000_000}, at)
        assert found is not None and found.total == pytest.approx(million), (model, at)
    assert prices.cost("xm", {"input": 1}, last) is None


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ([{"since": "2026-02-30"}], "is no day"),
        ([{"since": "20260701"}], "is no day"),
        ([{}, {"since": "2026-07-01"}], "write it first"),
        ([{"since": "2026-07-01"}, {"since": "2026-07-01"}], "write it first"),
        ([{}, {"model": "Home-*"}], "write it first"),
    ],
)
def test_a_price_that_would_never_hold_is_refused(prices: list[dict[str, str]], said: str) -> None:
    given = [OWN | price for price in prices]
    with pytest.raises(ValueError, match=said):
        Settings.model_validate({"sources": {"langfuse": {"prices": given}}})


def test_where_calls_come_from(here: World) -> None:
    exporter = here.exporter()
    here.run(exporter)
    with psycopg.connect(here.dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, status, tool_count,"
            " retry_count, conversation_id, trace_id, api_calls_count, environment)"
            " VALUES (gen_random_uuid(), 1, 'writer', '7', %s, 'success', 0, 0, 42, 't-1', 0, 'production')",
            (here.now[0],),
        )
    here.insert(call("1", here.now[0]), call("2", here.now[0]))
    here.run(exporter)
    query = "SELECT observation_id, agent, version, conversation_id FROM analytics.llm_calls ORDER BY 1"
    assert here.rows(query) == [("1", "writer", "7", "42"), ("2", "planner", "1.2", None)]
    with psycopg.connect(here.dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM app.agent_executions")
    here.run(exporter, 6 * MINUTE)
    here.run(exporter, 6 * MINUTE)
    assert here.rows(query)[0] == ("1", "writer", "7", "42"), "what was known once stays"


def test_which_group_of_users_a_call_is_for(here: World) -> None:
    exporter = here.exporter()
    here.run(exporter)
    with psycopg.connect(here.dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO app.users (id, created_at, role, status, department) VALUES"
            " (5, '2026-01-01', 'manager', 'active', 'Sales'), (6, '2026-01-01', 'member', 'active', NULL)"
        )
        connection.execute(
            "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, start_time, status, tool_count,"
            " retry_count, user_id, trace_id, api_calls_count, environment)"
            " SELECT gen_random_uuid(), 1, 'writer', %s, 'success', 0, 0, u, 't-' || u, 0, 'production'"
            " FROM generate_series(5, 6) AS u",
            (here.now[0],),
        )
    here.insert(*(call(str(n), here.now[0], user_id="jo@example.com") for n in (5, 6, 7)))
    here.run(exporter)
    query = "SELECT observation_id, department, user_role, user_key FROM analytics.llm_calls ORDER BY 1"
    assert here.rows(query) == [
        ("5", "Sales", "manager", "key-of-5"),
        ("6", "unknown", "member", "key-of-6"),
        ("7", None, None, "key-of-jo@"),
    ]
    counted = (
        "SELECT labels, sum(n)::int, sum(s1)::int, sum(s2)::bigint FROM analytics.days WHERE fact = 'llm_users'"
        " GROUP BY 1 ORDER BY 1"
    )
    once = [120, 750_000_000]
    assert here.rows(counted) == [
        (["Sales", "manager", "production"], 1, *once),
        (["unknown", "member", "production"], 1, *once),
        (["unknown", "unknown", "production"], 1, *once),
    ]
    with psycopg.connect(here.dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM app.agent_executions")
    here.run(exporter, 6 * MINUTE)
    here.run(exporter, 6 * MINUTE)
    assert here.rows(query)[0] == ("5", "Sales", "manager", "key-of-5"), "what was known once stays"


def test_which_model_a_score_judges_whichever_is_read_first(here: World) -> None:
    exporter = here.exporter()
    here.run(exporter)
    at = here.now[0]
    prompt = {"trace_id": "t-1", "prompt_name": "answer", "prompt_version": 3}
    here.insert(call("plan", at, trace_id="t-1"), score("early", at, 0.5, trace_id="t-2"), score("s", at + MINUTE / 6, 0.9))
    here.run(exporter)
    query = "SELECT score_id, model, prompt_name, prompt_version FROM analytics.llm_scores ORDER BY 1"
    assert here.rows(query) == [("early", None, None, None), ("s", "gpt-x", None, None)]
    here.insert(
        call("answer", at + MINUTE / 12, model="gpt-y", **prompt),
        call("search", at + MINUTE / 10, trace_id="t-1", type="EMBEDDING", model="embed"),
        call("late", at, trace_id="t-2"),
        score("plan-judged", at + MINUTE / 6, 0.4, observation_id="plan"),
    )
    here.run(exporter)
    assert here.rows(query) == [
        ("early", "gpt-x", None, None),
        ("plan-judged", "gpt-x", None, None),
        ("s", "gpt-y", "answer", 3),
    ]


def test_the_ledger_is_held_against_langfuse_and_heals_itself(here: World) -> None:
    exporter = here.exporter()
    here.run(exporter)
    here.insert(call("1", here.now[0]), call("2", here.now[0], cost={}, model="home-grown"))
    here.run(exporter)
    late = here.now[0]
    found = here.run(exporter, timedelta(minutes=40))
    ratios = {key[1]: value for key, value in found.items() if key[0] == "exporter_reconciliation_ratio"}
    assert ratios == {"calls": 1, "tokens": 1, "cost_usd": 1}, "what was priced here is none of Langfuse's"
    for n in range(3):
        here.insert(call(f"newer-{n}", here.now[0]))
        here.run(exporter, 6 * MINUTE)
    here.insert(call("very-late", late, 1.0))
    found = here.run(exporter, 15 * MINUTE)
    assert found["exporter_reconciliation_ratio", "calls"] == pytest.approx(5 / 6)
    assert found["exporter_reconciliation_ratio", "tokens"] == pytest.approx(5 / 6)
    here.run(exporter)
    found = here.run(exporter, 16 * MINUTE)
    assert found["exporter_reconciliation_ratio", "calls"] == 1, "a window that lacked calls was read again"
    assert here.rows("SELECT count(*) FROM analytics.llm_calls") == [(6,)]


def test_costs_budgets_and_savings(here: World) -> None:
    begun = NOON + MINUTE
    here.insert(
        *(call(f"d{n}", NOON - timedelta(days=n), cost={"total": 4.0}) for n in range(1, 32)),
        call("s", NOON - timedelta(hours=2), environment="staging", cost={"total": 1.0}),
    )
    exporter = here.exporter()
    here.run(exporter)
    for n in range(3):
        here.insert(call(f"n{n}", begun + timedelta(seconds=n), cost={"total": 2.0}))
    for _ in range(3):
        here.run(exporter)
    found = costs(here, budgets=[{"scope": "all", "monthly_usd": 100}, {"scope": "staging", "monthly_usd": 500}])
    today = here.rows(
        "SELECT sum(total_cost_usd)::float8, sum(cache_read_tokens)::float8 FROM analytics.llm_calls"
        " WHERE started_at >= '2026-11-01Z'"
    )[0]
    # from the 1st to the 18th 4.00 a day, and today 6.00 and 1.00
    assert today[0] == pytest.approx(18 * 4 + 7)
    assert found["platform_cost_usd", "all", "mtd"] == pytest.approx(79)
    assert found["platform_cost_usd", "staging", "24h"] == pytest.approx(1)
    assert found["platform_cost_usd", "production", "1h"] == pytest.approx(6)
    assert found["platform_cost_usd", "development", "30d"] == 0
    assert found["platform_budget_spent_ratio", "all"] == pytest.approx(0.79)
    assert found["platform_budget_spent_usd", "all"] == pytest.approx(0.79 * found["platform_budget_limit_usd", "all"])
    rest = 1 - (here.now[0] - here.now[0].replace(hour=0, minute=0)) / timedelta(days=1)
    assert found["platform_budget_forecast_usd", "all"] == pytest.approx(79 + (rest + 11) * 4)
    used_up = datetime.fromtimestamp(found["platform_budget_exhaustion_timestamp_seconds", "all"], UTC)
    assert used_up == here.now[0].replace(hour=0, minute=0) + timedelta(days=1 + (21 - rest * 4) / 4)
    assert ("platform_budget_exhaustion_timestamp_seconds", "staging") not in found, "not in this month"
    assert found["platform_budget_limit_usd", "all"] == 100
    assert found["platform_cache_savings_usd", "mtd"] == pytest.approx(today[1] * 1.5e-6)


def test_what_a_conversation_and_a_success_cost(here: World) -> None:
    exporter = here.exporter()
    here.run(exporter)
    begun = here.now[0]
    with psycopg.connect(here.dsn, autocommit=True) as connection:
        for n in range(4):
            connection.execute(
                "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, status, tool_count,"
                " retry_count, conversation_id, trace_id, api_calls_count, environment)"
                " VALUES (gen_random_uuid(), 1, 'writer', '7', %s, 'success', 0, 0, %s, %s, 0, 'production')",
                (begun, n, f"t-{n}"),
            )
        for fact, labels, number in (
            ("conversations_started", ("writer", "production", "web"), 4),
            ("conversations_ended", ("writer", "production", "achieved", "resolved"), 2),
            ("conversations_ended", ("writer", "production", "missed", "failed"), 1),
        ):
            connection.execute(
                "INSERT INTO analytics.fresh (fact, at, labels, n) VALUES (%s, date_trunc('minute', %s), %s, %s)",
                (fact, begun, "\x1f".join(labels), number),
            )
    here.insert(*(call(f"{n}", begun, cost={"total": 3.0}) for n in range(4)), call("alone", begun, trace_id="none"))
    here.run(exporter)
    found = costs(here)
    assert found["platform_cost_per_conversation_usd", "writer", "production", "1h"] == pytest.approx(3.0)
    assert found["platform_cost_per_success_usd", "writer", "production", "24h"] == pytest.approx(6.0)
    query = (
        "SELECT sum(total_cost_usd)::float8 / count(DISTINCT conversation_id) FROM analytics.llm_calls"
        " WHERE conversation_id IS NOT NULL"
    )
    assert here.rows(query) == [(3.0,)]


def test_a_budget_that_is_used_up() -> None:
    assert exhaustion(10, 10, {}, NOON) == NOON
    assert exhaustion(9, 10, {}, NOON) is None
    daily = {(NOON - timedelta(days=n)).date(): 2.0 for n in range(1, 29)}
    assert exhaustion(9, 10, daily, NOON) == NOON + timedelta(hours=12)
    assert exhaustion(9, 12, daily, NOON) == NOON + timedelta(hours=36)
    assert exhaustion(9, 1000, daily, NOON) is None


def test_a_part_of_the_past_never_passes_for_the_whole(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the past is being filled in, newest first, a window is shown from when the ledger has all of it."""
    here.insert(*(call(f"old-{n}", NOON - timedelta(hours=n, minutes=-30), cost={"total": 1.0}) for n in range(1, 24 * 40)))
    budgets = [{"scope": "all", "monthly_usd": 1000.0}]
    exporter = here.exporter()
    shown: dict[int, set[str]] = {}
    for hours in (0, 2, 24 * 3, 24 * 20, 24 * 35):
        monkeypatch.setattr(exporter, "_history", timedelta(hours=hours))
        found = here.run(exporter)
        money = costs(here, budgets=budgets)
        shown[hours] = {key[-1] for key in found if key[0] == "langfuse_window_calls"}
        assert {key[-1] for key in money if key[0] == "platform_cost_usd"} == shown[hours]
        assert {key[-1] for key in money if key[0] == "platform_cache_savings_usd"} == shown[hours]
        assert (("platform_budget_spent_ratio", "all") in money) == ("mtd" in shown[hours])
        assert money["platform_budget_limit_usd", "all"] == 1000.0
    assert shown == {
        0: set(), 2: {"1h"}, 72: {"1h", "24h"}, 20 * 24: {"1h", "24h", "7d", "mtd"}, 35 * 24: {"1h", "24h", "7d", "30d", "mtd"}
    }  # fmt: skip
    so_far = (here.now[0] - here.now[0].replace(day=1, hour=0, minute=0)) // timedelta(hours=1)
    assert money["platform_cost_usd", "all", "mtd"] == so_far
    assert money["platform_budget_spent_ratio", "all"] == pytest.approx(so_far / 1000)
