"""What every answer needs: the rows, the mode, the keys, the time, the prices, the faults."""

from __future__ import annotations

from asyncio import Transport
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from demo.langfuse.faults import Faults
from demo.langfuse.rate_limits import RateLimits
from demo.langfuse.rows import Rows
from demo.langfuse.store import Store
from demo.langfuse.times import from_seconds

PROJECT = {
    "id": "agent-observatory",
    "name": "Agent Observatory",
    "organization": {"id": "synthetic", "name": "Synthetic Platform"},
    "metadata": {},
}
VISIBILITY_LAG_SECONDS = 2.0
"""From the end of the work to the moment it can be read: queue and write buffer of a real server."""

OLD_PATH_LAG_SECONDS = 900.0
"""How much later it becomes an event when an old client sent it, on servers that write both."""


@dataclass(frozen=True)
class Mode:
    """What a server of some version serves. `legacy` is the interface of version 3, `events` that of version 4.

    A server that serves `both` writes everything twice, and a row of its own for every trace into the events.
    `cloud` counts requests against a plan.
    """

    name: str
    version: str
    legacy: bool
    events: bool
    cloud: bool = False

    @property
    def both(self) -> bool:
        return self.legacy and self.events

    @property
    def delays_old_path(self) -> bool:
        """Whether what old clients send becomes an event much later; elsewhere there is only one way."""
        return self.both or self.cloud


MODES: Mapping[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("v3", "3.225.4", legacy=True, events=False),
        Mode("v4", "4.16.0", legacy=False, events=True),
        Mode("dual", "4.16.0", legacy=True, events=True),
        Mode("cloud", "4.16.0", legacy=False, events=True, cloud=True),
    )
}


@dataclass(frozen=True)
class Keys:
    """The key pair of the project. `secret` never appears in an answer or a log."""

    public: str
    secret: str = field(repr=False)


class Price(NamedTuple):
    """A model with a price: USD per unit by kind of usage."""

    model: str
    usd: Mapping[str, float]


class PricedModel(Protocol):
    """A model of the platform's catalogue. Prices are USD per million tokens, None when it has no price."""

    @property
    def name(self) -> str: ...
    @property
    def input_usd(self) -> float | None: ...
    @property
    def output_usd(self) -> float | None: ...
    @property
    def cache_read_usd(self) -> float | None: ...


def price_list(models: Iterable[PricedModel]) -> tuple[Price, ...]:
    """Prices per token of those models of a catalogue that have one; reasoning is billed as output."""
    found = []
    for model in models:
        if model.input_usd is None:
            continue
        per_million = {
            "input": model.input_usd,
            "output": model.output_usd,
            "input_cached_tokens": model.cache_read_usd,
            "output_reasoning_tokens": model.output_usd,
        }
        found.append(Price(model.name, {kind: round(usd / 1e6, 12) for kind, usd in per_million.items() if usd is not None}))
    return tuple(found)


@dataclass
class StandIn:
    """A server to ask. `clock` gives seconds since the epoch; `numbers_as_strings` behaves as ClickHouse before 25.8.

    `plan` is what the rate limits of mode cloud go by. `connections` are the open ones by the address of the other side.
    """

    store: Store
    mode: Mode
    keys: Keys
    clock: Callable[[], float]
    prices: tuple[Price, ...] = ()
    lag_seconds: float = VISIBILITY_LAG_SECONDS
    numbers_as_strings: bool = False
    plan: str = "hobby"
    old_path_lag_seconds: float = OLD_PATH_LAG_SECONDS
    faults: Faults = field(default_factory=Faults)
    connections: dict[Any, Transport] = field(default_factory=dict)
    limits: RateLimits | None = field(init=False)

    def __post_init__(self) -> None:
        self.limits = RateLimits(self.plan, self.clock) if self.mode.cloud else None
        self.store.show_events(with_traces=self.mode.both)

    def take(self, rows: Rows, old_path: bool) -> None:
        """Stores what was sent just now: nothing of it can be read before now."""
        late = self.old_path_lag_seconds if old_path and self.mode.delays_old_path else 0.0
        self.store.insert(*rows, arrived=self.clock(), late=late)

    @property
    def readable(self) -> int:
        """Microseconds of the end of the latest work that can be read now."""
        return from_seconds(self.clock() - self.lag_seconds)

    def price(self, model: str | None) -> Price | None:
        return next((price for price in self.prices if model and price.model.lower() == model.lower()), None)


class Ask(NamedTuple):
    """A request, taken apart: parameters as they came (a name may come twice), parts of the path, the JSON body, headers."""

    parameters: Mapping[str, list[str]]
    path: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]

    def one(self, name: str) -> str | None:
        """The last value of a parameter, None when it was not sent."""
        return self.parameters[name][-1] if name in self.parameters else None
