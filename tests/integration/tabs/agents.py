"""Agent performance: what agents did, from the rows of the platform, and what it cost, from Langfuse's rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

import pytest

from tests.integration.agent_rows import WEEK, achieved, calls, feedback, handoffs, lately, queries, spans, talks
from tests.integration.model_calls import Row, by, ledger
from tests.integration.moment import Moment
from tests.integration.reckoning import close, mean, percentile, ratio, utc, words
from tests.integration.tabs import Fault

DAY = 86400.0
BOUNDS = (
    0.05, 0.07, 0.1, 0.136, 0.185, 0.25, 0.35, 0.5, 0.66, 0.87, 1.15, 1.52, 2.0, 2.7, 3.7, 5.0, 6.8, 9.2, 12.5, 17.0, 23.0,
    31.0, 43.0, 60.0, 80.0, 160.0, 320.0,
)  # fmt: skip
"""Between which times of agents are told apart, in seconds."""
TOOL_BOUNDS = tuple(0.01 * 2**n for n in range(14))
MILLISECONDS = 1e-3


def table(moment: Moment, name: str, seconds: float = WEEK) -> list[dict[str, Any]]:
    return moment.panel_table(f"agents/{name}", seconds=seconds, granularity="'day'")


def talked(rows: list[Row]) -> float:
    return math.fsum(row.usd for row in rows if row.conversation is not None)


def same_bucket(shown: float, values: list[float], share: float, bounds: tuple[float, ...] = BOUNDS) -> bool:
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    lower = max((bound for bound in bounds if bound < exact), default=0.0)
    return lower <= shown <= min((bound for bound in bounds if bound >= exact), default=math.inf)


def _card(moment: Moment, name: str, figure: Callable[[datetime, datetime], tuple[float, int]], within: float = 1e-9) -> None:
    """`figure` gives the figure and the number of its days, from a moment to another."""
    before, begin, now = spans(moment)
    (this, days), (that, earlier) = figure(begin, now), figure(before, begin - timedelta(microseconds=1))
    [shown] = table(moment, name)
    assert shown["this range"] == pytest.approx(this, rel=1e-9, abs=within)
    change = pytest.approx(this / that - 1, rel=1e-9, abs=max(within, 1e-9))
    assert shown["change"] == (change if earlier >= days - 1 else None)


def state(moment: Moment) -> None:
    """Beyond the limit when an agent has fewer than 90 % of at least 20 goals of an hour; 15 missed at least."""
    goals = by(moment.sql(
        "SELECT a.name, c.goal_achieved FROM app.conversations c JOIN app.agents a ON a.id = c.agent_id"
        " WHERE c.ended_at > :now - interval '1 hour' AND c.ended_at <= :now AND c.environment = 'production'"
        " AND c.goal_achieved IS NOT NULL"
    ), lambda row: row[0])  # fmt: skip
    counted = {agent: (len(rows), sum(not goal for _, goal in rows)) for agent, rows in goals.items()}
    shown = moment.panel("agents/state")["Goals"]
    assert shown in (0, 1, 2)
    if all(n < 18 or missed < 13 for n, missed in counted.values()):
        assert shown == 1
    if any(n > 22 and missed > 17 and missed > 0.12 * n for n, missed in counted.values()):
        assert shown == 2


def success(moment: Moment) -> None:
    ended = [row for row in talks(moment, "ended_at") if row.goal is not None]

    def figure(first: datetime, last: datetime) -> tuple[float, int]:
        rows = [row for row in ended if first <= row.day <= last]
        return achieved(rows) or 0.0, len({row.day for row in rows})

    _card(moment, "success", figure)


def response(moment: Moment) -> None:
    ended = queries(moment)

    def figure(first: datetime, last: datetime) -> tuple[float, int]:
        rows = [row for row in ended if first <= row.day <= last]
        return fmean(row.seconds for row in rows), len({row.day for row in rows})

    _card(moment, "response", figure, MILLISECONDS)


def cost(moment: Moment) -> None:
    began, known = talks(moment, "created_at"), calls(moment)

    def figure(first: datetime, last: datetime) -> tuple[float, int]:
        rows = [row for row in known if first <= row.day <= last]
        days = {row.day for row in rows}
        return talked(rows) / sum(row.day in days and first <= row.day <= last for row in began), len(days)

    _card(moment, "cost", figure)


def success_by_day(moment: Moment) -> None:
    ended = by(lately(moment, talks(moment, "ended_at")), lambda row: row.day)
    handed = Counter(day for day, *_ in handoffs(moment))
    shown = {utc(row["time"]): (row["success"], row["handed over"]) for row in table(moment, "success_by_day")}
    assert shown == {day: (close(achieved(rows)), close(handed[day] / len(rows))) for day, rows in ended.items()}
    assert len(shown) > 6


def response_by_day(moment: Moment) -> None:
    days = by(lately(moment, queries(moment)), lambda row: row.day)
    shown = {utc(row["time"]): row for row in table(moment, "response_by_day")}
    assert shown.keys() == days.keys() and len(shown) > 6
    for day, rows in days.items():
        took = [row.seconds for row in rows]
        assert shown[day]["mean"] == pytest.approx(fmean(took), abs=MILLISECONDS)
        assert all(same_bucket(shown[day][f"p{share}"], took, share / 100) for share in (50, 95, 99))


def cost_by_day(moment: Moment) -> None:
    began = Counter(row.day for row in talks(moment, "created_at"))
    days = by(lately(moment, calls(moment)), lambda row: row.day)
    spent = {day: talked(rows) for day, rows in days.items()}
    shown = {utc(row["time"]): row["conversation"] for row in table(moment, "cost_by_day")}
    assert shown == {day: close(ratio(usd, began[day])) for day, usd in spent.items() if usd} and len(shown) > 6


def tokens_by_day(moment: Moment) -> None:
    began = Counter(row.day for row in talks(moment, "created_at"))
    days = by(lately(moment, calls(moment)), lambda row: row.day)
    used = {day: sum(row.total for row in rows) for day, rows in days.items()}
    shown = {utc(row["time"]): row["mean"] for row in table(moment, "tokens_by_day")}
    assert shown == {day: close(ratio(count, began[day])) for day, count in used.items() if count} and len(shown) > 6


def _over_time(name: str, of: Callable[[Row], float]) -> Callable[[Moment], None]:
    def check(moment: Moment) -> None:
        groups = by(lately(moment, calls(moment)), lambda row: (row.day, row.model))
        shown = {(utc(row["time"]), row["metric"]): row["value"] for row in table(moment, name)}
        assert shown == {key: close(math.fsum(map(of, rows))) for key, rows in groups.items()} and len(shown) > 20

    return check


def tokens(moment: Moment) -> None:
    days = by(lately(moment, calls(moment)), lambda row: row.day)
    shown = {utc(row["time"]): row for row in table(moment, "tokens")}
    assert shown.keys() == days.keys() and any(row["input from cache"] for row in shown.values())
    for day, rows in days.items():
        cached = sum(row.cached for row in rows)
        assert shown[day]["input from cache"] == cached
        assert shown[day]["input"] == sum(row.input for row in rows) - cached
        assert shown[day]["output"] + shown[day]["reasoning"] == sum(row.output for row in rows)


def tokens_spread(moment: Moment) -> None:
    since = ledger(moment).now - timedelta(seconds=DAY)
    rows = [row for row in calls(moment) if row.at >= since and row.conversation is not None]
    each = by(rows, lambda row: row.conversation)
    sums = {
        "input": [sum(row.input for row in found) for found in each.values()],
        "output": [sum(row.output for row in found) for found in each.values()],
        "total": [sum(row.input + row.output for row in found) for found in each.values()],
    }
    shown = {row["Tokens"]: (row["mean"], row["p95"]) for row in table(moment, "tokens_spread", DAY)}
    assert shown == {kind: (close(fmean(found)), close(percentile(0.95, found))) for kind, found in sums.items()}


def tokens_per_call(moment: Moment) -> None:
    since = ledger(moment).now - timedelta(seconds=DAY)
    groups = by([row for row in calls(moment) if row.at >= since], lambda row: row.model)
    sums = {model: [row.input + row.output for row in rows] for model, rows in groups.items()}
    shown = {row["Model"]: (row["mean"], row["p95"]) for row in table(moment, "tokens_per_call", DAY)}
    assert shown == {model: (close(fmean(found)), close(percentile(0.95, found))) for model, found in sums.items()}


def _tools(moment: Moment) -> dict[str, list[tuple[str, float]]]:
    """Status and seconds of the calls of each tool that ended on the range's days."""
    rows = moment.sql(
        "SELECT t.tool_name, t.status, t.duration_ms / 1000.0 FROM app.tool_usage_metrics t"
        " JOIN app.agent_executions e USING (execution_id)"
        f" WHERE t.end_time >= '{spans(moment)[1].isoformat()}' AND t.end_time <= :now AND e.environment = 'production'"
        " AND t.status <> 'in_progress'"
    )
    return {tool: [(status, float(took)) for _, status, took in found] for tool, found in by(rows, lambda row: row[0]).items()}


def tool_calls(moment: Moment) -> None:
    counted = {tool: len(rows) for tool, rows in _tools(moment).items()}
    shown = {row["tool"]: row["calls"] for row in table(moment, "tool_calls")}
    most = sorted(counted, key=lambda tool: (-counted[tool], tool))[:15]
    assert list(shown) == most and shown == {tool: counted[tool] for tool in most}


def tool_success(moment: Moment) -> None:
    found = _tools(moment)
    shown = {row["tool"]: row for row in table(moment, "tool_success")}
    assert shown.keys() == found.keys() and len(found) > 5
    for tool, rows in found.items():
        statuses, took = zip(*rows, strict=True)
        assert shown[tool]["calls"] == len(rows)
        assert shown[tool]["success"] == close(statuses.count("success") / len(rows))
        assert shown[tool]["failed"] == statuses.count("failure") + statuses.count("timeout")
        assert all(same_bucket(shown[tool][f"p{share}"], list(took), share / 100, TOOL_BOUNDS) for share in (50, 95))


def _ranged(moment: Moment) -> list[tuple[datetime, str, int | None, int | None, int | None]]:
    since = datetime.fromtimestamp(moment.at - WEEK, UTC)
    return [row for row in feedback(moment) if row[0] >= since]


def rating(moment: Moment) -> None:
    assert [row["stars"] for row in table(moment, "rating")] == [
        close(mean(r[2] for r in _ranged(moment) if r[2] is not None))
    ]


def nps(moment: Moment) -> None:
    answers = [row[4] for row in _ranged(moment) if row[4] is not None]
    score = ratio(100 * (sum(n >= 9 for n in answers) - sum(n <= 6 for n in answers)), len(answers))
    share = ratio(len(answers), len(lately(moment, talks(moment, "ended_at"))))
    assert table(moment, "nps") == [{"NPS": close(score), "answers": len(answers), "response rate": close(share)}]


def _thumbs(moment: Moment) -> dict[str, float]:
    groups = by([row for row in feedback(moment) if row[3]], lambda row: row[1])
    return {agent: sum(row[3] > 0 for row in rows) / len(rows) for agent, rows in groups.items()}


def thumbs(moment: Moment) -> None:
    expected = _thumbs(moment)
    shown = {row["agent"]: row["thumbs up"] for row in table(moment, "thumbs")}
    assert shown == {agent: close(share) for agent, share in expected.items()} and list(shown) == sorted(
        shown, key=lambda agent: (shown[agent], agent)
    )


def handoff_reasons(moment: Moment) -> None:
    counted = Counter((day, words(reason)) for day, _, reason in handoffs(moment))
    assert {(utc(row["time"]), row["metric"]): row["value"] for row in table(moment, "handoff_reasons")} == counted


def compared(moment: Moment) -> None:
    ended, began = (
        by(lately(moment, talks(moment, "ended_at")), _agent),
        by(lately(moment, talks(moment, "created_at")), _agent),
    )
    asked, known = by(lately(moment, queries(moment)), _agent), by(lately(moment, calls(moment)), _agent)
    handed, liked = Counter(agent for _, agent, _ in handoffs(moment)), _thumbs(moment)
    stars = by([row for row in _ranged(moment) if row[2] is not None], lambda row: row[1])
    shown = {row["agent"]: row for row in table(moment, "compared")}
    assert shown.keys() >= asked.keys() and len(asked) > 3
    for agent, rows in asked.items():
        row, over, begun, made = shown[agent], ended.get(agent, []), began.get(agent, []), known.get(agent, [])
        assert row["queries"] == len(rows)
        assert row["success"] == close(achieved(over))
        assert row["errors"] == close(sum(query.failed for query in rows) / len(rows))
        assert same_bucket(row["p95"], [query.seconds for query in rows], 0.95)
        assert row["cost"] == close(ratio(talked(made), len(begun)))
        assert row["tokens"] == close(ratio(sum(call.total for call in made), len(begun)))
        assert row["handoffs"] == close(ratio(handed[agent], len(over)))
        assert row["thumbs"] == close(liked.get(agent))
        assert row["stars"] == close(mean(r[2] for r in stars.get(agent, [])))


def _agent(row: Any) -> str:
    return str(row.agent)


def success_bars(moment: Moment) -> None:
    ended = by([row for row in lately(moment, talks(moment, "ended_at")) if row.goal is not None], _agent)
    shown = {row["agent"]: row["value"] for row in table(moment, "success_bars")}
    assert shown == {agent: close(achieved(rows)) for agent, rows in ended.items()}


def cost_bars(moment: Moment) -> None:
    began, known = by(lately(moment, talks(moment, "created_at")), _agent), by(lately(moment, calls(moment)), _agent)
    shown = {row["agent"]: row["value"] for row in table(moment, "cost_bars")}
    assert shown == {agent: close(talked(known.get(agent, [])) / len(rows)) for agent, rows in began.items()}


def _begun(moment: Moment, column: str) -> list[Any]:
    """A column of the conversations in production that began in the range."""
    rows = moment.sql(
        f"SELECT {column} FROM app.conversations c JOIN app.agents a ON a.id = c.agent_id"
        " WHERE c.environment = 'production' AND c.created_at BETWEEN :from AND :to",
        seconds=WEEK,
    )
    return [value for (value,) in rows]


def _pie(name: str, column: str) -> Callable[[Moment], None]:
    def check(moment: Moment) -> None:
        counted = Counter(_begun(moment, column))
        order = sorted(counted, key=lambda value: (-counted[value], value))
        expected = {value: counted[value] for value in order[:5]}
        if order[5:]:
            expected["others"] = sum(counted[value] for value in order[5:])
        assert {row["name"]: row["conversations"] for row in table(moment, name)} == expected and expected

    return check


def hours(moment: Moment) -> None:
    counted = Counter((utc(at).strftime("%a"), f"{utc(at):%H}") for at in _begun(moment, "c.created_at"))
    shown = {(day, row["UTC"][:2]): n for row in table(moment, "hours") for day, n in row.items() if day != "UTC" and n}
    assert shown == counted and len(shown) > 50


def intents(moment: Moment) -> None:
    rows = moment.sql(
        "SELECT coalesce(intent, 'unknown'), count(*) FILTER (WHERE goal_achieved), count(*) FILTER (WHERE NOT goal_achieved),"
        " count(*) FILTER (WHERE goal_achieved IS NULL) FROM app.conversations"
        f" WHERE environment = 'production' AND ended_at >= '{spans(moment)[1].isoformat()}' AND ended_at <= :now GROUP BY 1"
    )
    known = sorted(rows, key=lambda row: (row[0] == "unknown", -sum(row[1:]), row[0]))[:12]
    shown = [(r["Intent"], r["goal reached"], r["goal missed"], r["not known"]) for r in table(moment, "intents")]
    assert shown == known and len(known) > 5


FIGURES = {
    f"agents/{check.__name__}": check
    for check in (
        state, success, response, cost, success_by_day, response_by_day, cost_by_day, tokens_by_day, tokens, tokens_spread,
        tokens_per_call, tool_calls, tool_success, rating, nps, thumbs, handoff_reasons, compared, success_bars, cost_bars,
        hours, intents,
    )
} | {
    "agents/model_calls": _over_time("model_calls", lambda row: 1.0),
    "agents/model_cost": _over_time("model_cost", lambda row: row.usd),
    "agents/by_agent": _pie("by_agent", "a.name"),
    "agents/by_outcome": _pie("by_outcome", "coalesce(c.outcome, 'open')"),
    "agents/by_channel": _pie("by_channel", "c.channel"),
}  # fmt: skip
FAULTS = (
    Fault("agents/success", "goals_achieved + goals_missed", "ended"),
    Fault("agents/cost", "conversation_cost_usd", "cost_usd * 2"),
    Fault("agents/tokens", "input_tokens - cache_read_tokens", "input_tokens"),
    Fault("agents/compared", "sum(failed)", "sum(executions)"),
    Fault("agents/tool_success", "sum(succeeded)", "sum(calls)"),
)
