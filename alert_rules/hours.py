"""Hours of teams, as time intervals of Alertmanager: what is not urgent waits for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contract.notifications import Hours, Team, Urgency

WAITS: tuple[Urgency, ...] = ("warning", "info")
"""What waits for a team's hours. Everything else is told at once, at any hour."""


def interval_name(team: Team) -> str:
    return f"hours-{team.name}"


def interval(hours: Hours) -> dict[str, Any]:
    return {
        "times": [{"start_time": hours.start, "end_time": hours.end}],
        "weekdays": list(hours.weekdays),
        "location": hours.timezone,
    }


def intervals(teams: Iterable[Team]) -> list[dict[str, Any]]:
    """The time intervals of the teams that have hours, by name."""
    return [{"name": interval_name(team), "time_intervals": [interval(team.hours)]} for team in teams if team.hours]


def of_route(team: Team, urgency: Urgency) -> dict[str, list[str]]:
    """What a route says about hours: nothing, or that it speaks within the team's hours only."""
    return {"active_time_intervals": [interval_name(team)]} if team.hours and urgency in WAITS else {}
