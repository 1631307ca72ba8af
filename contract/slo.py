"""Service levels as a site writes them: what is measured, how much of it has to be good, over how many days, and whose it is.

An error budget is what may go wrong: 0.1 % of all requests where 99.9 % have to be good, or an amount of money. The burn rate
is how fast it is spent, against a pace that spends exactly all of it within the window: 1 is even, 2 empties it in half that.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from contract.catalogue import metric
from contract.values import Amount, Section, duration_seconds

Sli = Literal["availability", "requests", "responses", "errors", "latency", "success", "first_token", "cost"]
"""What is measured.

- availability: time in which the platform's targets answered when they were scraped, each target weighing the same.
- requests: HTTP answers other than 5xx. responses: HTTP answers within the target.
- errors: agent queries that did not fail. latency: agent queries that succeeded, answered within the target.
- success: conversations whose goal was achieved, among those with a known goal.
- first_token: streamed model calls whose first chunk came within the target.
- cost: money for model calls, against a budget that is spent evenly.
"""

TIMED: dict[str, str] = {
    "responses": "http_request_duration_seconds",
    "latency": "agent_query_duration_seconds",
    "first_token": "gen_ai_client_operation_time_to_first_chunk_seconds",
}
"""The histogram of each kind that has a target in seconds."""
BY_AGENT = frozenset({"errors", "latency", "success"})
_DAY = 86400

Named = Annotated[str, Field(pattern=r"^[\w .:/-]+$", max_length=80)]
"""An agent or a model. A pattern that counts to 80 would be compiled into four megabytes of every process."""


class Slo(Section):
    """One service level.

    `objective` is the per cent that has to be good; money has none, but `budget_usd` for the whole window. `target_seconds` is
    a bound of the histogram's buckets. `agents` or `models` narrow it to a group; `each` holds every one of them to it alone,
    rather than all together. `environments` are counted apart; none named stands for those that may wake people, or for all
    where nothing wakes anybody.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    sli: Sli
    objective: Annotated[Decimal, Field(gt=0, lt=100, max_digits=8)] | None = None
    target_seconds: Amount | None = None
    budget_usd: Amount | None = None
    agents: tuple[Named, ...] = ()
    models: tuple[Named, ...] = ()
    each: bool = False
    environments: tuple[str, ...] = ()
    window_days: Literal[7, 28, 30] = 30
    team: str
    description: Annotated[str, Field(min_length=10)]

    @field_validator("objective")
    @classmethod
    def _is_set_for_shares(cls, objective: Decimal | None, info: ValidationInfo) -> Decimal | None:
        money = info.data.get("sli") == "cost"
        if money and objective is not None:
            raise ValueError("money has no objective in per cent; leave it out and write budget_usd")
        if not money and objective is None:
            raise ValueError("is needed: how many per cent have to be good, such as 99.9")
        return objective

    @field_validator("target_seconds")
    @classmethod
    def _is_a_bound(cls, target: float | None, info: ValidationInfo) -> float | None:
        sli = info.data.get("sli")
        if (sli in TIMED) != (target is not None):
            raise ValueError(f"is needed where sli is {', '.join(TIMED)}, and only there: a time in seconds")
        if target is not None and target not in (bounds := metric(TIMED[str(sli)]).buckets):
            near = sorted(sorted(bounds, key=lambda bound: abs(bound - target))[:2])
            close = " or ".join(f"{bound:g}" for bound in near)
            raise ValueError(f"{target:g} is no bucket bound of {TIMED[str(sli)]}, so nothing counts it; take {close}")
        return target

    @field_validator("budget_usd")
    @classmethod
    def _is_for_money(cls, budget: float | None, info: ValidationInfo) -> float | None:
        if (info.data.get("sli") == "cost") != (budget is not None):
            raise ValueError("is needed where sli is cost, and only there: dollars for the whole window")
        return budget

    @field_validator("agents", "models", "each")
    @classmethod
    def _can_be_told_apart(cls, chosen: tuple[str, ...] | bool, info: ValidationInfo) -> tuple[str, ...] | bool:
        sli = info.data.get("sli")
        able = {"agents": BY_AGENT, "models": {"first_token"}}.get(info.field_name or "", BY_AGENT | {"first_token"})
        if chosen and sli not in able:
            raise ValueError(f"{sli} is not counted so; only {', '.join(sorted(able))}")
        return chosen

    @property
    def label(self) -> str:
        """The label that tells apart what it is about: agents or models."""
        return "gen_ai_request_model" if self.sli == "first_token" else "agent"

    @property
    def names(self) -> tuple[str, ...]:
        """The group of agents or models; none for all of them."""
        return self.agents or self.models

    @property
    def scope(self) -> str:
        """What its series say they are about, where it is not each agent or model alone."""
        return self.names[0] if len(self.names) == 1 else "all"

    @property
    def budget(self) -> Decimal:
        """The share that may go wrong, exactly: 0.001 for 99.9 %. Of money all may be spent, which is 1."""
        return Decimal(1) if self.objective is None else ((100 - self.objective) / 100).normalize()

    @property
    def window_seconds(self) -> int:
        return self.window_days * _DAY

    def burn_factor(self, share: float, window: str) -> Decimal:
        """The burn rate at which this share of the budget goes within `window`: 14.4 for 2 % in an hour of 30 days."""
        return (Decimal(str(share)) * self.window_seconds / Decimal(str(duration_seconds(window)))).normalize()

    def where(self, paging: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
        """The environments that it is about."""
        return self.environments or paging or known


DEFAULTS = (
    Slo(
        name="platform-available", sli="availability", objective=Decimal("99.9"), team="platform",
        description="The platform answers whenever it is asked for its metrics.",
    ),
    Slo(
        name="responses-in-time", sli="responses", objective=Decimal(95), target_seconds=0.5, team="platform",
        description="HTTP requests are answered within half a second.",
    ),
    Slo(
        name="queries-answered", sli="errors", objective=Decimal(95), each=True, team="agents",
        description="Agents answer queries without an error or a timeout.",
    ),
    Slo(
        name="answers-quick", sli="latency", objective=Decimal(95), target_seconds=2.7, team="agents",
        agents=("support", "billing", "it-helpdesk", "sales"), each=True,
        description="Agents that talk to people answer while these still look at the screen.",
    ),
    Slo(
        name="answers-thorough", sli="latency", objective=Decimal(95), target_seconds=5.0, team="platform",
        agents=("research",), description="Agents that look things up may take longer.",
    ),
    Slo(
        name="goals-achieved", sli="success", objective=Decimal(90), team="agents",
        description="Conversations end with what the user came for.",
    ),
    Slo(
        name="first-token", sli="first_token", objective=Decimal(95), target_seconds=2.56, each=True, team="platform",
        description="Streamed answers begin before people wonder whether anything happens.",
    ),
    Slo(
        name="model-spend", sli="cost", budget_usd=4000.0, team="finance",
        description="Money for model calls is spent no faster than was agreed.",
    ),
)  # fmt: skip
"""What a site has that says nothing: for the demonstration."""
