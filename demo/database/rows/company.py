"""Rows of the company: departments, agents, deployments, users and when they were last seen."""

from __future__ import annotations

from collections.abc import Iterable

from demo.database.rows.text import NULL, Lines, by, moment
from demo.world.catalogue import AGENTS, DEPARTMENT_ID, DEPARTMENTS
from demo.world.model import Hour, User
from demo.world.world import World

LastSeen = dict[int, float]
"""When a user last did something, by user id."""


def write_company(lines: Lines, world: World, at: float) -> None:
    """Departments, agents with the version on production, and deployments, as they stand `at`."""
    lines["departments"] += [f"{number}\t{name}\t{team}\n" for number, (name, team) in enumerate(DEPARTMENTS, 1)]
    lines["agents"] += [
        f"{agent.agent_id}\t{agent.name}\t{agent.type}\t{DEPARTMENT_ID[agent.department]}\t{agent.owner_team}\tproduction\t"
        f"{world.version(agent.name, 'production', at).version}\tt\n"
        for agent in AGENTS
    ]
    ids = {agent.name: agent.agent_id for agent in AGENTS}
    lines["deployments"] += [
        f"{d.deployment_id}\t{ids[d.agent]}\t{d.version}\t{d.environment}\t{moment(d.at)}\t{by(d.retired_at, at)}\t"
        f'{d.commit_ref}\t{{"model": "{d.model}", "prompt_version": {d.prompt_version}}}\n'
        for d in world.deployments(at)
    ]


def see(seen: LastSeen, hour: Hour, since: float, until: float) -> None:
    """Note the users who asked, searched, logged in or used a feature in (since, until]."""
    for conversation in hour.conversations:
        for execution in conversation.executions:
            _note(seen, execution.user_id, execution.at, since, until)
    for search in hour.searches:
        _note(seen, search.user_id, search.at, since, until)
    for login in hour.logins:
        _note(seen, login.user_id, login.at, since, until)
    for use in hour.features:
        _note(seen, use.user_id, use.at, since, until)


def _note(seen: LastSeen, user: int, at: float, since: float, until: float) -> None:
    if since < at <= until and at > seen.get(user, 0.0):
        seen[user] = at


def write_users(lines: Lines, users: Iterable[User], seen: LastSeen) -> None:
    """Users with when they were last seen, which is their coming for those who did nothing since."""
    lines["users"] += [
        f"{user.user_id}\t{moment(user.at)}\t{user.role}\t{user.status}\t{user.department}\t"
        f"{moment(max(user.at, seen.get(user.user_id, 0.0)))}\t{user.country_code or NULL}\n"
        for user in users
    ]
