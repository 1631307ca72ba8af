"""The questions behind the endpoints: who may ask what, answered from what is kept or from the database."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from api.answers import Part, part, table
from api.cache import Cache, Kept
from api.catalogue.endpoints import Role
from api.catalogue.model import Query
from api.database import Database, Rows
from api.limits import Rates
from api.parameters import FIRST_PAGE, MOST_PAGE_SIZE, Page, Range, bounded
from api.problems import Problem
from api.prometheus import Prometheus
from api.tokens import Caller, Tokens
from contract.api import ApiLimits

_KEPT_BYTES, _BESIDE_BYTES = 64_000_000, 1_000
"""What all answers that are kept may weigh together, and what each does beside its text."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Asked:
    """What a request chooses: the range, the values of filters, the page, and the ids of its address."""

    range_: Range
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    page: Page = FIRST_PAGE
    ids: Mapping[str, str] = field(default_factory=dict)

    def key(self, caller: Caller, query: Query) -> bytes:
        """What makes the answer to a query another one, as a digest: what callers choose by may be long. Rows of one person
        are never an answer to another one, nor to another role."""
        chosen = tuple((name, *self.filters[name]) for name in sorted(self.filters) if name in query.filters)
        ids = tuple(self.ids[name] for name in query.needs)
        range_ = self.range_ if query.ranged else None
        said = (caller.role, caller.user_key, query.key, query.sql, query.order, range_, chosen, self.page, ids)
        return hashlib.sha256(repr(said).encode()).digest()


@dataclass
class Service:
    """`metrics` are the names of recorded series that may be read; `dashboards` is where people see the same as pictures."""

    database: Database
    tokens: Tokens
    limits: ApiLimits
    prometheus: Prometheus
    metrics: Mapping[str, str]
    dashboards: str
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _now
    rates: Rates = field(init=False)
    strangers: Rates = field(init=False)
    """Of addresses whose requests show no token that is known: however many there are, callers keep their own rates."""
    cache: Cache[Part] = field(init=False)

    def __post_init__(self) -> None:
        self.rates, self.strangers = (Rates(self.limits.rate, self.limits.burst, self.clock) for _ in range(2))
        self.cache = Cache(_KEPT_BYTES, lambda kept: kept.size + _BESIDE_BYTES, self.clock)

    async def parts(self, caller: Caller, queries: Sequence[Query], asked: Asked) -> tuple[dict[str, Part], float]:
        """The answers by the queries' names, and for how many seconds from now they hold. Raises Problem."""
        kept = await asyncio.gather(*(self._part(caller, query, asked) for query in queries))
        holds = max(0.0, min(one.until for one in kept) - self.clock())
        return {query.key: one.value for query, one in zip(queries, kept, strict=True)}, holds

    async def _part(self, caller: Caller, query: Query, asked: Asked) -> Kept[Part]:
        return await self.cache.get(asked.key(caller, query), query.ttl, lambda: self.fresh(caller, query, asked))

    async def fresh(self, caller: Caller, query: Query, asked: Asked) -> Part:
        """The answer as it is now, whatever is kept. Raises Problem."""
        rows, since, until, acted = await self._rows(caller, query, asked, asked.page.parameters)
        told = partial(part, query, rows, asked.page, since, until, acted)
        return told() if len(rows) <= MOST_PAGE_SIZE else await asyncio.to_thread(told)  # nobody waits for a long one

    async def whole_table(self, caller: Caller, query: Query, asked: Asked) -> bytes:
        """All rows as CSV. Raises Problem when there are more than one answer may have."""
        rows, *_ = await self._rows(caller, query, asked, {"limit": self.limits.rows + 1, "offset": 0})
        if len(rows) > self.limits.rows:
            detail = f"{query.key} has more than {self.limits.rows} rows; ask for a shorter range, or choose by filters"
            raise Problem(HTTPStatus.BAD_REQUEST, detail)
        return await asyncio.to_thread(table, query, rows)

    async def _rows(
        self, caller: Caller, query: Query, asked: Asked, page: Mapping[str, int]
    ) -> tuple[Rows, datetime, datetime, frozenset[str]]:
        since, until = bounded(asked.range_, self.now(), self.limits.days)
        acted = frozenset(asked.filters) & query.filters.keys()
        parameters: dict[str, Any] = {"since": since, "until": until, **page, **asked.ids}
        parameters |= {name: list(asked.filters[name]) for name in acted}
        return await self.database.rows(caller, query, acted, parameters), since, until, acted

    def allowed(self, caller: Caller, roles: Sequence[Role], what: str) -> None:
        """Raises Problem unless the caller has one of these roles."""
        if caller.role not in roles:
            wanted = " or ".join(roles) or "nobody"
            raise Problem(HTTPStatus.FORBIDDEN, f"{what} is for the role {wanted}; your token has the role {caller.role}")
