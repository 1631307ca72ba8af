"""A Grafana for each test: the server in this folder, or a real one where OBSERVATORY_GRAFANA_URL names one.

In a real one, everything has a name of the test's own, and is removed afterwards.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator

import pytest

from provisioning.targets.grafana.client import TOKEN_VARIABLE, URL_VARIABLE, Client
from tests.grafana.server import TOKEN, GrafanaServer, serving
from tests.grafana.site import Site


@pytest.fixture
def server() -> Iterator[GrafanaServer]:
    """The server of this folder, with what only it can do: going wrong, and being looked into."""
    with serving() as server:
        yield server


@pytest.fixture
def pauses() -> list[float]:
    """How long the client would have waited between attempts."""
    return []


@pytest.fixture
def site(server: GrafanaServer, pauses: list[float]) -> Site:
    """On the server of this folder."""
    return Site(Client(server.url, TOKEN, pause=pauses.append), "ours")


@pytest.fixture
def any_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """On a real Grafana where one is given, else on the server of this folder."""
    url, token = os.environ.get(URL_VARIABLE, ""), os.environ.get(TOKEN_VARIABLE, "")
    if not url:
        yield request.getfixturevalue("site")
        return
    site = Site(Client(url.rstrip("/"), token), f"t{secrets.token_hex(4)}")
    yield site
    site.clear()


@pytest.fixture
def reaches(server: GrafanaServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets commands go to the server of this folder, with a token."""

    def reach(token: str = TOKEN) -> None:
        monkeypatch.setenv(URL_VARIABLE, server.url)
        monkeypatch.setenv(TOKEN_VARIABLE, token)

    return reach
