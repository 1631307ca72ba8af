"""Cost & usage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.model_calls import Row, by, cost, ledger, midnight
from tests.integration.moment import Moment
from tests.integration.reckoning import close, ratio
from tests.integration.tabs import Fault

WEEK = 7 * 86400.0
DAY = timedelta(days=1)
BY_DAY = {"granularity": "'day'", "split": "'model'"}


def table(moment: Moment, name: str, seconds: float = WEEK, **choices: str) -> list[dict[str, Any]]:
    return moment.panel_table(f"cost/{name}", seconds=seconds, **{**BY_DAY, **choices})


def since(moment: Moment, seconds: float = WEEK) -> datetime:
    return midnight(ledger(moment).now - timedelta(seconds=seconds))


def _executions(moment: Moment, seconds: float = WEEK, days: int = 1) -> list[tuple[datetime, str]]:
    begin = since(moment, seconds) - days * DAY
    return moment.sql(
        f"SELECT end_time, agent_name FROM app.agent_executions WHERE end_time >= '{begin.isoformat()}' AND end_time <= :now"
        " AND environment = 'production' AND status <> 'in_progress'"
    )


def _conversations(moment: Moment, column: str, more: str = "") -> list[tuple[datetime, str]]:
    begin = since(moment) - timedelta(seconds=WEEK) - 2 * DAY
    return moment.sql(
        f"SELECT c.{column}, a.name FROM app.conversations c JOIN app.agents a ON a.id = c.agent_id"
        f" WHERE c.{column} >= '{begin.isoformat()}' AND c.{column} <= :now AND c.environment = 'production' {more}"
    )


def _compared(moment: Moment, name: str, part: Callable[[Row], float], wholes: list[datetime]) -> None:
    """A figure of the week's days and its change: of days that have calls."""
    begin, now = since(moment), ledger(moment).now
    before = midnight(begin - (now - begin))
    figures, days = [], []
    for first, last in ((begin, now), (before, begin - timedelta(microseconds=1))):
        rows = [row for row in ledger(moment).rows if first <= row.at <= last and row.environment == "production"]
        known = {row.day for row in rows}
        figures.append(math.fsum(map(part, rows)) / sum(first <= at <= last and midnight(at) in known for at in wholes))
        days.append(len(known))
    [shown] = table(moment, name)
    assert shown["this range"] == close(figures[0])
    assert shown["change"] == (close(figures[0] / figures[1] - 1) if days[1] >= days[0] - 1 else None)


def per_query(moment: Moment) -> None:
    ends = [at.astimezone(UTC) for at, _ in _executions(moment, days=10)]
    _compared(moment, "per_query", lambda row: row.usd, ends)


def _talked(row: Row) -> float:
    return row.usd if row.conversation is not None else 0.0


def per_conversation(moment: Moment) -> None:
    _compared(moment, "per_conversation", _talked, [at.astimezone(UTC) for at, _ in _conversations(moment, "created_at")])


def per_success(moment: Moment) -> None:
    achieved = _conversations(moment, "ended_at", "AND c.goal_achieved")
    _compared(moment, "per_success", _talked, [at.astimezone(UTC) for at, _ in achieved])


def token_efficiency(moment: Moment) -> None:
    begin, now = since(moment), ledger(moment).now
    before = midnight(begin - (now - begin))

    def efficiency(first: datetime, last: datetime) -> tuple[float, int]:
        rows = [row for row in ledger(moment).rows if first <= row.at <= last and row.environment == "production"]
        return sum(row.output for row in rows) / sum(row.input for row in rows), len({row.day for row in rows})

    (this, days), (that, earlier) = efficiency(begin, now), efficiency(before, begin - timedelta(microseconds=1))
    [shown] = table(moment, "token_efficiency")
    assert shown["this range"] == close(this)
    assert shown["change"] == (close(this / that - 1) if earlier >= days - 1 else None)


def unattributed(moment: Moment) -> None:
    rows = ledger(moment).days(WEEK)
    alone = cost(rows) - math.fsum(map(_talked, rows))
    assert table(moment, "unattributed") == [{"cost": close(alone), "share": close(alone / cost(rows))}]


def tokens(moment: Moment) -> None:
    days = by(ledger(moment).days(WEEK), lambda row: row.day)
    shown = {row["time"]: (row["input"], row["output"]) for row in table(moment, "tokens")}
    assert shown == {day: (sum(r.input for r in rows), sum(r.output for r in rows)) for day, rows in days.items()}
    hours = by(ledger(moment).rows, lambda row: row.at.replace(minute=0, second=0, microsecond=0))
    first = (ledger(moment).now - timedelta(seconds=86400)).replace(minute=0, second=0, microsecond=0)
    for row in table(moment, "tokens", 86400, granularity="'hour'"):
        calls = [call for call in hours[row["time"]] if call.environment == "production"]
        assert row["time"] >= first and row["input"] == sum(call.input for call in calls)


def spend(moment: Moment) -> None:
    names: dict[str, Callable[[Row], str]] = {
        "model": lambda row: row.model, "agent": lambda row: row.agent, "environment": lambda row: row.environment,
        "department": lambda row: row.department, "role": lambda row: row.role,
    }  # fmt: skip
    for split, name in names.items():
        groups = by(ledger(moment).days(WEEK), lambda row, name=name: (row.day, name(row)))
        shown = {(row["time"], row["metric"]): row["value"] for row in table(moment, "spend", split=f"'{split}'")}
        # Just after midnight somebody may have worked, and called no model yet.
        spent = {key: value for key, value in shown.items() if value or key in groups}
        assert spent == close({key: cost(rows) for key, rows in groups.items()}), split


def unit_costs(moment: Moment) -> None:
    days = by(ledger(moment).days(WEEK), lambda row: row.day)
    queries = Counter(midnight(at.astimezone(UTC)) for at, _ in _executions(moment))
    begun = Counter(midnight(at.astimezone(UTC)) for at, _ in _conversations(moment, "created_at"))
    goals = Counter(midnight(at.astimezone(UTC)) for at, _ in _conversations(moment, "ended_at", "AND c.goal_achieved"))
    shown = table(moment, "unit_costs")
    assert {row["time"] for row in shown} == days.keys()
    for row in shown:
        rows, talked = days[row["time"]], math.fsum(map(_talked, days[row["time"]]))
        assert row["query"] == close(ratio(cost(rows), queries[row["time"]]))
        assert row["conversation"] == close(ratio(talked, begun[row["time"]]))
        assert row["success"] == close(ratio(talked, goals[row["time"]]))


def volume(moment: Moment) -> None:
    days = by(ledger(moment).days(WEEK), lambda row: row.day)
    queries = Counter(midnight(at.astimezone(UTC)) for at, _ in _executions(moment))
    for row in table(moment, "volume"):
        assert row["queries"] == queries[row["time"]]
        assert row["cost"] == close(cost(days.get(row["time"], [])))


def _shares(name: str, of: Callable[[Row], str]) -> Callable[[Moment], None]:
    def check(moment: Moment) -> None:
        groups = by(ledger(moment).days(WEEK), of)
        expected = {key: spent for key, rows in groups.items() if (spent := cost(rows)) > 0}
        shown = {row["name"]: row["cost"] for row in table(moment, name)}
        assert shown == close(expected) and list(shown) == sorted(shown, key=lambda key: -shown[key])

    return check


def agents(moment: Moment) -> None:
    begin = since(moment)
    groups = by(ledger(moment).days(WEEK), lambda row: row.agent)
    known = {(row.agent, row.day) for row in ledger(moment).days(WEEK)}

    def counted(rows: list[tuple[datetime, str]]) -> Counter[str]:
        times = ((at.astimezone(UTC), agent) for at, agent in rows)
        return Counter(agent for at, agent in times if at >= begin and (agent, midnight(at)) in known)

    queries, begun = counted(_executions(moment)), counted(_conversations(moment, "created_at"))
    goals = counted(_conversations(moment, "ended_at", "AND c.goal_achieved"))
    total = cost(ledger(moment).days(WEEK))
    shown = {row["agent"]: row for row in table(moment, "agents")}
    assert shown.keys() == groups.keys()
    for agent, row in shown.items():
        rows = groups[agent]
        talked = math.fsum(map(_talked, rows))
        expected = {
            "queries": queries[agent], "cost": cost(rows), "share": cost(rows) / total,
            "query": ratio(cost(rows), queries[agent]), "conversation": ratio(talked, begun[agent]),
            "success": ratio(talked, goals[agent]), "tokens": ratio(sum(call.total for call in rows), queries[agent]),
        }  # fmt: skip
        assert {key: row[key] for key in expected} == close(expected), agent


def avoidable(moment: Moment) -> None:
    rows = ledger(moment).days(WEEK)
    now, begin = ledger(moment).now, since(moment)
    monthly = timedelta(days=30) / (now - begin)
    found = {(row["kind"], row["about"]): row["monthly"] for row in table(moment, "avoidable")}
    failed = {model: cost(c for c in calls if c.failed) * monthly for model, calls in by(rows, lambda r: r.model).items()}
    shown = {about: amount for (kind, about), amount in found.items() if kind == "failed calls"}
    assert shown == close({model: amount for model, amount in failed.items() if amount >= 0.01})
    prices = {"claude-sonnet-4-5": (3.0, 0.3), "gpt-4.1": (2.0, 0.5), "gemini-2.5-flash": (0.3, 0.075)}
    cached = {about: amount for (kind, about), amount in found.items() if kind == "prompt cache"}
    for model, (plain, cheap) in prices.items():
        calls = [row for row in rows if row.model == model]
        days = [day for day in by(calls, lambda row: row.day).values() if len(day) >= 50]
        best = max((sum(c.cached for c in day) / sum(c.input for c in day) for day in days), default=None)
        if best is None:
            assert model not in cached
            continue
        missed = best * sum(c.input for c in calls) - sum(c.cached for c in calls)
        amount = missed * (plain - cheap) / 1e6 * monthly
        assert cached.get(model, 0.0) == close(amount if amount >= 0.01 else 0.0)
    longer = {about: amount for (kind, about), amount in found.items() if kind == "longer prompt"}
    assert longer == close({about: _longer(rows, *about.rsplit(" ", 1)) * monthly for about in longer})
    assert len(found) == len(shown) + len(cached) + len(longer)


def _longer(rows: list[Row], prompt: str, version: str) -> float:
    """What the calls with a version cost more than with the cheapest earlier one, of the model for which that is most."""
    found = []
    for calls in by([row for row in rows if row.prompt == prompt], lambda row: row.model).values():
        versions = {n: some for n, some in by(calls, lambda row: row.version).items() if len(some) >= 50}
        if int(version) in versions and len(versions) > 1:
            this = versions.pop(int(version))
            found.append(cost(this) - len(this) * min(cost(some) / len(some) for some in versions.values()))
    return max(found)


def cached_share(moment: Moment) -> None:
    groups = by(ledger(moment).days(WEEK), lambda row: row.model)
    shown = {row["model"]: row["share"] for row in table(moment, "cached_share")}
    assert shown == close(
        {
            model: sum(r.cached for r in rows) / sum(r.input for r in rows)
            for model, rows in groups.items()
            if sum(r.output for r in rows)
        }
    )


def failed_cost(moment: Moment) -> None:
    groups = by([row for row in ledger(moment).days(WEEK) if row.failed], lambda row: row.model)
    shown = {row["model"]: row["cost"] for row in table(moment, "failed_cost")}
    assert shown == close({model: cost(rows) for model, rows in groups.items()})


def efficiency(moment: Moment) -> None:
    groups = by([row for row in ledger(moment).days(WEEK) if row.chat], lambda row: (row.day, row.model))
    shown = {(row["time"], row["metric"]): row["value"] for row in table(moment, "efficiency")}
    expected = {key: ratio(sum(r.output for r in rows), sum(r.input for r in rows)) for key, rows in groups.items()}
    assert shown == close(expected)


def queries_per_user(moment: Moment) -> None:
    rows = moment.sql(
        f"SELECT count(*), sum(tokens_used) FROM app.agent_executions WHERE start_time BETWEEN '{since(moment).isoformat()}'"
        " AND :to AND environment = 'production' AND user_id IS NOT NULL GROUP BY user_id"
    )
    shown = [(row["queries"], row["tokens"]) for row in table(moment, "queries_per_user")]
    most = sorted((tuple(map(float, row)) for row in rows), reverse=True)[:100]
    assert [queries for queries, _ in shown] == [queries for queries, _ in most]
    assert set(shown[:10]) <= {tuple(map(float, row)) for row in rows}


def tools(moment: Moment) -> None:
    rows = moment.sql(
        "SELECT t.tool_name, count(*) FROM app.tool_usage_metrics t JOIN app.agent_executions e USING (execution_id)"
        f" WHERE t.end_time >= '{since(moment).isoformat()}' AND t.end_time <= :to AND e.environment = 'production'"
        " AND t.status <> 'in_progress' GROUP BY 1"
    )
    shown = {row["tool"]: row["calls"] for row in table(moment, "tools")}
    most = Counter(dict(rows)).most_common()[:12]
    assert sorted(shown.values()) == sorted(float(n) for _, n in most) and shown.items() <= dict(rows).items()


def prices(moment: Moment) -> None:
    shown = {(row["model"], row["kind"]): row["price"] for row in table(moment, "prices")}
    assert shown["claude-sonnet-4-5", "input"] == 3.0 and shown["claude-sonnet-4-5", "input cached tokens"] == 0.3
    assert shown["gpt-4.1", "output"] == 8.0 and shown["gemini-2.5-flash", "output"] == 2.5
    assert all(row["valid_to"] is None for row in table(moment, "prices"))


def unpriced(moment: Moment) -> None:
    groups = by([row for row in ledger(moment).days(WEEK) if row.cost is None], lambda row: row.model)
    shown = {row["model"]: (row["calls"], row["tokens"]) for row in table(moment, "unpriced")}
    assert shown == {model: (len(rows), sum(r.input + r.output for r in rows)) for model, rows in groups.items()}


def priced_share(moment: Moment) -> None:
    rows = ledger(moment).days(WEEK)
    assert table(moment, "priced_share") == [{"calls with a price": close(sum(r.cost is not None for r in rows) / len(rows))}]


def reconciled(moment: Moment) -> None:
    assert moment.panel("cost/reconciled") == {"calls": 1, "tokens": 1, "cost_usd": pytest.approx(1)}


FIGURES = {
    "cost/per_query": per_query,
    "cost/per_conversation": per_conversation,
    "cost/per_success": per_success,
    "cost/token_efficiency": token_efficiency,
    "cost/unattributed": unattributed,
    "cost/tokens": tokens,
    "cost/spend": spend,
    "cost/unit_costs": unit_costs,
    "cost/volume": volume,
    "cost/by_model": _shares("by_model", lambda row: row.model),
    "cost/by_agent": _shares("by_agent", lambda row: row.agent),
    "cost/by_role": _shares("by_role", lambda row: row.role),
    "cost/by_department": _shares("by_department", lambda row: row.department),
    "cost/agents": agents,
    "cost/avoidable": avoidable,
    "cost/cached_share": cached_share,
    "cost/failed_cost": failed_cost,
    "cost/efficiency": efficiency,
    "cost/queries_per_user": queries_per_user,
    "cost/tools": tools,
    "cost/prices": prices,
    "cost/unpriced": unpriced,
    "cost/priced_share": priced_share,
    "cost/reconciled": reconciled,
}
FAULTS = (
    Fault("cost/per_conversation", "conversation_cost_usd", "cost_usd * 1.01"),
    Fault("cost/by_department", "department", "role"),
    Fault("cost/tokens", "input_tokens", "cache_read_tokens"),
    Fault("cost/avoidable", "failed_cost_usd", "cost_usd"),
)
