"""Overview: users, conversations, tickets and documents from the platform's rows; calls and money from Langfuse's."""

from __future__ import annotations

import calendar
import statistics
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.moment import Moment, cost_of, model_of
from tests.integration.reckoning import midnight, told_hour
from tests.integration.tabs import Fault

BUDGET = 4000.0
PRODUCTION = "environment = 'production'"
FAILED = "status IN ('failure', 'timeout')"
MONTH_AGO = "date_trunc('hour', :now) - interval '30 days'"
ASKED_OFTEN = {"rollups", "postgres", "langfuse"}


def users(moment: Moment) -> None:
    total = moment.number("SELECT count(*) FROM app.users WHERE created_at <= :now")
    new = moment.number(f"SELECT count(*) FROM app.users WHERE created_at BETWEEN {MONTH_AGO} AND :now")
    growth = pytest.approx(new / (total - new), rel=1e-12)
    assert moment.panel("overview/users") == {"total": total, "growth in 30 days": growth}


def _active(moment: Moment, days: int, before: int = 0) -> float:
    return moment.number(
        "SELECT count(DISTINCT user_id) FROM app.messages WHERE role = 'user' "
        f"AND created_at >= date_trunc('hour', :now) - interval '{days + before} days'"
        + (f" AND created_at < date_trunc('hour', :now) - interval '{before} days'" if before else "")
    )


def active_users(moment: Moment) -> None:
    week, month = _active(moment, 7), _active(moment, 30)
    changes = {"7 d change": week / _active(moment, 7, 7) - 1, "30 d change": month / _active(moment, 30, 30) - 1}
    assert moment.panel("overview/active_users") == pytest.approx({"7 d": week, "30 d": month, **changes}, rel=1e-9)


def conversations(moment: Moment) -> None:
    [shown] = moment.panel("overview/conversations").values()
    assert shown == moment.number(f"SELECT count(*) FROM app.conversations WHERE {PRODUCTION} AND created_at <= :now")


def tickets(moment: Moment) -> None:
    found = dict(moment.sql("SELECT replace(status, '_', ' '), count(*)::float8 FROM app.tickets GROUP BY 1"))
    shown = moment.panel("overview/tickets")
    assert {status: count for status, count in shown.items() if count} == found
    assert set(shown) == {"open", "in progress", "waiting", "resolved", "closed"}


def documents(moment: Moment) -> None:
    found = dict(moment.sql("SELECT status, count(*)::float8 FROM app.documents GROUP BY 1"))
    none = {"done": 0, "processing": 0, "failed": 0}
    assert moment.panel("overview/documents") == {"total": sum(found.values()), **none, **found}


def counted(moment: Moment) -> None:
    """What the success rates are rates of: every conversation that ever ended, by agent, environment and goal."""
    expected = {
        (agent, environment, goal): float(count)
        for agent, environment, goal, count in moment.sql(
            "SELECT a.name, c.environment, "
            "CASE WHEN c.goal_achieved THEN 'achieved' WHEN NOT c.goal_achieved THEN 'missed' ELSE 'unknown' END, count(*) "
            "FROM app.conversations c JOIN app.agents a ON a.id = c.agent_id "
            "WHERE c.ended_at <= :now GROUP BY 1, 2, 3"
        )
    }
    shown = {
        (labels["agent"], labels["environment"], labels["goal"]): value
        for labels, value in moment.stack.query("platform_conversations_ended_total", moment.at)
        if value
    }
    assert shown == expected


RATE = "agent_goal:conversations_ended:rate1h"


class Goals:
    """Conversations with a known goal of the hour that a rate tells of, by agent: those in it, and those at its ends.

    `recorded` are the series of which the panel's is made, see `told_hour`.
    """

    def __init__(self, moment: Moment, *recorded: str) -> None:
        hour = told_hour(moment, *recorded)
        rows = moment.sql(
            "SELECT a.name, c.goal_achieved, c.ended_at FROM app.conversations c JOIN app.agents a ON a.id = c.agent_id "
            f"WHERE c.{PRODUCTION} AND goal_achieved IS NOT NULL AND ended_at >= :from",
        )
        self._inside = [(agent, achieved) for agent, achieved, at in rows if hour.holds(at)]
        self._edge = [agent for agent, _, at in rows if at >= hour.begin and not hour.holds(at)]
        self.agents = {agent for agent, _ in self._inside}

    def agree(self, shown: float, agent: str | None = None) -> bool:
        """Whether a share is that of what was in the hour, and of some of what was at its ends, whatever came of that."""
        known = [achieved for name, achieved in self._inside if agent in (None, name)]
        edge = sum(agent in (None, name) for name in self._edge)
        least, most = sum(known) / (len(known) + edge), (sum(known) + edge) / (len(known) + edge)
        return least - 1e-9 <= shown <= most + 1e-9


def success_now(moment: Moment) -> None:
    counted(moment)
    [shown] = moment.panel("overview/success_now").values()
    goals = Goals(moment, RATE)
    assert goals.agents and goals.agree(shown)


def success_ratio(moment: Moment) -> None:
    shown, goals = moment.panel("overview/success_ratio"), Goals(moment, RATE, "agent:conversation_success:ratio_rate1h")
    assert goals.agents
    for agent in goals.agents:
        name = f"{agent} · production"
        assert name in shown and goals.agree(shown[name], agent), (agent, shown, vars(goals))
    assert all(legend.endswith(" · production") for legend in shown)


def outcomes(moment: Moment) -> None:
    rows = moment.sql(
        f"SELECT created_at, outcome FROM app.conversations WHERE {PRODUCTION} AND created_at BETWEEN :from AND :to"
    )
    expected: Counter[tuple[datetime, str]] = Counter()
    for created, outcome in rows:
        expected[created.astimezone(UTC).replace(minute=0, second=0, microsecond=0), outcome or "open"] += 1
    shown = {
        (hour.astimezone(UTC), outcome): count for hour, outcome, count in moment.panel_sql("overview/conversation_outcomes")
    }
    assert shown == expected and sum(expected.values()) > 20


def latest_failures(moment: Moment) -> None:
    expected = moment.sql(
        "SELECT start_time, agent_name, version, environment, status, error_type, duration_ms / 1000, retry_count, trace_id "
        f"FROM app.agent_executions WHERE {PRODUCTION} AND {FAILED} AND start_time BETWEEN :from AND :to "
        "ORDER BY start_time DESC LIMIT 100"
    )
    assert moment.panel_sql("overview/latest_failures") == expected and expected


def _day(moment: Moment) -> list[dict[str, Any]]:
    return [row for row in moment.last_day if row["environment"] == "production"]


def model_calls(moment: Moment) -> None:
    [shown] = moment.panel("overview/model_calls").values()
    assert shown == len(_day(moment)) > 100


def tokens_per_call(moment: Moment) -> None:
    calls = _day(moment)
    tokens = sum(
        count for row in calls for kind, count in (row.get("usageDetails") or {}).items() if "input" in kind or "output" in kind
    )
    [shown] = moment.panel("overview/tokens_per_call").values()
    assert shown == pytest.approx(tokens / len(calls), rel=1e-9)


def model_distribution(moment: Moment) -> None:
    calls = Counter(model_of(row) for row in _day(moment))
    best = dict(calls.most_common(6))
    expected = {**best, **({"other": calls.total() - sum(best.values())} if len(calls) > 6 else {})}
    shown = {model: count for model, count in moment.panel("overview/model_distribution").items() if count}
    assert shown == expected


def cost_month(moment: Moment) -> None:
    spent = cost_of(moment.month)
    assert moment.panel("overview/cost_month") == {"all": pytest.approx(spent, rel=1e-9)}


def budget(moment: Moment) -> None:
    assert moment.panel("overview/budget") == {"all": pytest.approx(cost_of(moment.month) / BUDGET, rel=1e-9)}


def forecast(moment: Moment) -> None:
    """Spent, plus for each remaining day (and the rest of today) the median of that weekday in the last four weeks."""
    now, today = moment.cost, midnight(moment.cost)
    by_day: defaultdict[datetime, list[dict[str, Any]]] = defaultdict(list)
    for row in moment.calls(today - timedelta(days=28)):
        by_day[midnight(datetime.fromisoformat(row["startTime"].replace("Z", "+00:00")))].append(row)

    def usual(day: datetime) -> float:
        weeks = [today - timedelta(days=n) for n in range(1, 29)]
        return statistics.median(cost_of(by_day[past]) for past in weeks if past.weekday() == day.weekday())

    last = calendar.monthrange(now.year, now.month)[1]
    to_come = sum(usual(today + timedelta(days=n)) for n in range(1, last - now.day + 1))
    rest = usual(today) * (1 - (now - today) / timedelta(days=1))
    expected = cost_of(moment.month) + rest + to_come
    shown = moment.panel("overview/budget_forecast")
    assert shown == {"all, budget": BUDGET, "all, expected": pytest.approx(expected, rel=1e-6)}


def data_age(moment: Moment) -> None:
    shown = moment.panel("overview/data_age")
    assert set(shown) == {*(f"data of {name}" for name in ASKED_OFTEN), "scrape of the exporter", "scrape of the platform"}
    assert shown["data of postgres"] == pytest.approx(moment.at - moment.oldest.timestamp(), abs=0.01)
    assert shown["data of langfuse"] == pytest.approx(moment.at - moment.langfuse.timestamp(), abs=0.01)


FIGURES = {
    "overview/users": users,
    "overview/active_users": active_users,
    "overview/conversations": conversations,
    "overview/tickets": tickets,
    "overview/documents": documents,
    "overview/success_now": success_now,
    "overview/success_ratio": success_ratio,
    "overview/conversation_outcomes": outcomes,
    "overview/latest_failures": latest_failures,
    "overview/model_calls": model_calls,
    "overview/tokens_per_call": tokens_per_call,
    "overview/model_distribution": model_distribution,
    "overview/cost_month": cost_month,
    "overview/budget": budget,
    "overview/budget_forecast": forecast,
    "overview/data_age": data_age,
}
FAULTS = (
    Fault("overview/conversations", "environment=~", "environment!~"),
    Fault("overview/conversation_outcomes", "created_at", "ended_at"),
    Fault("overview/conversation_outcomes", "count(*)", "2 * count(*)"),
    Fault("overview/users", 'window="30d"', 'window="7d"'),
    Fault("overview/active_users", "platform_users_active_before", "platform_users_active"),
    Fault("overview/success_now", 'goal="achieved"', 'goal="unknown"'),  # in an hour half may be missed
    Fault("overview/success_ratio", "agent:conversation_success", "100 + agent:conversation_success"),
    Fault("overview/tokens_per_call", "input|output", "input"),
    Fault("overview/model_distribution", "langfuse_window_calls", "langfuse_window_errors"),
    Fault("overview/budget", "platform_budget_spent_ratio", "1 + platform_budget_spent_ratio"),  # a month begins with nothing
    Fault("overview/latest_failures", "e.retry_count", "1 + e.retry_count"),  # on a day nothing that failed may be tried again
)
