"""Traffic without a story: plain HTTP requests, database, caches, vector store, edge functions.

How much there is in a minute is a pure function of the world's seed and that minute. A quarter of a minute gets its part of
whole numbers, and everything that adds up is a whole number, so it does not matter in which steps time was advanced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from random import Random
from statistics import NormalDist
from typing import NamedTuple

from contract.catalogue import metric
from contract.status import ERROR, SUCCESS
from demo.platform.registry import Registry
from demo.world.catalogue import ENVIRONMENTS, HTTP_HANDLERS
from demo.world.model import WorldSpec
from demo.world.rhythm import count, rate, stream
from demo.world.tuning import MISSED, missed

QUARTER_SECONDS = 15
REQUESTS_PER_CONVERSATION = 265.0
"""HTTP requests for each conversation that begins; gives production 5 to 12 requests per second in working hours."""

_UNIT = 4096
"""Shares of a flow within a bound are whole 4096ths."""
_MICRO = 1_000_000
_PACES = tuple(0.82 * 1.09**level for level in range(8))
_TROUBLED_PACES = 3
_QUIET = 0.02
_TROUBLE_FACTOR = 25.0


class Flow(NamedTuple):
    """Operations of one sort: `weight` of them for every HTTP request, some ending otherwise than the usual.

    `ends` are the last label values and shares of the rarer ends, the usual end first with a share of 0. `place` says where
    that value stands among the counter's labels. `median` and `spread` shape the lognormal time in seconds.
    """

    counter: str
    histogram: str
    labels: tuple[str, ...]
    weight: float
    ends: tuple[tuple[str, float], ...]
    median: float
    spread: float
    gauge: str = ""


def _http(method: str, handler: str, share: float, median: float) -> Flow:
    ends = (("200", 0.0), ("404" if "{id}" in handler else "400", 0.012), ("500", 0.003))
    return Flow(
        "http_requests_total", "http_request_duration_seconds", (method, handler), share, ends, median, 0.7,
        "http_requests_in_progress",
    )  # fmt: skip


_HTTP_SHAPE = (
    (0.05, 0.030), (0.11, 0.045), (0.17, 0.022), (0.02, 0.018), (0.08, 0.110), (0.01, 0.240), (0.06, 0.028), (0.03, 0.085),
    (0.09, 0.034), (0.02, 0.052), (0.03, 0.048), (0.01, 0.060), (0.20, 0.012), (0.12, 0.004),
)  # fmt: skip
"""Share and median seconds of every handler, in the catalogue's order."""

FLOWS = (
    *(_http(*handler, *shape) for handler, shape in zip(HTTP_HANDLERS, _HTTP_SHAPE, strict=True)),
    *(
        Flow("", "db_query_duration_seconds", (operation,), weight, (("", 0.0),), median, 0.9)
        for operation, weight, median in (
            ("SELECT", 2.6, 0.0022), ("INSERT", 0.5, 0.0030), ("UPDATE", 0.4, 0.0036), ("DELETE", 0.02, 0.0040),
        )
    ),
    *(
        Flow("cache_operations_total", "cache_operation_duration_seconds", (name, operation), weight, ends, 0.0006, 0.6)
        for name, scale in (("sessions", 1.0), ("answers", 0.5))
        for operation, weight, ends in (
            ("get", 1.2 * scale, (("hit", 0.0), ("miss", MISSED))),
            ("set", 0.19 * scale, (("ok", 0.0), ("error", 0.0004))),
            ("delete", 0.03 * scale, (("ok", 0.0), ("error", 0.0004))),
        )
    ),
    *(
        Flow("vector_store_operations_total", "vector_store_operation_duration_seconds", ("pgvector", operation), weight,
             ((SUCCESS, 0.0), (ERROR, 0.001)), median, 0.6)
        for operation, weight, median in (("search", 0.09, 0.021), ("insert", 0.02, 0.034), ("delete", 0.002, 0.018))
    ),
    *(
        Flow("edge_function_invocations_total", "edge_function_duration_seconds", (function,), weight,
             ((SUCCESS, 0.0), (ERROR, 0.004)), median, 0.7)
        for function, weight, median in (
            ("resize-image", 0.02, 0.32), ("verify-webhook", 0.05, 0.04), ("send-mail", 0.02, 0.21),
        )
    ),
)  # fmt: skip

SMALL_HANDLERS = ("/api/conversations/{id}/messages", "/api/me", "/health")
"""Staging and development serve few routes; that keeps their number of series small."""

ANSWERS = ("answers", "get")

POOLS = (("api", 30), ("workers", 12))


def flows_of(environment: str) -> tuple[Flow, ...]:
    """What an environment does: everything in production, the essential elsewhere."""
    if environment == ENVIRONMENTS[0][0]:
        return FLOWS
    return tuple(flow for flow in FLOWS if flow.gauge == "" or flow.labels[1] in SMALL_HANDLERS)


@cache
def profile(flow: Flow, pace: int) -> tuple[int, ...]:
    """How many 4096ths of a flow lie within each bound, the infinite one last, and its mean in microseconds."""
    median, normal = flow.median * _PACES[pace], NormalDist()
    shares = (normal.cdf(math.log(bound / median) / flow.spread) for bound in metric(flow.histogram).buckets)
    return (*(round(_UNIT * share) for share in shares), _UNIT, round(_MICRO * median * math.exp(flow.spread**2 / 2)))


class Minute(NamedTuple):
    """What one minute holds for one environment: by flow the number of every end and the pace, and the pools' levels."""

    ends: list[list[int]]
    pace: list[int]
    in_progress: list[int]
    pools: list[tuple[int, int]]  # active, pending


class Traffic:
    """Plain traffic of one environment, put into its registry quarter by quarter of a minute.

    `sums` holds, by flow, the exact totals in 4096ths and microseconds that the histograms are read from.
    """

    def __init__(self, registry: Registry, environment: str) -> None:
        self._registry, self._environment = registry, environment
        self._share = dict(ENVIRONMENTS)[environment]
        self._flows = flows_of(environment)
        self._minute: tuple[tuple[int, WorldSpec], Minute] | None = None
        self.sums = [[0] * len(profile(flow, 0)) for flow in self._flows]
        self._first = [registry.declare(flow.histogram, *flow.labels) for flow in self._flows]
        for flow in self._flows:
            for end, _ in flow.ends if flow.counter else ():
                registry.declare(flow.counter, *flow.labels, end)
            if flow.gauge:
                registry.declare(flow.gauge, *flow.labels)
        for pool, size in POOLS:
            registry.set("db_pool_connections_max", pool, to=size)

    def advance(self, spec: WorldSpec, since: int, until: int) -> None:
        """Add the quarters [since, until), counted from the epoch."""
        for minute, begin, end in _minutes(since, until):
            if self._minute is None or self._minute[0] != (minute, spec):
                self._minute = ((minute, spec), self._draw(spec, minute))
            self._add(self._minute[1], begin, end)

    def _add(self, held: Minute, begin: int, end: int) -> None:
        registry = self._registry
        for number, flow in enumerate(self._flows):
            parts = [whole * end // 4 - whole * begin // 4 for whole in held.ends[number]]
            for (name, _), part in zip(flow.ends, parts, strict=True):
                if part and flow.counter:
                    registry.add(flow.counter, *flow.labels, name, amount=part)
            if done := sum(parts):
                shares = profile(flow, held.pace[number])
                self.sums[number] = [total + done * share for total, share in zip(self.sums[number], shares, strict=True)]
                self.show(number)
            if flow.gauge:
                registry.set(flow.gauge, *flow.labels, to=held.in_progress[number])
        for (pool, size), (active, pending) in zip(POOLS, held.pools, strict=True):
            registry.set("db_pool_connections", pool, "active", to=active)
            registry.set("db_pool_connections", pool, "idle", to=max(0, min(size, active + 4) - active))
            registry.set("db_pool_pending_requests", pool, to=pending)

    def show(self, number: int) -> None:
        """Put the totals of one flow into its histogram."""
        *within, micros = self.sums[number]
        counts = [total // _UNIT for total in within]
        first = self._first[number]
        self._registry.values[first : first + len(counts) + 2] = [*counts, micros / _MICRO, counts[-1]]

    def _draw(self, spec: WorldSpec, minute: int) -> Minute:
        rng = stream(spec, "traffic", self._environment, minute)
        at = minute * 60.0
        not_found = missed(spec, self._environment, at)
        kinds = {incident.kind for incident in spec.incidents if incident.start < at + 60.0 and at < incident.end}
        if self._environment != ENVIRONMENTS[0][0]:
            kinds = set()  # incidents strike production
        requests = REQUESTS_PER_CONVERSATION * self._share * rate(spec, at) * 60.0
        ends, paces, in_progress = [], [], []
        for flow in self._flows:
            number, pace = _ends(rng, _kept(flow, not_found), requests, kinds), min(7, int(rng.random() * rng.random() * 8))
            pace = min(7, pace + _TROUBLED_PACES) if "latency" in kinds else pace
            ends.append(number)
            paces.append(pace)
            in_progress.append(count(rng, sum(number) * profile(flow, pace)[-1] / _MICRO / 60.0) if flow.gauge else 0)
        busy = sum(sum(n) * profile(f, p)[-1] / _MICRO for n, f, p in zip(ends, self._flows, paces, strict=True)) / 60.0
        pools = [(min(size, wanted), max(0, wanted - size)) for _, size in POOLS for wanted in (1 + count(rng, busy),)]
        return Minute(ends, paces, in_progress, pools)


def _kept(flow: Flow, not_found: float | None) -> Flow:
    """The flow as it is while so much of the answers is in no cache."""
    if not_found is None or flow.labels != ANSWERS:
        return flow
    return flow._replace(ends=(flow.ends[0], ("miss", not_found)))


def _ends(rng: Random, flow: Flow, requests: float, kinds: set[str]) -> list[int]:
    """How many operations of a flow end in which way in a minute with so many requests."""
    steady = flow.gauge != "" and flow.labels[1] == "/health"
    wanted = flow.weight * requests * (_QUIET if "silence" in kinds and not steady else 1.0)
    whole = count(rng, wanted)
    found: list[int] = []
    for _, share in flow.ends[1:]:
        failing = flow.gauge != "" and share <= 0.003 and "errors" in kinds
        found.append(min(whole - sum(found), count(rng, whole * share * (_TROUBLE_FACTOR if failing else 1.0))))
    return [whole - sum(found), *found]


def _minutes(since: int, until: int) -> Iterator[tuple[int, int, int]]:
    """The minutes that quarters [since, until) lie in, with the first quarter of each and the one after its last (0 to 4)."""
    while since < until:
        minute = since // 4
        end = min(until, (minute + 1) * 4)
        yield minute, since - minute * 4, end - minute * 4
        since = end
