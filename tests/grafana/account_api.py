"""Accounts of the organisation, and when each was last there."""

from __future__ import annotations

from tests.grafana.world import Json, Request, Route, World


def listed(world: World, _: Request) -> list[Json]:
    return world.accounts


ROUTES = (Route("GET", "/api/org/users", "org.users:read", listed),)
