"""User analytics, from the rows of users, messages, conversations, logins and uses of features; money from Langfuse's rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from statistics import fmean, median
from typing import Any

import pytest
import requests

from tests.integration.model_calls import ledger
from tests.integration.moment import DAY, Moment
from tests.integration.reckoning import grouped, mean, midnight, percentile, utc
from tests.integration.tabs import Fault
from tests.integration.user_weeks import OWN, Cohorts, monday, segmented, weeks_of_users

RANGE, WEEK = 30 * DAY, 7 * DAY
STICKING, OLD = 6 * 3600, 300
"""Seconds between looks at the active users of a day, and how old a sample may be that is taken for the present."""
ACTIVE_OF_A_DAY = 'max without (instance) (platform_users_active{window="24h"})'
SEGMENTS = ("power", "regular", "new or back", "at risk", "dormant")


def close(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-9)


def rows(moment: Moment, name: str, seconds: float = RANGE, **choices: str) -> list[dict[str, Any]]:
    return moment.panel_table(f"users/{name}", seconds=seconds, **({"group_by": "'role'"} | choices))


def active(moment: Moment, since: str, until: str = ":now") -> float:
    """Users with an own message from one time to another."""
    return moment.number(
        f"SELECT count(DISTINCT user_id) FROM app.messages WHERE {OWN} AND created_at >= {since} AND created_at < {until}"
    )


STARTS = {
    "24 h": "date_trunc('minute', :now) - interval '24 hours'",
    "7 d": "date_trunc('hour', :now) - interval '7 days'",
    "30 d": "date_trunc('hour', :now) - interval '30 days'",
}
"""A day begins at a full minute, longer windows at a full hour."""


def changes(moment: Moment) -> dict[str, float]:
    return {
        title: active(moment, STARTS[title]) / active(moment, f"{STARTS[title]} - interval '{days} days'", STARTS[title])
        for title, days in (("7 d", 7), ("30 d", 30))
    }


def direction(moment: Moment) -> None:
    [shown] = moment.panel("users/direction").values()
    change = changes(moment)["7 d"]
    assert shown == (change >= 1.02) - (change <= 0.98)


def users(moment: Moment) -> None:
    total = moment.number("SELECT count(*) FROM app.users WHERE created_at <= :now")
    new = moment.number(f"SELECT count(*) FROM app.users WHERE created_at BETWEEN {STARTS['30 d']} AND :now")
    assert moment.panel("users/users") == {"total": total, "growth in 30 d": close(new / (total - new))}


def active_now(moment: Moment) -> None:
    expected = {title: active(moment, since) for title, since in STARTS.items()}
    expected |= {f"{title} change": close(change - 1) for title, change in changes(moment).items()}
    assert moment.panel("users/active") == expected and expected["30 d"] > expected["24 h"] > 20


def active_lines(moment: Moment) -> None:
    titles = dict(zip(("a day (DAU)", "a week (WAU)", "a month (MAU)"), STARTS.values(), strict=True))
    assert moment.panel("users/active_users") == {title: active(moment, since) for title, since in titles.items()}


def _sticking(moment: Moment, name: str) -> None:
    """The days are looked at every six hours (of the clock), for as long as Prometheus knows them.

    A sample may be five minutes old, and its day begins at a full minute: no fewer than were there after the one beginning and
    before the other end, no more than in all that time. While a stack starts there may be none.
    """
    [shown] = moment.panel(f"users/{name}").values()
    asked: dict[str, str | float] = {"query": f"({ACTIVE_OF_A_DAY})[30d:{STICKING}s]", "time": moment.at}
    answer = requests.get(f"{moment.stack.url('prometheus')}/api/v1/query", params=asked, timeout=60).json()
    [series] = answer["data"]["result"]
    looks = [round(float(at)) for at, _ in series["values"]]
    assert all(look % STICKING == 0 for look in looks)
    assert len(looks) >= 3

    def seen(begin: int, end: int) -> float:
        """Users of a look's day on the average, whose ends are moved by seconds."""
        days = [(f"to_timestamp({look - DAY + begin})", f"to_timestamp({look + end})") for look in looks]
        return fmean(active(moment, *day) for day in days) / active(moment, STARTS["30 d"])

    assert seen(0, -OLD) <= shown <= seen(-OLD - 60, 0) and seen(0, -OLD) > 0


def stickiness_now(moment: Moment) -> None:
    _sticking(moment, "stickiness_now")


def stickiness(moment: Moment) -> None:
    _sticking(moment, "stickiness")


def cohorts(moment: Moment) -> None:
    known = Cohorts(moment)
    newest = known.today - timedelta(days=known.today.weekday())
    expected = {}
    for back in range(1, 13):
        cohort = newest - timedelta(weeks=back)
        if any(known.users[cohort, week] for week in range(13)):
            expected[f"{cohort}"] = [known.size[cohort], *(known.share(cohort, week) for week in range(13))]
    shown = {row["Joined"]: [row["Users"], *(row[f"W{week}"] for week in range(13))] for row in rows(moment, "cohorts")}
    assert shown == expected and len(shown) > 8


def fourth_week(moment: Moment) -> None:
    known = Cohorts(moment)
    expected = {
        cohort: close(known.share(cohort, 4))
        for cohort in known.size
        if known.today - timedelta(days=120) <= cohort and known.over(cohort, 4) and known.users[cohort, 4]
    }
    shown = {utc(row["time"]).date(): row["Retention"] for row in rows(moment, "fourth_week", seconds=120 * DAY)}
    assert shown == expected and len(shown) > 3


def lifecycle(moment: Moment) -> None:
    """New: joined in the week. Returning: active in the week before too. Resurrected: neither."""
    joined = {user: monday(at) for user, at in moment.sql("SELECT id, created_at FROM app.users")}
    weeks = weeks_of_users(moment)
    this = monday(datetime.fromtimestamp(moment.at, UTC))
    week, one = monday(datetime.fromtimestamp(moment.at - RANGE, UTC)), timedelta(weeks=1)
    expected = []
    while week < this:
        there = {user for user, active_in in weeks.items() if week in active_in}
        before = {user for user, active_in in weeks.items() if week - one in active_in}
        new = {user for user in there if joined[user] >= week}
        stayed = (there & before) - new
        expected.append((len(new), len(stayed), len(there - new - stayed), -len(before - there)))
        week += one
    shown = [
        tuple(row[name] for name in ("new", "returning", "resurrected", "gone quiet")) for row in rows(moment, "lifecycle")
    ]
    assert shown == expected and len(shown) >= 4


def segments(moment: Moment) -> None:
    expected = Counter(segmented(moment).values())
    assert {row["Segment"]: row["Users"] for row in rows(moment, "segments")} == expected and len(expected) >= 4


def groups(moment: Moment) -> None:
    segment = segmented(moment)
    for group, column in (("role", "role"), ("department", "department"), ("country", "country_code")):
        members = grouped(moment.sql(f"SELECT coalesce({column}, 'none'), id FROM app.users"), lambda row: row[0])
        expected = {}
        for name, found in members.items():
            counted = Counter(segment[user] for _, user in found)
            total = sum(counted.values())
            shares = [counted[known] for known in SEGMENTS]
            expected[name] = [total, close((total - counted["dormant"]) / total), *shares]
        shown = {
            row["Group"]: [row["Users"], row["Not dormant"], *(row[known.capitalize()] for known in SEGMENTS)]
            for row in rows(moment, "groups", group_by=f"'{group}'")
        }
        assert shown == expected and len(shown) > 3


def growth(moment: Moment) -> None:
    created = Counter(midnight(at) for (at,) in moment.sql("SELECT created_at FROM app.users"))
    days = sorted(created)
    totals = dict(zip(days, accumulate(created[day] for day in days), strict=True))
    shown = {utc(row["time"]): (row["new users"], row["all users"]) for row in rows(moment, "growth")}
    assert {day: figures for day, figures in shown.items() if day in created} == {
        day: (created[day], totals[day]) for day in days if day >= datetime.fromtimestamp(moment.at - RANGE, UTC)
    }
    assert all(new == 0 for day, (new, _) in shown.items() if day not in created) and len(shown) > 20


def roles(moment: Moment) -> None:
    assert moment.panel("users/roles") == dict(moment.sql("SELECT role, count(*) FROM app.users GROUP BY 1"))


def sessions(moment: Moment) -> None:
    open_now = moment.number("SELECT count(*) FROM app.session_metrics WHERE is_active AND environment = 'production'")
    assert moment.panel("users/sessions")["at work"] == open_now


def logins_per_day(moment: Moment) -> None:
    since = datetime.fromtimestamp(moment.at - RANGE, UTC)
    counted = Counter(
        (midnight(at), result == "success")
        for at, result in moment.sql("SELECT at, result FROM app.login_events WHERE at <= :to")
    )
    shown = {utc(row["time"]): (row["success"], row["failure"]) for row in rows(moment, "logins_per_day")}
    assert shown == {day: (counted[day, True], counted[day, False]) for day in shown} and len(shown) > 20
    assert {day for day, _ in counted if day >= since} <= shown.keys()


def _distribution(shown: list[dict[str, Any]], what: str, counts: list[int]) -> None:
    """Each bar holds what lies above its left edge and up to its right one, the last also what lies beyond."""
    last = max(row["xMax"] for row in shown)
    for row in shown:
        expected = [n for n in counts if row["xMin"] < n <= row["xMax"] or (row["xMax"] == last and n > last)]
        assert row[what] == len(expected) > 0
    assert sum(row[what] for row in shown) == len(counts)
    assert last >= percentile(0.95, counts) or last == max(counts)


def _averages(shown: list[dict[str, Any]], counts: list[int]) -> None:
    expected = {"mean": close(mean(counts)), "median": close(median(counts)), "90 % at most": close(percentile(0.9, counts))}
    assert shown == [expected]


def of_users(moment: Moment) -> list[int]:
    found = moment.sql(
        "SELECT count(*) FROM app.conversations WHERE environment = 'production' AND created_at BETWEEN :from AND :to"
        " GROUP BY user_id",
        seconds=RANGE,
    )
    return [n for (n,) in found]


def of_conversations(moment: Moment) -> list[int]:
    found = moment.sql(
        "SELECT count(*) FROM app.messages m JOIN app.conversations c ON c.id = m.conversation_id"
        " WHERE c.environment = 'production' AND c.created_at BETWEEN :from AND :to GROUP BY c.id",
        seconds=WEEK,
    )
    return [n for (n,) in found]


def conversations_per_user(moment: Moment) -> None:
    _distribution(rows(moment, "conversations_per_user"), "users", of_users(moment))


def conversations_mean(moment: Moment) -> None:
    _averages(rows(moment, "conversations_mean"), of_users(moment))


def messages_per_conversation(moment: Moment) -> None:
    _distribution(rows(moment, "messages_per_conversation", seconds=WEEK), "conversations", of_conversations(moment))


def messages_mean(moment: Moment) -> None:
    _averages(rows(moment, "messages_mean", seconds=WEEK), of_conversations(moment))


def full_hours(moment: Moment) -> Iterator[datetime]:
    hour = datetime.fromtimestamp(math.ceil((moment.at - RANGE) / 3600) * 3600, UTC)
    while hour.timestamp() + 3600 <= moment.at:
        yield hour
        hour += timedelta(hours=1)


def hours(moment: Moment) -> None:
    begun = Counter(
        utc(at).replace(minute=0, second=0, microsecond=0)
        for (at,) in moment.sql("SELECT start_time FROM app.session_metrics WHERE environment = 'production'")
    )
    cells: dict[tuple[str, str], list[int]] = defaultdict(list)
    for hour in full_hours(moment):
        cells[f"{hour:%H:%M}", f"{hour:%a}"].append(begun[hour])
    shown = {(row["UTC"], day): value for row in rows(moment, "hours") for day, value in row.items() if day != "UTC"}
    assert shown == {cell: close(mean(found)) for cell, found in cells.items()} and len(shown) == 7 * 24


def adoption(moment: Moment) -> None:
    everybody = moment.sql(
        f"SELECT count(DISTINCT user_id) FROM app.messages WHERE {OWN} AND created_at BETWEEN :from AND :to", seconds=RANGE
    )[0][0]
    used = moment.sql(
        "SELECT feature, count(DISTINCT user_id) FROM app.feature_usage_events WHERE at BETWEEN :from AND :to GROUP BY 1",
        seconds=RANGE,
    )
    assert {row["Feature"]: row["Adoption"] for row in rows(moment, "adoption")} == {
        feature: close(count / everybody) for feature, count in used
    }


def first_use(moment: Moment) -> None:
    found = moment.sql(
        "SELECT e.feature, e.user_id, u.created_at, min(e.at)"
        " FROM app.feature_usage_events e JOIN app.users u ON u.id = e.user_id WHERE u.created_at BETWEEN :from AND :to"
        " AND e.at BETWEEN :from AND :to GROUP BY 1, 2, 3",
        seconds=RANGE,
    )
    waited: dict[str, list[float]] = {}
    for feature, _, joined, first in found:
        if first >= joined:
            waited.setdefault(feature, []).append((first - joined).total_seconds())
    assert {row["Feature"]: row["Half within"] for row in rows(moment, "first_use")} == {
        feature: close(median(times)) for feature, times in waited.items()
    }


def features(moment: Moment) -> None:
    counted = Counter((midnight(at), feature) for at, feature in moment.sql("SELECT at, feature FROM app.feature_usage_events"))
    shown = {(utc(row["time"]), row["metric"]): row["value"] for row in rows(moment, "features")}
    since = datetime.fromtimestamp(moment.at - RANGE, UTC)
    assert shown == {cell: count for cell, count in counted.items() if cell[0] >= since} and len(shown) > 50


def keys(moment: Moment) -> dict[str, str]:
    """What stands for a user where people see it, by id."""
    return dict(moment.sql("SELECT user_id, user_key FROM analytics.user_keys"))


def most_active(moment: Moment) -> None:
    key = keys(moment)
    found = moment.sql(
        "SELECT m.user_id, u.role, u.department, u.created_at, count(DISTINCT m.conversation_id), count(*), max(m.created_at)"
        " FROM app.messages m JOIN app.users u ON u.id = m.user_id"
        " WHERE m.role = 'user' AND m.created_at BETWEEN :from AND :to GROUP BY 1, 2, 3, 4",
        seconds=RANGE,
    )
    known = {key[str(user)]: (*rest, n, talks, last) for user, *rest, talks, n, last in found}
    shown = {
        row["User"]: (row["Role"], row["Department"], row["Joined"], row["Messages"], row["Conversations"], row["Last seen"])
        for row in rows(moment, "most_active")
    }
    assert shown == {user: known[user] for user in shown} and len(shown) == min(100, len(known))
    assert sorted(row[3] for row in shown.values()) == sorted(row[3] for row in known.values())[-len(shown) :]
    assert all(row["Each"] == close(row["Messages"] / row["Conversations"]) for row in rows(moment, "most_active"))


def spent(moment: Moment) -> dict[str, list[Any]]:
    """Model calls of seven days in production by user."""
    key = keys(moment)
    of_trace = {
        trace: key[str(user)]
        for trace, user in moment.sql("SELECT trace_id, user_id FROM app.agent_executions WHERE user_id IS NOT NULL")
    }
    since = datetime.fromtimestamp(moment.at - WEEK, UTC)
    calls = [row for row in ledger(moment).rows if row.at >= since and row.environment == "production"]
    return grouped((row for row in calls if row.trace in of_trace), lambda row: of_trace[row.trace])


def most_expensive(moment: Moment) -> None:
    by_user = spent(moment)
    cost = {user: math.fsum(row.usd for row in found) for user, found in by_user.items()}
    shown = rows(moment, "most_expensive", seconds=WEEK)
    for row in shown:
        found = by_user[row["User"]]
        assert (row["Calls"], row["Tokens"]) == (len(found), sum(call.total for call in found))
        assert row["Cost"] == pytest.approx(cost[row["User"]], abs=1e-6)
        assert row["Each"] == pytest.approx(cost[row["User"]] / len(found), abs=1e-6)
    assert [row["Cost"] for row in shown] == pytest.approx(sorted(cost.values(), reverse=True)[: len(shown)], abs=1e-6)
    assert len(shown) == min(50, len(cost))


def cost_by_day(moment: Moment) -> None:
    by_user = spent(moment)
    most = sorted(by_user, key=lambda user: -math.fsum(row.usd for row in by_user[user]))[:5]
    expected = {
        (day, user): pytest.approx(math.fsum(row.usd for row in found), abs=1e-6)
        for user in most
        for day, found in grouped(by_user[user], lambda row: row.day).items()
        if any(row.cost is not None for row in found)
    }
    assert {(utc(row["time"]), row["metric"]): row["value"] for row in rows(moment, "cost_by_day", seconds=WEEK)} == expected


_FIGURES = (
    direction, users, stickiness_now, fourth_week, stickiness, growth, roles, sessions, cohorts, lifecycle, segments, groups,
    conversations_per_user, conversations_mean, messages_per_conversation, messages_mean, hours, logins_per_day, adoption,
    first_use, features, most_active, most_expensive, cost_by_day,
)  # fmt: skip
FIGURES = {
    **{f"users/{figure.__name__}": figure for figure in _FIGURES},
    "users/active": active_now,
    "users/active_users": active_lines,
}
FAULTS = (
    Fault("users/active", 'window="7d"', 'window="30d"'),
    Fault("users/cohorts", "r.weeks = 1)", "r.weeks = 2)"),
    Fault("users/lifecycle", "w.week - 7 = lag", "w.week - 14 = lag"),
    Fault("users/segments", "s.full_weeks = 4", "s.full_weeks >= 3"),
    Fault("users/conversations_mean", "GROUP BY c.user_key", "GROUP BY c.user_key, c.agent_id"),
    Fault("users/adoption", "m.role = 'user'", "m.role <> 'user'"),
    Fault("users/first_use", "min(e.at)", "max(e.at)"),
    Fault("users/most_expensive", "sum(t.total_tokens)", "sum(t.output_tokens)"),
)
