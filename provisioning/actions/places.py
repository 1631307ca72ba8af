"""Where an agent runs, as the platform's rows say: what actions on agents are held against."""

from __future__ import annotations

from provisioning.actions.audit import Connection
from provisioning.findings import InputError

_AGENTS = "SELECT name FROM analytics.agents ORDER BY name"
_PLACES = """
SELECT d.environment FROM analytics.deployments d JOIN analytics.agents a ON a.id = d.agent_id WHERE a.name = %(agent)s
UNION SELECT environment FROM analytics.agents WHERE name = %(agent)s ORDER BY 1
"""
_DEPARTMENT = """
SELECT a.name FROM analytics.agents a JOIN analytics.departments d ON d.id = a.department_id
WHERE d.name = %s GROUP BY 1 ORDER BY 1
"""
_DEPARTMENTS = (
    "SELECT DISTINCT d.name FROM analytics.departments d JOIN analytics.agents a ON a.department_id = d.id ORDER BY 1"
)


def of_department(connection: Connection, department: str) -> tuple[str, ...]:
    """The agents of a department. Raises InputError where there are none."""
    found = tuple(name for (name,) in connection.execute(_DEPARTMENT, (department,)).fetchall())
    if not found:
        known = ", ".join(name for (name,) in connection.execute(_DEPARTMENTS).fetchall())
        raise InputError(f"error: there is no department {department} with agents; there are: {known or 'none'}")
    return found


def refuse_unknown(connection: Connection, agent: str, environment: str) -> None:
    """Raises InputError for an agent that is not there, or was never in this environment."""
    known = [name for (name,) in connection.execute(_AGENTS).fetchall()]
    if agent not in known:
        raise InputError(f"error: there is no agent {agent}; there are: {', '.join(known[:20]) or 'none'}")
    places = [place for (place,) in connection.execute(_PLACES, {"agent": agent}).fetchall()]
    if environment not in places:
        raise InputError(f"error: {agent} was never in {environment}; it is or was in: {', '.join(places)}")
