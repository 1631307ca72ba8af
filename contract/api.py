"""The configuration of the query API: where it listens, whom it lets read, and how much one caller may ask."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contract.values import Address, Section, between


class ApiLogins(Section):
    """Files with the connection string of each kind of caller: of members of `observatory_grafana_admin`,
    `observatory_grafana_business` and `observatory_self_service`. A kind without one is not served."""

    admin: str | None = None
    business: str | None = None
    self_service: str | None = None


class ApiLimits(Section):
    """What one caller, and all together, may cost. `rate` is in requests a minute, and `burst` how many may come at once."""

    rate: Annotated[int, Field(ge=1, le=100_000)] = 600
    burst: Annotated[int, Field(ge=1, le=10_000)] = 100
    queries: Annotated[int, Field(ge=1, le=64)] = 6
    waiting: Annotated[int, Field(ge=1, le=10_000)] = 200
    statement_timeout: Annotated[str, between("100ms", "25s")] = "5s"
    days: Annotated[int, Field(ge=1, le=3660)] = 400
    rows: Annotated[int, Field(ge=100, le=1_000_000)] = 50_000
    streams: Annotated[int, Field(ge=1, le=10_000)] = 100
    connections: Annotated[int, Field(ge=10, le=20_000)] = 500


class Api(Section):
    """The query API, `observatory api`. `tokens_file` holds the digests of tokens; with `grafana_live` live figures are pushed
    to the Grafana of `sources.grafana`, with its token, and the tab Overview has panels that follow them. With `viewers`
    that Grafana is asked how many people were there, for `/metrics`, which Prometheus then scrapes at `listen`; and how many
    looked at each tab is read in `viewers_log`, its log."""

    listen: Address = "127.0.0.1:9465"
    tokens_file: str | None = None
    dsn_files: ApiLogins = ApiLogins()
    limits: ApiLimits = ApiLimits()
    grafana_live: bool = False
    viewers: bool = False
    viewers_log: str | None = None
