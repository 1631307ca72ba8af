"""The query API as a process: everything put together, served on a bound socket until a signal ends it."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from api.answers import instant
from api.application import application
from api.catalogue.endpoints import Role
from api.catalogue.live import LIVE
from api.database import Bounds, Database, Dsn
from api.grafana import Grafana
from api.live import Live
from api.parameters import Range
from api.prometheus import Prometheus
from api.protocol import server_options
from api.service import Asked, Service
from api.tokens import Caller, Tokens
from api.viewers import Viewers
from contract.api import Api
from contract.live import FIGURES
from contract.values import duration_seconds


@dataclass(frozen=True)
class Setup:
    """All that the process needs. `dsns` give the connection string of each role that is served; `metrics` are the recorded
    series by name, with their words; `grafana` is told of live figures, `viewers` asks who looks, where there are any."""

    api: Api
    tokens: Path
    dsns: Mapping[Role, Dsn]
    prometheus: str
    metrics: Mapping[str, str]
    dashboards: str
    grafana: Grafana | None = None
    viewers: Viewers | None = None


def served(setup: Setup) -> Service:
    """What answers. Raises TokensRefused when the file of tokens cannot be used."""
    limits = setup.api.limits
    database = Database(setup.dsns, Bounds(limits.queries, limits.waiting, duration_seconds(limits.statement_timeout)))
    return Service(database, Tokens(setup.tokens), limits, Prometheus(setup.prometheus), setup.metrics, setup.dashboards)


def assembled(setup: Setup) -> Starlette:
    """The application. Raises TokensRefused when the file of tokens cannot be used."""
    service, limits = served(setup), setup.api.limits
    roles = [role for role in (Role.BUSINESS, Role.ADMIN) if role in setup.dsns]
    caller = Caller("live", roles[0] if roles else Role.BUSINESS)

    async def figures() -> bytes:
        part = await service.fresh(caller, LIVE, Asked(Range(None, None, 1)))  # what is kept may be of before the commit
        rows = json.loads(b"{" + part.body + b"}")["rows"]
        return told(service.now(), rows)

    live = Live(figures, setup.dsns[roles[0]] if roles else None, limits.streams)
    return application(service, live, setup.grafana, setup.viewers)


def told(now: datetime, rows: list[dict[str, Any]]) -> bytes:
    """Live figures as they are sent: of all environments together, and of each."""
    total = {name: sum(row[name] for row in rows) for name in FIGURES}
    return json.dumps({"at": instant(now), "total": total, "environments": rows}, separators=(",", ":")).encode()


class Server(uvicorn.Server):
    """Ends streams before it waits for what goes on: they would go on without end, and be broken off as if by a mistake."""

    def __init__(self, setup: Setup) -> None:
        self._application = assembled(setup)
        super().__init__(uvicorn.Config(self._application, **server_options(setup.api.limits.connections)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._application.state.live.end()
        await super().shutdown(sockets)


def serve(setup: Setup, listening: socket.socket) -> None:
    """Serves until SIGTERM or SIGINT. Raises TokensRefused."""
    with suppress(KeyboardInterrupt):  # once all is closed, uvicorn raises the signal that ended it again
        Server(setup).run(sockets=[listening])
