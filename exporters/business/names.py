"""Which agents, environments and versions there are, asked of the platform's tables; small ones, whatever its traffic."""

from __future__ import annotations

from psycopg import sql

from exporters.business.expected import Expected
from exporters.business.frame import DatabaseCollector
from exporters.database.mapping import Mapping
from exporters.database.sharing import Seat
from exporters.journal import Answer

AGENTS, VERSIONS = "agents", "versions"
"""Names of the two queries."""


class Names:
    """What is expected, as of the last time that each question was answered."""

    def __init__(self, mapping: Mapping, environments: tuple[str, ...]) -> None:
        self._mapping = mapping
        self.expected = Expected((), environments)

    def ask(self, collector: DatabaseCollector, now: float) -> None:
        collector.ask(AGENTS, now, lambda: self._agents(collector.seat))
        collector.ask(VERSIONS, now, lambda: self._versions(collector.seat))

    def _agents(self, seat: Seat) -> Answer:
        query = sql.SQL("SELECT DISTINCT name FROM {} AS agents WHERE name <> '' ORDER BY name")
        rows = seat.rows(query.format(self._mapping.table("agents")))
        agents = tuple(name for (name,) in rows)
        self.expected = Expected(agents, self.expected.environments, self.expected.versions)
        return Answer((), len(rows))

    def _versions(self, seat: Seat) -> Answer:
        query = sql.SQL(
            "SELECT DISTINCT agents.name, version, deployments.environment FROM {} AS deployments"
            " JOIN {} AS agents ON agents.id = agent_id WHERE retired_at IS NULL ORDER BY 1, 2, 3"
        )
        rows = seat.rows(query.format(self._mapping.table("deployments"), self._mapping.table("agents")))
        versions = tuple((agent, version, environment) for agent, version, environment in rows)
        self.expected = Expected(self.expected.agents, self.expected.environments, versions)
        return Answer((), len(rows))
