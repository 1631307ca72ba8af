"""What all ways of sending share: environments, kinds of rows, and the price of a call that came without one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from demo.langfuse.standin import StandIn

TYPES = frozenset({"SPAN", "GENERATION", "EVENT", "EMBEDDING", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "GUARDRAIL", "EVALUATOR"})
"""Types of observations."""

LEVELS = frozenset({"DEBUG", "DEFAULT", "WARNING", "ERROR"})

DEFAULT_ENVIRONMENT = "default"


def environment(sent: str | None) -> str:
    """The environment that a sent name becomes; names that begin with langfuse belong to the server."""
    name = (sent or "").strip().lower().removeprefix("langfuse")
    return name if re.fullmatch(r"[a-z0-9_-]{1,40}", name) else DEFAULT_ENVIRONMENT


def cost(standin: StandIn, model: str | None, usage: Mapping[str, int], sent: Mapping[str, float]) -> dict[str, float]:
    """USD by kind. What was sent wins, and then nothing is computed; else price times units; empty without a price."""
    if sent:
        return dict(sent)
    price = standin.price(model)
    if price is None:
        return {}
    known = {kind: price.usd[kind] * units for kind, units in usage.items() if kind in price.usd}
    return known | {"total": sum(known.values())} if known else {}
