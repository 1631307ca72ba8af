"""What agents leave to people, on the tab of support tickets: from the rows of conversations and of handoffs."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.reckoning import close, ends, grouped, mean, midnight, percentile, utc, words
from tests.integration.tabs import Fault

MONTH = 30 * DAY


def rows_of(moment: Moment, name: str) -> list[tuple[Any, ...]]:
    return moment.panel_sql(f"tickets/{name}", seconds=MONTH)


OUTCOMES = ("resolved", "handoff", "abandoned", "failed")
PRODUCTION = "c.environment = 'production'"


def ended(moment: Moment) -> list[tuple[datetime, str, str]]:
    """Day, agent and outcome of the conversations that ended on the whole days of the range."""
    since, until = ends(moment, MONTH)
    found = moment.sql(
        "SELECT c.ended_at, a.name, c.outcome FROM app.conversations c JOIN app.agents a ON a.id = c.agent_id"
        f" WHERE {PRODUCTION} AND c.ended_at BETWEEN :from AND :to",
        MONTH,
    )
    return [(midnight(at), agent, outcome) for at, agent, outcome in found if since <= midnight(at) <= until]


def shares(found: list[tuple[datetime, str, str]]) -> list[float | None]:
    return [mean(outcome == wanted for *_, outcome in found) for wanted in OUTCOMES]


def outcomes_by_day(moment: Moment) -> None:
    """A day on which conversations only began has no shares."""
    expected = {day: shares(found) for day, found in grouped(ended(moment), lambda row: row[0]).items()}
    shown = {utc(day): rest for day, *rest in rows_of(moment, "outcomes_by_day")}
    assert {day for day, rest in shown.items() if rest != shares([])} == expected.keys() and len(expected) > 25
    for day, values in expected.items():
        assert shown[day] == pytest.approx(values, rel=1e-12), day


def contained(moment: Moment) -> None:
    shown = {agent: rest for agent, _, *rest in rows_of(moment, "contained")}
    expected = grouped(ended(moment), lambda row: row[1])
    assert shown.keys() == expected.keys()
    for agent, found in expected.items():
        assert shown[agent] == pytest.approx([len(found), *shares(found)], rel=1e-12), agent


_HANDOFFS = (
    "SELECT h.at, a.name, h.reason, h.ticket_id, h.accepted_at, h.resolved_at, c.created_at FROM app.handoffs h"
    " JOIN app.conversations c ON c.id = h.conversation_id JOIN app.agents a ON a.id = c.agent_id"
    f" WHERE {PRODUCTION} AND h.at BETWEEN :from AND :to"
)


def handoff_reasons(moment: Moment) -> None:
    since, _ = ends(moment, MONTH)
    counted = Counter((midnight(at), words(reason)) for at, _, reason, *_ in moment.sql(_HANDOFFS, MONTH))
    shown = {(utc(day), reason): count for day, reason, count in rows_of(moment, "handoff_reasons")}
    assert shown == {key: count for key, count in counted.items() if key[0] >= since} and len(shown) > 50


def handoffs_taken(moment: Moment) -> None:
    since, _ = ends(moment, MONTH)
    rows = [row for row in moment.sql(_HANDOFFS, MONTH) if row[-1] >= since]
    shown = {(agent, reason): rest for agent, reason, *rest in rows_of(moment, "handoffs_taken")}
    expected = grouped(rows, lambda row: (row[1], words(row[2])))
    assert shown.keys() == expected.keys()
    for key, found in expected.items():
        waits = [(row[4] - row[0]).total_seconds() for row in found if row[4]]
        lasted = [(row[5] - row[0]).total_seconds() for row in found if row[5]]
        ticket_share = mean(row[3] is not None for row in found)
        values = [len(found), ticket_share, percentile(0.5, waits), percentile(0.9, waits), percentile(0.5, lasted)]
        assert shown[key] == close(values), key


FIGURES = {f"tickets/{check.__name__}": check for check in (outcomes_by_day, contained, handoff_reasons, handoffs_taken)}
FAULTS = (
    Fault("tickets/contained", "d.solved", "d.handed_over"),
    Fault("tickets/handoffs_taken", "h.accepted_at - h.at", "h.resolved_at - h.at"),
)
