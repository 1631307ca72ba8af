"""Service levels on conversations, from the platform's rows; the history of alerts, from what Alertmanager told.

What each alert itself compares with its limit is proved by its scenarios, on given series.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.reckoning import mean
from tests.integration.tabs import Fault

LEVEL = ("production", "all", "goals-achieved", "agents")
"""Environment, scope, name and team of the only service level that is about conversations."""
OBJECTIVE, BUDGET = 0.9, 0.1
EDGE = 600.0
"""Seconds: as far may a window's ends lie from the moment's, for it is looked at every five minutes, five minutes back."""
MINUTES_KEPT = 26 * 3600.0
"""The past is written in samples of a minute for so long; before that there are two in five minutes."""
SEEN_CLOSELY, SEEN_FROM_AFAR = 0.75, 0.4
"""Share of what happened that is seen five minutes at a time, between the first and the last sample of each look, at least."""
RANKS = {"critical": "1", "warning": "2"}
BRIEF = timedelta(minutes=5)


class Missed(NamedTuple):
    """How many times faster than evenly the budget of goals went, and by how much that may differ."""

    burn: float
    bound: float


def _missed(moment: Moment, seconds: float) -> Missed:
    """Of conversations with a known goal that ended in the time before the moment, those that missed it.

    The bound is what happened near the ends, and five deviations of the share of a sample: what is seen weighs for the rest.
    """
    rows = moment.sql(
        "SELECT NOT goal_achieved, ended_at FROM app.conversations "
        "WHERE environment = 'production' AND goal_achieved IS NOT NULL AND ended_at <= :now "
        f"AND ended_at > to_timestamp({moment.at - seconds - EDGE})"
    )
    since = moment.at - seconds
    known = [missed for missed, at in rows if at.timestamp() > since]
    edge = sum(at.timestamp() < since + EDGE or at.timestamp() > moment.at - EDGE for _, at in rows)
    if not known:  # in a quiet hour nothing can be said
        return Missed(0.0, math.inf)
    share = sum(known) / len(known)
    seen = SEEN_CLOSELY if seconds <= MINUTES_KEPT else SEEN_FROM_AFAR
    deviation = math.sqrt(share * (1 - share) * (1 - seen) / seen / len(known))
    return Missed(share / BUDGET, (5 * deviation + edge / len(known)) / BUDGET)


def _remembered(moment: Moment) -> float:
    """For how long Prometheus knows of conversations, in seconds: no longer than the level's own period."""
    first = moment.stack.value(
        'min(min_over_time(timestamp(slo:sli_events:rate5m{slo="goals-achieved",environment="production"})[30d:5m]))', moment.at
    )
    return min(30 * DAY, moment.at - first + 300)


def service_levels(moment: Moment) -> None:
    def known(query: int, before: float = 0) -> list[float]:
        """Of the one level; where a recorded series is shown as it is, its name stands before the labels."""
        found = moment.labelled("alerts/service_levels", query, before=before)
        return [value for labels, value in found.items() if labels[-len(LEVEL) :] == LEVEL]

    def shown(query: int) -> float:
        [value] = known(query)
        return value

    period = _missed(moment, _remembered(moment))
    assert shown(0) == pytest.approx(OBJECTIVE, rel=1e-12)
    assert shown(1) == pytest.approx(1 - period.burn * BUDGET, abs=period.bound * BUDGET)
    assert shown(2) == pytest.approx(1 - period.burn, abs=period.bound)
    # What is left is recorded every minute from a burn that is recorded every minute: it is that of up to two minutes ago.
    left = [1 - (1 - attained) / BUDGET for before in range(0, 150, 15) for attained in known(1, before)]
    assert any(shown(2) == pytest.approx(one, rel=1e-6, abs=1e-9) for one in left), (shown(2), left)
    for query, hours in ((5, 6), (6, 72)):
        found = _missed(moment, min(hours * 3600.0, _remembered(moment)))
        assert shown(query) == pytest.approx(found.burn, abs=found.bound), f"burn rate over {hours} h"


def _of_conversations(shown: dict[str, float]) -> float | None:
    return shown.get("goals-achieved · all · production")


def budget_remaining(moment: Moment) -> None:
    """Of the eight least; where it is not among them, more is left of it."""
    shown, period = moment.panel("alerts/budget_remaining"), _missed(moment, _remembered(moment))
    own = _of_conversations(shown)
    if own is None:
        assert len(shown) == 8 and 1 - period.burn + period.bound >= max(shown.values())
    else:
        assert own == pytest.approx(1 - period.burn, abs=period.bound)


def burn_rates(moment: Moment) -> None:
    """Of the eight highest; where it is not among them, it burns less."""
    shown, hour = moment.panel("alerts/burn_rates"), _missed(moment, 3600.0)
    own = _of_conversations(shown)
    if own is None:
        assert len(shown) == 8 and hour.burn - hour.bound <= min(shown.values())
    else:
        assert own == pytest.approx(hour.burn, abs=hour.bound)


class Episode(NamedTuple):
    """An alert from its beginning to its end; None while it fires."""

    began: datetime
    name: str
    severity: str
    environment: str
    agent: str
    ended: datetime | None

    @property
    def seconds(self) -> float | None:
        return (self.ended - self.began).total_seconds() if self.ended else None


def _episodes(moment: Moment, since: datetime, until: datetime) -> list[Episode]:
    """What was told in that time of production and of what has no environment, all messages of one episode together."""
    told: defaultdict[tuple[Any, ...], list[datetime]] = defaultdict(list)
    for fingerprint, began, name, severity, environment, agent, ended in moment.sql(
        "SELECT fingerprint, starts_at, alertname, severity, environment, agent, ends_at FROM analytics.alert_events "
        f"WHERE received_at BETWEEN to_timestamp({since.timestamp()}) AND to_timestamp({until.timestamp()})"
    ):
        if name != "Watchdog" and environment in ("", "production"):
            told[fingerprint, began, name, severity, environment, agent] += [ended] if ended else []
    return [Episode._make((*key[1:], max(ends, default=None))) for key, ends in told.items()]


def latest(moment: Moment) -> None:
    found = _episodes(moment, datetime.fromtimestamp(moment.at - DAY, UTC), datetime.fromtimestamp(moment.at, UTC))
    expected = [
        (
            one.began,
            one.name,
            RANKS.get(one.severity, "3"),
            one.name,
            one.name,
            one.name,
            one.environment,
            one.agent,
            one.seconds,
        )
        for one in found
    ]
    rows = moment.panel_sql("alerts/latest")
    assert [row[-1] is None for row in rows] == [row[-2] is not None for row in rows], "what still fires can be muted"
    shown = [(*row[:-2], None if row[-2] is None else float(row[-2])) for row in rows]
    assert [row[0] for row in shown] == sorted((row[0] for row in expected), reverse=True)[:200]
    assert set(shown) <= set(expected) and len(shown) == min(200, len(expected))


def frequent(moment: Moment) -> None:
    """Whatever range is chosen: the last thirty days until now."""
    grouped: defaultdict[tuple[str, str], list[Episode]] = defaultdict(list)
    with moment.one_view() as now:
        for one in _episodes(moment, now - timedelta(days=30), now + timedelta(days=1)):
            grouped[one.name, RANKS.get(one.severity, "3")].append(one)
        shown = {(row["alertname"], row["severity"]): row for row in moment.panel_table("alerts/frequent")}
    assert shown.keys() == grouped.keys()
    for key, episodes in grouped.items():
        row, ended = shown[key], [one.seconds for one in episodes if one.seconds is not None]
        assert row["month"] == len(episodes) and row["last"] == max(one.began for one in episodes), key
        assert row["week"] == sum(one.began >= now - timedelta(days=7) for one in episodes), key
        assert (row["mean_seconds"] is None) == (not ended), key
        if ended:
            assert float(row["mean_seconds"]) == pytest.approx(mean(ended), abs=1e-3), key
            assert float(row["brief"]) == pytest.approx(mean(end < BRIEF.total_seconds() for end in ended), abs=1e-9), key
        lasted = sum((now - one.began).total_seconds() if one.seconds is None else one.seconds for one in episodes)
        assert float(row["total_seconds"]) == pytest.approx(lasted, abs=1e-3), key


FIGURES = {
    "alerts/service_levels": service_levels,
    "alerts/budget_remaining": budget_remaining,
    "alerts/burn_rates": burn_rates,
    "alerts/latest": latest,
    "alerts/frequent": frequent,
}
FAULTS = (
    Fault("alerts/service_levels", "slo:objective:ratio", "slo:error_budget:ratio"),
    Fault("alerts/service_levels", "slo:burn_rate:ratio_rate3d", "100 + slo:burn_rate:ratio_rate3d"),
    Fault("alerts/service_levels", "slo:period_error_budget_remaining:ratio", "slo:period_burn_rate:ratio"),
)
