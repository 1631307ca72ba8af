"""Support tickets, from the rows of tickets and of their changes."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.reckoning import EDGE, ends, grouped, keys, mean, midnight, percentile, utc, within, words
from tests.integration.tabs import Fault
from tests.integration.ticket_rows import MONTH, OPEN, TARGETS, Ticket, opened, resolved, tickets, took

ORDER = ("low", "normal", "high", "urgent")
ALL = {"priority": ".*", "by": "'priority'"}


def rows_of(moment: Moment, name: str, **choices: str) -> list[tuple[Any, ...]]:
    return moment.panel_sql(f"tickets/{name}", seconds=MONTH, **ALL | choices)


def state(moment: Moment) -> None:
    """Judged as the alerts say: more than 50 overdue, 20 due within the hour, 2 urgent ones without owner; 10 in a day."""
    shown = moment.panel("tickets/state", **ALL)
    assert shown["Overdue"] == 2 * (max(due(moment, overdue=True).values()) > 50)
    assert shown["Due within the hour"] == 2 * (max(due(moment, overdue=False).values()) > 20)
    urgent = [ticket for ticket in tickets(moment) if ticket.priority == "urgent"]
    assert shown["Urgent without owner"] == 2 * (sum(ticket.open and ticket.assignee is None for ticket in urgent) > 2)
    since, until = ends(moment, DAY)
    if sum(within(ticket.opened, since, until) for ticket in urgent) < 8:
        assert shown["First response, urgent"] == 1
    if moment.number("SELECT count(*) FROM app.ticket_events WHERE from_status = 'resolved' AND to_status = 'in_progress'"
                     " AND at >= :now - interval '26 hours'") < 8:  # fmt: skip
        assert shown["Opened again"] == 1


def open_tickets(moment: Moment) -> None:
    [shown] = moment.panel("tickets/open_tickets", **ALL).values()
    assert shown == sum(ticket.open for ticket in tickets(moment)) > 5


def balance(moment: Moment) -> None:
    came, went = len(opened(moment)), len(resolved(moment))
    assert rows_of(moment, "balance") == [(came, went, came - went)]
    assert came > 100


def kept(moment: Moment, kind: str, name: str) -> None:
    since, until = ends(moment, MONTH)
    expected = {}
    for span, begin, end in (("this range", since, until), ("range before", since - (until - since), since)):
        judged = [
            served is not None and served <= due
            for ticket in tickets(moment)
            for served, due in [ticket.promise(kind)]
            if due and (within(served, begin, end) or (served is None and ticket.open and within(due, begin, end)))
        ]
        expected[span] = sum(judged) / len(judged)
    assert dict(rows_of(moment, name)) == pytest.approx(expected, rel=1e-12)


def answered_in_time(moment: Moment) -> None:
    kept(moment, "first response", "answered_in_time")


def resolved_in_time(moment: Moment) -> None:
    kept(moment, "resolution", "resolved_in_time")


def answers(moment: Moment) -> list[tuple[datetime, float]]:
    since, until = ends(moment, MONTH)
    return [
        (ticket.answered, (ticket.answered - ticket.opened).total_seconds())
        for ticket in tickets(moment)
        if ticket.answered and within(ticket.answered, since, until)
    ]


def first_response(moment: Moment) -> None:
    seconds = [each for _, each in answers(moment)]
    [shown] = rows_of(moment, "first_response")
    assert shown == pytest.approx((percentile(0.5, seconds), percentile(0.9, seconds)), rel=1e-9)


def reopened(moment: Moment) -> None:
    since, until = ends(moment, MONTH)
    again = {
        span: mean(ticket.reopened > 0 for ticket in tickets(moment) if within(ticket.resolved, begin, end))
        for span, begin, end in (("this range", since, until), ("range before", since - (until - since), since))
    }
    assert dict(rows_of(moment, "reopened")) == pytest.approx(again, rel=1e-12)


def opened_and_resolved(moment: Moment) -> None:
    since, until = ends(moment, MONTH)
    came = Counter(midnight(ticket.opened) for ticket in tickets(moment))
    went = Counter(midnight(ticket.resolved) for ticket in tickets(moment) if ticket.resolved)
    shown = [(utc(day), *rest) for day, *rest in rows_of(moment, "opened_and_resolved")]
    days = [day for day, *_ in shown]
    assert {day for day in came.keys() | went.keys() if since <= day <= until} <= set(days) and days == sorted(set(days))
    changes = itertools.accumulate(came[day] - went[day] for day in days)
    assert shown == [(day, came[day], went[day], change) for day, change in zip(days, changes, strict=True)]
    assert len(days) > 25


def creation_rate(moment: Moment) -> None:
    """A counter's growth in an hour is that of its scrapes, stretched to the hour: what was opened at its ends may be in it,
    and one more. The still platform is not scraped.
    """
    since, until = ends(moment, 3600)
    seen = moment.stack.value("max_over_time(max(timestamp(tickets_created_total))[1h:15s])", moment.at)
    last = datetime.fromtimestamp(seen, UTC) - EDGE
    came = Counter(ticket.priority for ticket in tickets(moment) if within(ticket.opened, since, until))
    at_ends = Counter(
        ticket.priority
        for ticket in tickets(moment)
        if within(ticket.opened, since - EDGE, since + EDGE) or within(ticket.opened, last, until)
    )
    for priority, shown in moment.panel("tickets/creation_rate", **ALL).items():
        assert abs(shown - came[priority]) <= 1.1 * max(1, at_ends[priority]) + 0.05 * came[priority], priority


def attainment_by_day(moment: Moment) -> None:
    since, until = ends(moment, MONTH)
    judged: dict[tuple[datetime, str], list[bool]] = defaultdict(list)
    for ticket in tickets(moment):
        for kind in TARGETS:
            served, due = ticket.promise(kind)
            if due and (within(served, since, until) or (served is None and ticket.open and within(due, since, until))):
                judged[midnight(served or due), kind].append(served is not None and served <= due)
    shown = {(utc(day), kind): share for day, kind, share in rows_of(moment, "attainment_by_day")}
    assert shown == pytest.approx({key: mean(found) for key, found in judged.items()}, rel=1e-12)


def due(moment: Moment, overdue: bool) -> dict[tuple[str, str], int]:
    """Open tickets that are not served, by promise and priority: past due, or due within the hour."""
    now = moment.asked("tickets_oldest_open")
    found = dict.fromkeys(((kind.replace(" ", "_"), priority) for kind in TARGETS for priority in ORDER), 0)
    for ticket in tickets(moment):
        for kind in TARGETS:
            served, at = ticket.promise(kind)
            if ticket.open and served is None and at and (at < now if overdue else now <= at < now + timedelta(hours=1)):
                found[kind.replace(" ", "_"), ticket.priority] += 1
    return found


def late(moment: Moment) -> None:
    """The exporter looks at these once a minute: what falls due within that minute may be on either side."""
    for query, overdue in enumerate((False, True)):
        shown = moment.labelled("tickets/late", query, **ALL)
        expected = due(moment, overdue)
        assert shown.keys() == expected.keys()
        assert sum(abs(shown[key] - count) for key, count in expected.items()) <= 1, query


def by_day(moment: Moment, name: str, times: list[tuple[datetime, float]]) -> None:
    expected = {
        day: (percentile(0.5, hours), percentile(0.9, hours))
        for day, found in grouped(times, lambda each: midnight(each[0])).items()
        for hours in [[seconds / 3600 for _, seconds in found]]
    }
    shown = {utc(day): rest for day, *rest in rows_of(moment, name)}
    assert shown.keys() == expected.keys()
    for day, values in expected.items():
        assert shown[day] == pytest.approx(values, rel=1e-9)


def response_by_day(moment: Moment) -> None:
    by_day(moment, "response_by_day", answers(moment))


def resolution_by_day(moment: Moment) -> None:
    by_day(moment, "resolution_by_day", [(ticket.resolved, took(ticket)) for ticket in resolved(moment) if ticket.resolved])


def resolution_by(moment: Moment) -> None:
    choices: dict[str, Callable[[Ticket], str]] = {
        "priority": lambda ticket: ticket.priority,
        "category": lambda ticket: ticket.category or "no category",
        "status": lambda ticket: words(ticket.status),
    }
    for choice, key in choices.items():
        shown = {name: rest for name, *rest in rows_of(moment, "resolution_by", by=f"'{choice}'")}
        expected = grouped(resolved(moment), key)
        assert shown.keys() == expected.keys()
        for name, found in expected.items():
            hours = [took(ticket) / 3600 for ticket in found]
            assert shown[name] == pytest.approx([mean(hours), percentile(0.5, hours), percentile(0.9, hours)], rel=1e-9)


def backlog(moment: Moment) -> None:
    """Told forwards from the first change of each ticket."""
    since, until = ends(moment, MONTH)
    changes = moment.sql("SELECT ticket_id, at, to_status FROM app.ticket_events ORDER BY ticket_id, at")
    moments = sorted({*(datetime.fromtimestamp(at, UTC) for at in _sixths(since, until)), until})
    expected: Counter[tuple[datetime, str]] = Counter()
    for lives in grouped(changes, lambda change: change[0]).values():
        for at in moments:
            before = [status for _, changed, status in lives if changed < at]
            if before and before[-1] in OPEN:
                expected[at, words(before[-1])] += 1
    shown = {(utc(at), status): count for at, status, count in rows_of(moment, "backlog")}
    assert len(shown) == len(moments) * len(OPEN)
    assert {key: count for key, count in shown.items() if count} == expected


def _sixths(since: datetime, until: datetime) -> range:
    first = int(since.timestamp()) // 21600 * 21600
    return range(first, int(until.timestamp()) + 1, 21600)


def backlog_age(moment: Moment) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    for ticket in tickets(moment):
        days = (ends(moment, MONTH)[1] - ticket.opened).total_seconds() / DAY
        name = "under 1 d" if days < 1 else "1-3 d" if days < 3 else "3-7 d" if days < 7 else "over 7 d"
        counted[name, ticket.priority] += ticket.open
    expected = [(age, *(counted[age, priority] for priority in ORDER)) for age in ("under 1 d", "1-3 d", "3-7 d", "over 7 d")]
    assert rows_of(moment, "backlog_age") == expected


def by_priority(moment: Moment) -> None:
    counted = Counter((ticket.priority, ticket.status) for ticket in tickets(moment))
    expected = [(priority, *(counted[priority, status] for status in OPEN)) for priority in ORDER]
    assert rows_of(moment, "by_priority") == expected


def by_status(moment: Moment) -> None:
    counted = Counter(words(ticket.status) for ticket in tickets(moment))
    shown = moment.panel("tickets/by_status", **ALL)
    assert {status: count for status, count in shown.items() if count} == counted


def assignment(moment: Moment) -> None:
    owned = Counter("no owner" if ticket.assignee is None else "owned" for ticket in tickets(moment) if ticket.open)
    assert moment.panel("tickets/assignment", **ALL) == {"owned": owned["owned"], "no owner": owned["no owner"]}


def by_category(moment: Moment) -> None:
    assert dict(rows_of(moment, "by_category")) == Counter(ticket.category or "no category" for ticket in opened(moment))


def due_next(moment: Moment) -> None:
    shown = moment.panel_table("tickets/due_next", seconds=MONTH, **ALL)
    now, known = ends(moment, MONTH)[1], keys(moment)
    expected = []
    for ticket in tickets(moment):
        owed = TARGETS[ticket.answered is not None]
        due_at = ticket.promise(owed)[1]
        if ticket.open and due_at:
            owner = known[str(ticket.assignee)] if ticket.assignee else "nobody"
            expected.append((due_at, ticket.id, ticket.priority, words(ticket.status), owner, owed))
    expected.sort()
    found = [(row["due"], int(row["id"]), row["priority"], row["status"], row["owner"], row["owed"]) for row in shown]
    assert sorted(found) == expected[:100] and [row[0] for row in found] == [row[0] for row in expected[:100]]
    for row in shown:
        assert row["left"] == pytest.approx((row["due"] - now).total_seconds(), abs=1e-3)


def attainment(moment: Moment) -> None:
    """Of the 30 days that begin at a full hour, as the definition's windows do."""
    now = moment.postgres
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=30)
    shown = moment.panel("tickets/attainment")
    for kind in TARGETS:
        judged = [
            served is not None and served <= at
            for ticket in tickets(moment)
            for served, at in [ticket.promise(kind)]
            if at and ((served is not None and served >= since) or (served is None and ticket.open and since <= at < now))
        ]
        # Those past due are looked for once a minute: one more or less.
        assert shown[kind.replace(" ", "_")] == pytest.approx(mean(judged), abs=1.01 / len(judged)), kind


def without_target(moment: Moment) -> None:
    found = opened(moment)
    assert rows_of(moment, "without_target") == [
        (sum(ticket.answer_due is None for ticket in found), sum(ticket.resolution_due is None for ticket in found))
    ]


def stages(moment: Moment) -> None:
    changes = grouped(
        moment.sql("SELECT ticket_id, at, to_status FROM app.ticket_events ORDER BY ticket_id, at"), lambda change: change[0]
    )
    shown = {priority: rest for priority, *rest in rows_of(moment, "stages")}
    for priority, found in grouped(resolved(moment), lambda ticket: ticket.priority).items():
        spent: dict[str, float] = defaultdict(float)
        for ticket in found:
            life = changes[ticket.id]
            for (_, at, status), (_, left, _) in itertools.pairwise(life):
                spent[status] += (left - at).total_seconds() / 3600
        assert shown[priority] == pytest.approx([spent[status] / len(found) for status in OPEN], rel=1e-9), priority
    assert len(shown) == len(ORDER)


def resolution_table(moment: Moment) -> None:
    shown = {(priority, status): rest for priority, status, *rest in rows_of(moment, "resolution_table")}
    expected = grouped(resolved(moment), lambda ticket: (ticket.priority, words(ticket.status)))
    assert shown.keys() == expected.keys()
    for key, found in expected.items():
        times = [took(ticket) for ticket in found]
        values = [len(times), mean(times), percentile(0.5, times), percentile(0.9, times)]
        assert shown[key] == pytest.approx(values, rel=1e-9), key


def twice(moment: Moment) -> None:
    asked = {ticket for (ticket,) in moment.sql("SELECT ticket_id FROM app.ticket_events WHERE to_status = 'waiting'")}
    expected = {
        category: (
            len(found),
            mean(ticket.reopened > 0 for ticket in found),
            mean(ticket.reopened == 0 and ticket.id not in asked for ticket in found),
        )
        for category, found in grouped(resolved(moment), lambda ticket: ticket.category or "no category").items()
    }
    shown = {category: tuple(rest) for category, *rest in rows_of(moment, "twice")}
    assert shown.keys() == expected.keys()
    for category, values in expected.items():
        assert shown[category] == pytest.approx(values, rel=1e-12), category


def creators(moment: Moment) -> None:
    known = keys(moment)
    expected = [
        (
            known[str(user)],
            len(found),
            sum(ticket.open for ticket in found),
            sum(ticket.priority == "urgent" for ticket in found),
            sum(ticket.reopened > 0 for ticket in found),
            max(ticket.opened for ticket in found),
        )
        for user, found in grouped(opened(moment), lambda ticket: ticket.user).items()
    ]
    expected.sort(key=lambda row: (-row[1], row[0]))
    assert sorted(rows_of(moment, "creators")) == sorted(expected[:50])


def assignees(moment: Moment) -> None:
    since, until = ends(moment, MONTH)
    known = keys(moment)
    shown = {who: rest for who, *rest in rows_of(moment, "assignees")}
    expected = grouped(
        (ticket for ticket in tickets(moment) if ticket.open or within(ticket.resolved, since, until)),
        lambda ticket: known[str(ticket.assignee)] if ticket.assignee else "nobody",
    )
    assert shown.keys() == expected.keys()
    for who, found in expected.items():
        times = [took(ticket) for ticket in found if within(ticket.resolved, since, until)]
        held = [ticket for ticket in found if ticket.open]
        late_ones = sum(ticket.resolution_due is not None and ticket.resolution_due < until for ticket in held)
        assert shown[who][:3] == [len(held), late_ones, len(times)], who
        assert shown[who][3] == (pytest.approx(percentile(0.5, times), rel=1e-9) if times else None), who


FIGURES = {
    f"tickets/{check.__name__}": check
    for check in (
        state, answered_in_time, resolved_in_time, reopened, open_tickets, balance, first_response, opened_and_resolved,
        creation_rate, attainment_by_day, late, response_by_day, resolution_by_day, resolution_by, backlog, backlog_age,
        by_priority, by_status, assignment, by_category, due_next, attainment, without_target, stages, resolution_table, twice,
        creators, assignees,
    )
}  # fmt: skip
FAULTS = (
    Fault("tickets/resolved_in_time", "p.served <= p.due", "p.served > p.due"),
    Fault("tickets/opened_and_resolved", "d.created", "d.responded"),
    Fault("tickets/backlog", "e.from_status, -1", "e.from_status, 0"),
    Fault("tickets/by_status", 'status="resolved"', 'status="closed"'),
    Fault("tickets/twice", "NOT s.asked", "s.asked"),
    Fault("tickets/stages", "t.resolved_at", "t.created_at"),
)
